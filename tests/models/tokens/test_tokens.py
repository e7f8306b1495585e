"""Tracks and cells: which tokens a jet gets, against plain loops, and what each holds."""

import math
from collections import defaultdict

import numpy as np
import pytest
import torch
from torch import Tensor

from e2egraph.detector.channels import Channel
from e2egraph.detector.geometry import ETA_PITCH, PHI_PITCH
from e2egraph.errors import UsageError
from e2egraph.models.layers.geometry.places import place_of
from e2egraph.models.layers.readout.pooling import Energies
from e2egraph.models.network import clear_padding
from e2egraph.models.registry import build_model, load_model_config, parameter_count
from e2egraph.models.tokens.cell_tokens import CellGroup, CellTokens
from e2egraph.models.tokens.cells import ENERGY_OF_A_HIT, CellGrid, Cells
from e2egraph.models.tokens.flow import UNIT, Flow
from e2egraph.models.tokens.tokens import NodeMaker, Nodes
from e2egraph.models.tokens.tracks import TrackTokens, hardest_tracks
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.region import Region
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.models.jets import jets
from tests.models.other_inputs import CROP, EVENT, HITS, SIX, TRACKS
from tests.models.zoo import parity

ENERGIES = Energies(INPUTS).channels
VARIABLES = len(INPUTS.variables)


def nodes_of(points: Tensor, features: Tensor, mask: Tensor, inputs: Inputs = INPUTS) -> Nodes:
    points, features = points.transpose(1, 2), features.transpose(1, 2)
    return NodeMaker(inputs)(*clear_padding(points, features, mask, channels_first=True))


def hardest(points: Tensor, features: Tensor, is_track: Tensor, n_tracks: int) -> tuple[Tensor, Tensor]:
    rows = torch.cat([points, features[..., :VARIABLES]], dim=-1).transpose(1, 2)
    return hardest_tracks(rows, INPUTS.index("value"), is_track, n_tracks)


def occupied_cells(points: Tensor, energy: Tensor, mask: Tensor, n_cells: int, size: int, region: Region) -> Cells:
    cells: Cells = CellGrid(n_cells, size, region)(points.transpose(1, 2), energy, mask)
    return cells


