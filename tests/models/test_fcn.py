"""The fully connected network: its size, which tracks it reads, and that nothing undefined reaches it."""

from random import Random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from e2egraph.errors import UsageError
from e2egraph.models.fcn import FCN, FCNOptions, most_displaced
from e2egraph.models.registry import parameter_count
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.models.jets import jets
from tests.models.other_inputs import SIX

D0, DZ, D0_SIG, TRACK = (INPUTS.index(name) for name in ("d0", "dz", "d0_sig", "is_TRACK"))
PUBLISHED = 843_602


def test_eight_layers_of_373_come_nearest_to_the_published_parameters() -> None:
    model = FCN(FCNOptions(), INPUTS, TWO_CLASSES)
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    assert len(layers) == 8
    assert layers[0].in_features == 12
    count = parameter_count(model)
    assert count == 842_609
    neighbors = [parameter_count(FCN(FCNOptions(width=width), INPUTS, TWO_CLASSES)) for width in (372, 374)]
    assert abs(count - PUBLISHED) < min(abs(other - PUBLISHED) for other in neighbors)
    assert abs(count - PUBLISHED) / PUBLISHED < 0.002


def chosen(features: Tensor, mask: Tensor, n_tracks: int) -> tuple[Tensor, Tensor]:
    keys = [features[..., index] for index in (D0_SIG, D0, DZ)]
    return most_displaced(keys, mask & (features[..., TRACK] > 0), n_tracks)


def by_sorting(features: Tensor, mask: Tensor, n_tracks: int) -> tuple[Tensor, Tensor]:
    """The definition, with Python's sort."""
    rows = []
    for jet, valid in zip(features.tolist(), mask.tolist(), strict=True):
        tracks = [(abs(x[D0_SIG]), x[D0], x[DZ]) for x, v in zip(jet, valid, strict=True) if v and x[TRACK] > 0]
        rows.append([*sorted(tracks, reverse=True), *[(0.0, 0.0, 0.0)] * n_tracks][:n_tracks])
    table = torch.tensor(rows, dtype=torch.float32).reshape(len(rows), n_tracks, 3)
    return table[..., 1], table[..., 2]


@pytest.mark.parametrize("lattice", [False, True])
def test_the_most_displaced_tracks_are_those_a_sort_finds(lattice: bool) -> None:
    for seed in range(5):
        _, features, mask, _ = jets([200, 60, 30, 4, 1, 0], lattice=lattice, seed=seed)
        ours, expected = chosen(features, mask, 5), by_sorting(features, mask, 5)
        assert torch.equal(ours[0], expected[0])
        assert torch.equal(ours[1], expected[1])


@settings(max_examples=40, deadline=None)
@given(
    tracks=st.lists(st.tuples(*[st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0])] * 3), min_size=0, max_size=9),
    order=st.randoms(use_true_random=False),
)
def test_ties_do_not_betray_the_order_of_tracks(tracks: list[tuple[float, float, float]], order: Random) -> None:
    def read(values: list[tuple[float, float, float]]) -> tuple[Tensor, Tensor]:
        features = torch.zeros(1, len(values), INPUTS.n_features)
        features[..., TRACK] = 1.0
        for i, (significance, d0, dz) in enumerate(values):
            features[0, i, D0_SIG], features[0, i, D0], features[0, i, DZ] = significance, d0, dz
        return chosen(features, torch.ones(1, len(values), dtype=torch.bool), 5)

    shuffled = list(tracks)
    order.shuffle(shuffled)
    for a, b in zip(read(tracks), read(shuffled), strict=True):
        assert torch.equal(a, b)


def test_other_nodes_than_tracks_are_not_read() -> None:
    torch.manual_seed(0)
    model = FCN(FCNOptions(width=20), INPUTS, TWO_CLASSES)
    points, features, mask, jet = jets([50, 20])
    other = features[..., TRACK] == 0
    changed = torch.where(other.unsqueeze(-1), features * 3.0, features)
    changed[..., TRACK] = features[..., TRACK]
    assert torch.equal(model(points, features, mask, jet), model(points, changed, mask, jet))


@pytest.mark.parametrize("name", INPUTS.object_names)
def test_soft_drop_mass_and_tau32_are_the_jet_variables_it_reads(name: str) -> None:
    torch.manual_seed(0)
    model = FCN(FCNOptions(width=20), INPUTS, TWO_CLASSES)
    points, features, mask, _ = jets([50])
    jet = torch.full((1, len(INPUTS.object)), 0.5)
    changed = jet.clone()
    changed[:, INPUTS.object_index(name)] += 0.25
    same = torch.equal(model(points, features, mask, jet), model(points, features, mask, changed))
    assert same == (name not in ("softdrop_mass", "tau32"))
    assert FCN.uses_jet


@pytest.mark.parametrize("undefined", [float("nan"), float("inf"), -1.0, 1e30])
def test_a_ratio_without_meaning_gives_finite_scores(undefined: float) -> None:
    torch.manual_seed(0)
    model = FCN(FCNOptions(width=20), INPUTS, TWO_CLASSES)
    points, features, mask, jet = jets([50, 0])
    jet[:, INPUTS.object_index("tau32")] = undefined
    assert model(points, features, mask, jet).isfinite().all()


def test_signals_reach_the_last_layer_undiminished() -> None:
    torch.manual_seed(0)
    model = FCN(FCNOptions(), INPUTS, TWO_CLASSES)
    hidden = model.layers[:-1](torch.randn(500, 12))
    assert 0.5 < hidden.square().mean() < 2.0  # 1 on average for the start chosen, 6⁻⁷ for torch's own


def test_a_task_without_what_it_reads_is_refused_naming_it() -> None:
    with pytest.raises(
        UsageError, match=r"fcn reads d0, dz \(inputs.variables\) and softdrop_mass, tau32 \(inputs.obj"
    ):
        FCN(FCNOptions(), SIX, TWO_CLASSES)
