"""Tracks and cells: which tokens a jet gets, against plain loops, and what each holds."""

from collections import defaultdict

import pytest
import torch

from e2egraph.detector import ETA_PITCH, PHI_PITCH, Channel
from e2egraph.models.network import feature_index
from e2egraph.models.registry import build_model, load_model_config
from e2egraph.models.tokens.cells import ENERGY_OF_A_HIT, occupied_cells
from e2egraph.models.tokens.tracks import hardest_tracks
from tests.models.jets import jets


def cell_of(deta: float, dphi: float, size: int) -> tuple[int, int]:
    """Row and column of the cell, from the pixel: crystal ±62 of the window, in cells of ``size`` from its corner."""
    row, column = (int((x / pitch + 0.5) // 1) + 62 for x, pitch in ((deta, ETA_PITCH), (dphi, PHI_PITCH)))
    return row // size, column // size


@pytest.mark.parametrize("lattice", [False, True])
@pytest.mark.parametrize(("size", "n_cells"), [(5, 7), (5, 700), (1, 20), (25, 30)])
def test_the_kept_cells_are_those_with_most_energy(size: int, n_cells: int, lattice: bool) -> None:
    points, features, mask, _ = jets([60, 9, 1, 0], lattice=lattice)
    energy = features[..., feature_index("value")].abs() * (torch.arange(60) % 3 > 0)
    cells = occupied_cells(points, energy, mask, n_cells, size)
    for b in range(4):
        totals: dict[tuple[int, int], float] = defaultdict(float)
        for i in range(60):
            if mask[b, i]:
                totals[cell_of(*points[b, i].tolist(), size)] += float(energy[b, i].double()) + ENERGY_OF_A_HIT
        expected = sorted(totals, key=lambda cell: (-round(totals[cell], 9), cell))[:n_cells]
        assert int(cells.found[b].sum()) == len(expected)
        for slot, (row, column) in enumerate(expected):
            middle = [(row * size + (size - 1) / 2 - 62) * ETA_PITCH, (column * size + (size - 1) / 2 - 62) * PHI_PITCH]
            torch.testing.assert_close(cells.centre[b, slot], torch.tensor(middle), atol=1e-6, rtol=0)
        for i in range(60):
            own = cell_of(*points[b, i].tolist(), size)
            kept = bool(mask[b, i]) and own in expected
            assert int(cells.slot[b, i]) == (expected.index(own) if kept else n_cells)


def test_sums_hold_every_node_of_a_kept_cell_and_carry_gradient() -> None:
    points, _, mask, _ = jets([40, 12])
    cells = occupied_cells(points, torch.ones(2, 40), mask, 700, 5)
    values = torch.randn(2, 40, 3, dtype=torch.float64, requires_grad=True)
    total = cells.sums(values)
    expected = (values * mask.unsqueeze(-1)).sum(1)
    torch.testing.assert_close(total.sum(1), expected)
    total.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad, mask.unsqueeze(-1).expand(-1, -1, 3).double())


def test_offsets_say_where_in_its_cell_a_node_lies() -> None:
    points = torch.tensor([[[0.0, 0.0], [2.49 * ETA_PITCH, -2.49 * PHI_PITCH], [4 * ETA_PITCH, 5 * PHI_PITCH]]])
    cells = occupied_cells(points, torch.ones(1, 3), torch.ones(1, 3, dtype=torch.bool), 4, 5)
    expected = torch.tensor([[[0.0, 0.0], [0.996, -0.996], [-0.4, 0.0]]])
    torch.testing.assert_close(cells.offset, expected, atol=1e-5, rtol=0)


def test_the_hardest_tracks_come_in_falling_pt() -> None:
    _, features, mask, _ = jets([50, 20, 3, 0], n=50)
    index, found = hardest_tracks(features, features, mask, 6)
    value = features[..., feature_index("value")]
    is_track = mask & (features[..., feature_index(f"is_{Channel.TRACK.name}")] > 0)
    for b in range(4):
        expected = sorted((i for i in range(50) if is_track[b, i]), key=lambda i: -float(value[b, i]))[:6]
        assert index[b][found[b]].tolist() == expected
        assert int(found[b].sum()) == len(expected)


def test_tracks_of_equal_pt_are_chosen_by_what_they_are() -> None:
    features = torch.zeros(1, 8, jets([1])[1].shape[-1])
    features[..., feature_index("value")] = 5.0
    features[..., feature_index(f"is_{Channel.TRACK.name}")] = 1.0
    features[0, :, feature_index("d0")] = torch.linspace(-1, 1, 8)
    mask = torch.ones(1, 8, dtype=torch.bool)
    chosen = hardest_tracks(features, features, mask, 3)[0]
    order = torch.randperm(8, generator=torch.Generator().manual_seed(1))
    again = hardest_tracks(features[:, order], features[:, order], mask, 3)[0]
    assert sorted(order[again[0]].tolist()) == sorted(chosen[0].tolist())


def test_a_node_of_no_token_still_counts_in_the_totals() -> None:
    torch.manual_seed(0)
    settings = ["options.cells=1", "options.tracks=1", "options.width=16"]
    model = build_model(load_model_config("tracks-and-cells", settings), 2).eval()
    points, features, mask, jet = jets([30])
    shorter = mask.clone()
    hits = features[0, :, feature_index(f"is_{Channel.BPIX2.name}")] > 0
    shorter[0, int(hits.nonzero()[0])] = False
    with torch.no_grad():
        assert not torch.equal(model(points, features, mask, jet), model(points, features, shorter, jet))