def cell_of(deta: float, dphi: float, size: int) -> tuple[int, int]:
    """Row and column of the cell, from the pixel: crystal ±62 of the window, in cells of ``size`` from its corner."""
    row, column = (int((x / pitch + 0.5) // 1) + 62 for x, pitch in ((deta, ETA_PITCH), (dphi, PHI_PITCH)))
    return row // size, column // size


@pytest.mark.parametrize("lattice", [False, True])
@pytest.mark.parametrize(("size", "n_cells"), [(5, 7), (5, 700), (1, 20), (25, 30)])
def test_the_kept_cells_are_those_with_most_energy(size: int, n_cells: int, lattice: bool) -> None:
    points, features, mask, _ = jets([60, 9, 1, 0], lattice=lattice)
    energy = features[..., INPUTS.index("value")].abs() * (torch.arange(60) % 3 > 0)
    cells = occupied_cells(points, energy, mask, n_cells, size, INPUTS.region)
    slot = cells.slot()
    for b in range(4):
        totals: dict[tuple[int, int], float] = defaultdict(float)
        for i in range(60):
            if mask[b, i]:
                totals[cell_of(*points[b, i].tolist(), size)] += float(energy[b, i].double()) + ENERGY_OF_A_HIT
        expected = sorted(totals, key=lambda cell: (-round(totals[cell], 9), cell))[:n_cells]
        assert int(cells.found[b].sum()) == len(expected)
        for place, (row, column) in enumerate(expected):
            middle = [(row * size + (size - 1) / 2 - 62) * ETA_PITCH, (column * size + (size - 1) / 2 - 62) * PHI_PITCH]
            torch.testing.assert_close(cells.centre[b, place], torch.tensor(middle), atol=1e-6, rtol=0)
        for i in range(60):
            own = cell_of(*points[b, i].tolist(), size)
            kept = bool(mask[b, i]) and own in expected
            assert int(slot[b, i]) == (expected.index(own) if kept else n_cells)


def test_sums_hold_every_node_of_a_kept_cell_and_carry_gradient() -> None:
    points, _, mask, _ = jets([40, 12])
    cells = occupied_cells(points, torch.ones(2, 40), mask, 700, 5, INPUTS.region)
    values = torch.randn(2, 3, 40, dtype=torch.float64, requires_grad=True)
    total = cells.sums(values[:, :2], values[:, 2:])
    expected = (values * mask.unsqueeze(1)).sum(2)
    torch.testing.assert_close(total.sum(1), expected)
    total.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad, mask.unsqueeze(1).expand(-1, 3, -1).double())


def test_offsets_say_where_in_its_cell_a_node_lies() -> None:
    points = torch.tensor([[[0.0, 0.0], [2.49 * ETA_PITCH, -2.49 * PHI_PITCH], [4 * ETA_PITCH, 5 * PHI_PITCH]]])
    cells = occupied_cells(points, torch.ones(1, 3), torch.ones(1, 3, dtype=torch.bool), 4, 5, INPUTS.region)
    expected = torch.tensor([[[0.0, 0.0], [0.996, -0.996], [-0.4, 0.0]]])
    torch.testing.assert_close(cells.offset.transpose(1, 2), expected, atol=1e-5, rtol=0)


def test_the_hardest_tracks_come_in_falling_pt() -> None:
    points, features, mask, _ = jets([50, 20, 3, 0], n=50)
    value = features[..., INPUTS.index("value")]
    is_track = mask & (features[..., INPUTS.index(f"is_{Channel.TRACK.name}")] > 0)
    index, found = hardest(points, features, is_track, 6)
    for b in range(4):
        expected = sorted((i for i in range(50) if is_track[b, i]), key=lambda i: -float(value[b, i]))[:6]
        assert index[b][found[b]].tolist() == expected
        assert int(found[b].sum()) == len(expected)


@pytest.mark.parametrize("pt", [5.0, 0.0])
@pytest.mark.parametrize("what", ["d0", "charge", "place"])
def test_tracks_of_equal_pt_are_chosen_by_what_they_are(what: str, pt: float) -> None:
    features, points = torch.zeros(1, 8, jets([1])[1].shape[-1]), torch.zeros(1, 8, 2)
    features[..., INPUTS.index("value")] = pt
    if what == "place":
        points[0, :, 1] = torch.linspace(-0.1, 0.1, 8)
    else:
        features[0, :, INPUTS.index(what)] = torch.linspace(-1, 1, 8)
    is_track = torch.ones(1, 8, dtype=torch.bool)
    chosen = hardest(points, features, is_track, 3)[0]
    order = torch.randperm(8, generator=torch.Generator().manual_seed(1))
    again = hardest(points[:, order], features[:, order], is_track, 3)[0]
    assert sorted(order[again[0]].tolist()) == sorted(chosen[0].tolist())


def test_a_tie_moves_no_track_before_one_with_the_next_larger_pt() -> None:
    features, points = torch.zeros(1, 2, jets([1])[1].shape[-1]), torch.zeros(1, 2, 2)
    features[0, :, INPUTS.index("value")] = torch.tensor([100.0, np.nextafter(np.float32(100), np.float32(200))])
    # Far larger than any track has, on the side that favours the softer one.
    features[0, :, INPUTS.index("d0_sig")] = torch.tensor([1e4, -1e4])
    for sign in (1.0, -1.0):
        features[0, :, INPUTS.index("d0_sig")] *= sign
        assert hardest(points, features, torch.ones(1, 2, dtype=torch.bool), 1)[0].item() == 1


def test_groups_of_cells_hold_their_own_channels_alone() -> None:
    """Hits in one group, deposits in another: moving a hit changes the first group's tokens, not the second's."""
    torch.manual_seed(0)
    hits = CellTokens(CellGroup(channels=("BPIX1", "BPIX3"), size=3, keep=20), 8, 16, INPUTS, ENERGIES)
    deposits = CellTokens(CellGroup(channels=("ECAL", "HCAL"), size=5, keep=20), 8, 16, INPUTS, ENERGIES)
    points, features, mask, _ = jets([60])
    moved = points.clone()
    hit = int((features[0, :, INPUTS.index("is_BPIX3")] > 0).nonzero()[0])
    moved[0, hit] += 0.3
    before, after = nodes_of(points, features, mask), nodes_of(moved, features, mask)
    assert not torch.equal(hits(before).x, hits(after).x)
    torch.testing.assert_close(deposits(before).x, deposits(after).x)
    assert set(deposits(before).energy[..., 0].unique().tolist()) == {0.0}


@pytest.mark.parametrize("channels", [["TRACK"], ["ECAL", "ECAL"], []])
def test_a_group_of_cells_names_hits_or_calorimeters(channels: list[str]) -> None:
    with pytest.raises(UsageError, match="must be some of the hits and calorimeters"):
        load_model_config("tracks-and-cells", [f"options.cells=[{{channels: {channels}}}]"])


@pytest.mark.parametrize(
    ("inputs", "settings", "message"),
    [
        (
            SIX,
            ["cells=[{channels: [ECAL, TIB1]}]"],
            r"pools channel TIB1, which .*\.cells out of BPIX1, BPIX2",
        ),
        (
            TRACKS,
            [],
            r"pools channels of hits or calorimeters, which .*model.options.cells out of none \(cells=",
        ),
        (
            HITS,
            [],
            r"tracks \(model.options.tracks above 0\) reads value \(inputs.variables\) and TRACK \(inputs.channels\)",
        ),
    ],
)
def test_groups_and_tracks_that_the_task_lacks_are_refused(inputs: Inputs, settings: list[str], message: str) -> None:
    config = load_model_config("tracks-and-cells", [f"options.{setting}" for setting in settings])
    with pytest.raises(UsageError, match=message):
        build_model(config, inputs, TWO_CLASSES)


def test_a_task_of_tracks_alone_needs_no_cells() -> None:
    model = build_model(load_model_config("tracks-and-cells", ["options.cells=[]"]), TRACKS, TWO_CLASSES)
    assert model(*jets([30, 0], inputs=TRACKS)).shape == (2, 2)


def test_without_tokens_of_tracks_a_jet_of_hits_and_deposits_scores_the_same() -> None:
    torch.manual_seed(0)
    both = [
        build_model(load_model_config("tracks-and-cells-links", [f"options.tracks={n}"]), INPUTS, TWO_CLASSES).eval()
        for n in (48, 0)
    ]
    own = {}
    for name, value in both[0].state_dict().items():
        group, _, rest = name.partition(".")
        number, _, rest = rest.partition(".") if group == "makers" else ("", "", rest)
        if number != "0":  # tokens of tracks, which come first
            own[f"makers.{int(number) - 1}.{rest}" if number else name] = value
    both[1].load_state_dict(own)
    points, features, mask, jet = jets([90, 33, 1, 0])
    mask = mask & (features[..., INPUTS.index("is_TRACK")] < 0.5)
    with_tracks, without = (network(points, features, mask, jet) for network in both)
    torch.testing.assert_close(without, with_tracks, atol=1e-6, rtol=1e-5)


def test_a_task_without_tracks_is_read_without_tokens_of_them() -> None:
    model = build_model(load_model_config("tracks-and-cells", ["options.tracks=0"]), HITS, TWO_CLASSES)
    assert parity(model.eval(), 300, inputs=HITS).largest_difference < 1e-4


def test_a_network_without_any_token_is_refused() -> None:
    with pytest.raises(UsageError, match="tracks, cells and links make no token; set one of them"):
        load_model_config("tracks-and-cells", ["options.tracks=0", "options.cells=[]"])


def test_a_track_says_every_variable_that_tracks_differ_in() -> None:
    """One token each; what is the same for all tracks, ρ and the time, is not read."""
    for inputs, expected in ((INPUTS, {"value", "d0", "dz", "d0_sig", "dz_sig", "charge"}), (CROP, {"value", "d0"})):
        torch.manual_seed(0)
        make = TrackTokens(4, 8, inputs, Energies(inputs).channels)
        points, features, mask, _ = jets([30], inputs=inputs)
        features[..., len(inputs.variables) :] = 0.0
        features[..., inputs.index("is_TRACK")] = 1.0
        before = make(nodes_of(points, features, mask, inputs)).x
        for name in inputs.variable_names:
            changed = features.clone()
            changed[..., inputs.index(name)] *= 1.5
            after = make(nodes_of(points, changed, mask, inputs)).x
            assert torch.equal(after, before) == (name not in expected), name


@pytest.mark.parametrize("inputs", [INPUTS, EVENT])
def test_octaves_of_tracks_are_waves_of_their_places(inputs: Inputs) -> None:
    """A first layer that reads one wave alone gives it; where φ closes on itself so do the waves."""
    make = TrackTokens(8, 8, inputs, Energies(inputs).channels, octaves=3)
    points, features, mask, _ = jets([8], inputs=inputs)
    features[..., len(inputs.variables) :] = 0.0
    features[..., inputs.index("is_TRACK")] = 1.0
    first = make.layers[0].weight
    assert first.shape[1] == TrackTokens(8, 8, inputs, Energies(inputs).channels).layers[0].weight.shape[1] + 12
    periodic = inputs.region.periodic
    unit = (inputs.region.half_eta, math.pi if periodic else inputs.region.half_eta)
    nodes = nodes_of(points, features, mask, inputs)
    turned = points + torch.tensor([0.0, 2.0 * math.pi]) * periodic
    with torch.no_grad():
        make.layers[2].weight.copy_(torch.eye(8))
        make.layers[2].bias.zero_()
        for axis in range(2):
            for k in range(3):
                first.zero_()
                # After the 1 and three numbers of the plain place.
                first[0, 4 + 6 * axis + k], first[1, 4 + 6 * axis + k] = 1.0, -1.0
                tokens = make(nodes)
                phase = 2.0**k * math.pi * tokens.points[0, :, axis] / unit[axis]
                wave = (tokens.x[0, :, 0] - tokens.x[0, :, 1])[tokens.found[0]]
                torch.testing.assert_close(wave, torch.sin(phase)[tokens.found[0]], rtol=1e-4, atol=1e-5)
                again = make(nodes_of(turned, features, mask, inputs))
                torch.testing.assert_close(again.x, tokens.x, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("inputs", [INPUTS, EVENT])
def test_the_exported_network_knows_waves_of_tracks(inputs: Inputs) -> None:
    torch.manual_seed(2)
    config = load_model_config("tracks-and-cells", ["options.octaves=5", "options.width=16", "options.tracks=12"])
    network = build_model(config, inputs, TWO_CLASSES).eval()
    assert parity(network, max_nodes=120, inputs=inputs).largest_difference < 1e-4


def test_tokens_say_in_what_channel_their_energy_is() -> None:
    for inputs in (INPUTS, SIX, CROP):
        energies = Energies(inputs).channels
        assert set(energies) == {"TRACK", "ECAL", "HCAL"}
        points, features, mask, _ = jets([60], inputs=inputs)
        nodes = nodes_of(points, features, mask, inputs)
        tracks = TrackTokens(60, 8, inputs, energies)(nodes).energy
        cells = CellTokens(CellGroup(size=1, keep=700), 8, 8, inputs, energies)(nodes).energy
        for i, name in enumerate(energies):
            own = (features[..., inputs.index(f"is_{name}")] * features[..., inputs.index("value")]).sum()
            torch.testing.assert_close((tracks if name == "TRACK" else cells)[..., i].sum(), own)
            assert not (cells if name == "TRACK" else tracks)[..., i].any()


@pytest.mark.parametrize("inputs", [INPUTS, SIX, HITS])
def test_the_flow_is_moments_of_every_channel(inputs: Inputs) -> None:
    torch.manual_seed(0)
    energies = Energies(inputs).channels
    flow, unit = Flow(3, len(inputs.channels), len(energies)), inputs.region.half_eta
    points, features, mask, _ = jets([40, 7, 0], inputs=inputs)
    found = torch.sinh(flow(nodes_of(points, features, mask, inputs))).view(3, -1, 4) * UNIT
    assert flow.out_width == found[0].numel()
    assert flow.place is not None
    for b in range(3):
        for c, channel in enumerate(inputs.channel_names):
            own = mask[b] & (features[b, :, inputs.index(f"is_{channel}")] > 0)
            place = place_of(points[b, own], unit)
            functions = torch.relu(flow.place(torch.cat([torch.ones(len(place), 1), place], dim=1)))
            expected = torch.cat([own.sum().float().view(1), functions.sum(0)])
            torch.testing.assert_close(found[b, c], expected, rtol=1e-4, atol=1e-3)
        for e, channel in enumerate(energies, len(inputs.channels)):
            energy = features[b, :, inputs.index(f"is_{channel}")] * features[b, :, inputs.index("value")].clamp(min=0)
            torch.testing.assert_close(found[b, e, 0], energy.sum(), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("inputs", [CROP, EVENT])
def test_cells_cover_the_region_whatever_its_size(inputs: Inputs) -> None:
    region = inputs.region
    points, _, mask, _ = jets([200, 40], inputs=inputs)
    cells = occupied_cells(points, torch.ones(2, 200), mask, 400, 7, region)
    slot, offset = cells.slot(), cells.offset.transpose(1, 2)
    assert (slot[mask] < 400).all()
    half = torch.tensor([region.eta_pitch, region.phi_pitch]) * 3.5
    for b, n in enumerate((200, 40)):
        away = (points[b, :n] - cells.centre[b, slot[b, :n]]).abs()
        assert (away <= half * 1.0001).all()
        torch.testing.assert_close(offset[b, :n] * half, points[b, :n] - cells.centre[b, slot[b, :n]])


def test_the_sizes_are_one_network_and_grow() -> None:
    names = ("tracks-and-cells-small", "tracks-and-cells", "tracks-and-cells-large")
    configs = [load_model_config(name) for name in names]
    assert len({config.network for config in configs}) == 1
    parameters = [parameter_count(build_model(config, INPUTS, TWO_CLASSES)) for config in configs]
    assert parameters == sorted(parameters)


def test_a_node_of_no_token_still_counts_in_the_totals() -> None:
    torch.manual_seed(0)
    settings = ["options.cells=[{keep: 1}]", "options.tracks=1", "options.width=16"]
    model = build_model(load_model_config("tracks-and-cells", settings), INPUTS, TWO_CLASSES).eval()
    points, features, mask, jet = jets([30])
    shorter = mask.clone()
    hits = features[0, :, INPUTS.index(f"is_{Channel.BPIX2.name}")] > 0
    shorter[0, int(hits.nonzero()[0])] = False
    with torch.no_grad():
        assert not torch.equal(model(points, features, mask, jet), model(points, features, shorter, jet))


def test_octaves_are_waves_of_the_cells_place_each_half_as_long_as_the_one_before() -> None:
    plain, waved = (
        CellTokens(CellGroup(size=1, keep=20, octaves=n), 8, 16, CROP, Energies(CROP).channels) for n in (0, 5)
    )
    centre = plain.grid.centre / CROP.region.half_eta
    assert torch.equal(plain.place, waved.place[:, :3])
    for axis in range(2):
        for k in range(5):
            phase = 2.0**k * math.pi * centre[:, axis]
            torch.testing.assert_close(waved.place[:, 3 + 10 * axis + k], torch.sin(phase))
            torch.testing.assert_close(waved.place[:, 3 + 10 * axis + 5 + k], torch.cos(phase))
    # The shortest is long enough that neighbouring crystals are told apart, and no two of the region look alike.
    step = math.pi * 2.0**4 * CROP.region.eta_pitch / CROP.region.half_eta
    assert math.pi / 2 < step < math.pi
