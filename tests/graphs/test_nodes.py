"""Deposits → nodes: window, variables, canonical order, cap."""

import math

import awkward as ak
import numpy as np
import pytest

from e2egraph.detector import geometry
from e2egraph.detector.channels import Channel, channels
from e2egraph.events.sources.rhtree import RHTreeFile
from e2egraph.graphs.making.nodes import canonical_order, point_clouds
from e2egraph.graphs.making.pixels import pixel_offset
from e2egraph.graphs.storage.columns import node_types
from tests import rhtree_files
from tests.graphs.builds import all_jets, node_task

EVENTS = 8
ALL = ["id", "pv", "tracks", "hits", "ecal", "hcal", "jets"]
CHANNELS = ["TRACK", "BPIX1", "BPIX2", "BPIX3", "TIB1", "ECAL", "HCAL"]


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    path = rhtree_files.write(
        tmp_path_factory.mktemp("nodes") / "a.root",
        rhtree_files.random_deposits(EVENTS, seed=5),
        without=rhtree_files.IMAGE_PREFIXES,
    )
    return RHTreeFile(path).read(0, EVENTS, ALL)


@pytest.fixture(scope="module")
def jets(events):
    return all_jets(events)


def build(events, jets, channels=CHANNELS, **options):
    return point_clouds(events, jets, node_task(channels, **options))


def window_by_hand(event, jet, deposits):
    """(Δrow, Δcolumn) of every deposit's crystal, or None outside the window; ``deposits`` yields flat crystals."""
    row, column = (5 * int(event.jets[name][jet]) + 2 for name in ("seed_ieta", "seed_iphi"))
    for index in deposits:
        if index is None:
            yield None
            continue
        rows, columns = index // 360 - row, (index % 360 - column + 180) % 360 - 180
        yield (rows, columns) if abs(rows) <= 62 and abs(columns) <= 62 else None


def test_the_window_holds_exactly_the_tracks_and_crystals_within_62_crystals(events, jets):
    clouds = build(events, jets)
    for number in range(len(jets)):
        event, jet = events[jets.event[number]], int(jets.columns["jet"][number])
        tracks = [rhtree_files.cell(float(t.eta), float(t.phi)) for t in event.tracks]
        crystals = [int(c.ieta) * 360 + int(c.iphi) for c in event.ecal]
        for channel, deposits in ((Channel.TRACK, tracks), (Channel.ECAL, crystals)):
            expected = sorted(offset for offset in window_by_hand(event, jet, deposits) if offset is not None)
            nodes = slice(*clouds.offsets[number : number + 2])
            here = clouds.nodes["channel"][nodes] == channel
            rows = pixel_offset(clouds.nodes["deta"][nodes][here], geometry.ETA_PITCH)
            columns = pixel_offset(clouds.nodes["dphi"][nodes][here], geometry.PHI_PITCH)
            assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == expected


def test_the_window_closes_over_the_phi_edge(events, jets):
    clouds = build(events, jets)
    at_edge = np.abs(jets.columns["jet_phi"]) > 3.0
    assert at_edge.any()
    wide = clouds.take(at_edge)
    phi = geometry.ecal_phi(geometry.centre_crystal(jets.columns["seed_iphi"][at_edge]))[wide.jet_of_node]
    absolute = phi + wide.nodes["dphi"]
    assert (absolute > math.pi).any() or (absolute < -math.pi).any()
    assert (np.abs(wide.nodes["dphi"]) < 62.5 * geometry.PHI_PITCH).all()


def test_a_track_node_carries_its_track(events, jets):
    clouds = build(events, jets, channels=["TRACK"])
    for number in (0, len(jets) - 1):
        event, jet = events[jets.event[number]], int(jets.columns["jet"][number])
        cells = [rhtree_files.cell(float(t.eta), float(t.phi)) for t in event.tracks]
        inside = [i for i, offset in enumerate(window_by_hand(event, jet, cells)) if offset is not None]
        inside.sort(key=lambda i: -event.tracks.pt[i])
        nodes = slice(*clouds.offsets[number : number + 2])
        for variable, field in (("value", "pt"), ("d0", "d0"), ("dz_sig", "dz_sig"), ("charge", "charge")):
            assert clouds.nodes[variable][nodes].tolist() == [event.tracks[field][i] for i in inside]
        assert (clouds.nodes["rho"][nodes] == np.float32(129.0)).all()


def test_a_hit_node_has_value_one_and_its_own_radius(events, jets):
    clouds = build(events, jets, channels=["BPIX1", "TIB1"])
    assert set(clouds.nodes["channel"]) == {Channel.BPIX1, Channel.TIB1}
    for channel, radius in ((Channel.BPIX1, 4.4), (Channel.TIB1, 25.5)):
        here = clouds.nodes["channel"] == channel
        np.testing.assert_allclose(clouds.nodes["rho"][here], radius, rtol=1e-5)
        assert (clouds.nodes["value"][here] == 1.0).all()


def test_native_coordinates_are_finer_than_a_crystal(events, jets):
    clouds = build(events, jets, channels=["TRACK"])
    fraction = np.mod(clouds.nodes["deta"] / geometry.ETA_PITCH + 0.5, 1.0)
    assert 0.2 < fraction.std() < 0.35  # uniform in the crystal: 1/√12 = 0.289


def test_calorimeter_nodes_sit_on_crystal_and_tower_centres(events, jets):
    clouds = build(events, jets)
    for channel, step in ((Channel.ECAL, 1), (Channel.HCAL, 5)):
        here = clouds.nodes["channel"] == channel
        multiple = clouds.nodes["deta"][here] / (step * geometry.ETA_PITCH)
        np.testing.assert_allclose(multiple, np.rint(multiple), atol=1e-4)


def test_nodes_stand_in_canonical_order(events, jets):
    clouds = build(events, jets)
    for number in range(len(clouds)):
        nodes = slice(*clouds.offsets[number : number + 2])
        keys = [
            (int(c), -float(v), float(e), float(p))
            for c, v, e, p in zip(*(clouds.nodes[n][nodes] for n in ("channel", "value", "deta", "dphi")), strict=True)
        ]
        assert keys == sorted(keys)


def test_the_order_does_not_depend_on_the_order_of_deposits(events, jets):
    reversed_events = events
    for name in ("tracks", "hits", "ecal", "hcal"):
        reversed_events = ak.with_field(reversed_events, events[name][:, ::-1], name)
    first, second = build(events, jets), build(reversed_events, jets)
    for name in node_types(node_task(CHANNELS).network_inputs):
        assert first.nodes[name].tobytes() == second.nodes[name].tobytes()


def test_canonical_order_sorts_by_jet_first():
    variables = {name: np.zeros(4) for name in ("channel", "value", "deta", "dphi")}
    assert canonical_order(np.array([1, 0, 1, 0]), variables).tolist() == [1, 3, 0, 2]


def test_a_cap_keeps_the_first_nodes_and_counts_the_cut(events, jets):
    whole, capped = build(events, jets), build(events, jets, cap=40)
    for number in range(len(jets)):
        kept = capped.nodes["value"][slice(*capped.offsets[number : number + 2])]
        start = whole.offsets[number]
        assert kept.tolist() == whole.nodes["value"][start : start + min(40, whole.counts[number])].tolist()
    assert (capped.jets["n_nodes"] + capped.jets["nodes_cut"] == whole.jets["n_nodes"]).all()
    assert capped.jets["nodes_cut"].max() > 0


def test_caps_of_channels_keep_the_first_of_each_and_count_the_cut(events, jets):
    limits = {"ECAL": 7, "BPIX2": 2, "HCAL": 1000}
    whole, capped = build(events, jets), build(events, jets, caps=limits)
    for number in range(len(jets)):
        before, after = (slice(*clouds.offsets[number : number + 2]) for clouds in (whole, capped))
        cut = 0
        for name in CHANNELS:
            channel = channels()[name]
            here, kept = (c.nodes["channel"][s] == channel for c, s in ((whole, before), (capped, after)))
            limit = limits.get(name, 10_000)
            for column in ("value", "deta", "dphi", "rho"):
                expected = whole.nodes[column][before][here][:limit]
                assert capped.nodes[column][after][kept].tolist() == expected.tolist()
            cut += max(here.sum() - limit, 0)
        assert capped.jets["nodes_cut"][number] == cut
    assert (capped.jets["n_nodes"] + capped.jets["nodes_cut"] == whole.jets["n_nodes"]).all()
    assert capped.jets["nodes_cut"].min() > 0


def test_a_threshold_drops_nodes_of_its_channel_only(events, jets):
    clouds, cut = build(events, jets), build(events, jets, thresholds={"ECAL": 1.5})
    ecal = cut.nodes["channel"] == Channel.ECAL
    assert cut.nodes["value"][ecal].min() > 1.5
    assert ecal.sum() == ((clouds.nodes["channel"] == Channel.ECAL) & (clouds.nodes["value"] > 1.5)).sum()
    assert (~ecal).sum() == (clouds.nodes["channel"] != Channel.ECAL).sum()


def test_far_displacements_are_zeroed_with_their_significance(events, jets):
    free, suppressed = build(events, jets), build(events, jets, suppress_displaced=True)
    far = np.abs(free.nodes["d0"]) > 10.0
    assert far.any()
    for name in ("d0", "d0_sig"):
        assert (suppressed.nodes[name][far] == 0).all()
        assert (suppressed.nodes[name][~far] == free.nodes[name][~far]).all()


def test_negative_energies_are_noise_and_make_no_node(events, jets):
    changed = ak.with_field(events, ak.with_field(events.ecal, -events.ecal.energy, "energy"), "ecal")
    assert (build(changed, jets).nodes["channel"] != Channel.ECAL).all()


def test_a_jet_without_any_deposit_has_no_node(events, jets):
    nothing = events
    for name in ("tracks", "hits", "ecal", "hcal"):
        nothing = ak.with_field(nothing, events[name][:, :0], name)
    clouds = build(nothing, jets)
    assert clouds.counts.tolist() == [0] * len(jets)


@pytest.mark.parametrize("first", [0, 1 << 24])
def test_the_canonical_order_is_that_of_a_sort_by_five_keys(first):
    rng = np.random.default_rng(9)
    owner = first + rng.integers(0, 4, 4000)
    few = np.array([-1.5, -0.0, 0.0, 1e-42, -1e-42, 0.1, 3e38, -3e38], np.float32)
    nodes = {name: rng.choice(few, 4000) for name in ("value", "deta", "dphi")}
    nodes["channel"] = rng.choice(np.array([0, 1, 200, 255], np.uint8), 4000)
    expected = np.lexsort((nodes["dphi"], nodes["deta"], -nodes["value"], nodes["channel"], owner))
    np.testing.assert_array_equal(canonical_order(owner, nodes), expected)
