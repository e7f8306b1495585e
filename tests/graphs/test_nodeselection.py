"""Node selection: against a loop over the nodes, against the images, and the same at build time as afterwards."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from e2egraph.config import as_dict, digest, validate
from e2egraph.data.padding import pad
from e2egraph.detector.channels import Channel, channels
from e2egraph.detector.geometry import ETA_PITCH, PHI_PITCH
from e2egraph.errors import InputError, UsageError
from e2egraph.events.sources.registry import image_options, open_source
from e2egraph.events.sources.rhtree import RHTreeFile
from e2egraph.graphs.columns import NEIGHBORS, NODE_TYPES
from e2egraph.graphs.edges import nearest_neighbors
from e2egraph.graphs.imagepoints import image_clouds, image_jets
from e2egraph.graphs.nodes import make_nodes
from e2egraph.graphs.nodeselection import built_with, check_available, select_nodes
from e2egraph.graphs.pointclouds import PointClouds
from e2egraph.models.image.rasterize import Rasterize
from e2egraph.tasks.nodeselection import NodeSelection, in_words
from e2egraph.tasks.objects.jet import flatten_jets
from e2egraph.tasks.task import Nodes, TaskConfig, load_task
from tests import image_files, rhtree_files
from tests.toy_dataset import toy_clouds

CHANNELS = ["TRACK", "BPIX1", "BPIX2", "ECAL", "HCAL"]
SELECTIONS = [
    {"half_window": 20},
    {"radius": 0.5},
    {"thresholds": {"ECAL": 1.0, "TRACK": 2.0}},
    {"half_window": 31, "radius": 0.45, "thresholds": {"ECAL": 0.5}, "cap": 30},
]


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    path = rhtree_files.write(
        tmp_path_factory.mktemp("nodes") / "a.root",
        rhtree_files.random_deposits(6, seed=5),
        without=rhtree_files.IMAGE_PREFIXES,
    )
    return RHTreeFile(path).read(0, 6, ["id", "pv", "tracks", "hits", "ecal", "hcal", "jets"])


def toy(jets: int = 12, seed: int = 0) -> PointClouds:
    return toy_clouds(1, jets, np.random.default_rng(seed), nodes=(0, 80))


def kept_by_hand(clouds: PointClouds, selection: NodeSelection) -> list[list[int]]:
    """For each jet, the indices of the nodes that stay: one node at a time, in double precision."""
    result = []
    for jet in range(len(clouds)):
        stay: list[int] = []
        for node in range(clouds.offsets[jet], clouds.offsets[jet + 1]):
            name = Channel(clouds.nodes["channel"][node]).name
            deta, dphi, value = (float(clouds.nodes[column][node]) for column in ("deta", "dphi", "value"))
            window = math.inf if selection.half_window is None else selection.half_window
            crystals = max(abs(deta / ETA_PITCH), abs(dphi / PHI_PITCH))
            if (
                (selection.channels is None or name in selection.channels)
                and value > selection.thresholds.get(name, -math.inf)
                and crystals < window + 0.5
                and math.sqrt(deta**2 + dphi**2) <= (selection.radius or math.inf)
                and len(stay) < (selection.cap or math.inf)
            ):
                stay.append(node)
        result.append(stay)
    return result


@given(
    st.builds(
        NodeSelection,
        channels=st.none() | st.lists(st.sampled_from(CHANNELS), min_size=1, unique=True),
        thresholds=st.dictionaries(st.sampled_from(CHANNELS), st.floats(0, 20)),
        half_window=st.none() | st.integers(0, 62),
        radius=st.none() | st.floats(0.01, 1.6),
        cap=st.none() | st.integers(1, 40),
    ),
    st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_the_nodes_left_are_those_a_loop_over_the_nodes_keeps(selection, seed):
    clouds = toy(seed=seed)
    expected = kept_by_hand(clouds, selection)
    left = select_nodes(clouds, selection)
    assert left.counts.tolist() == [len(stay) for stay in expected]
    index = np.array([node for stay in expected for node in stay], np.int64)
    for name in NODE_TYPES:
        assert left.nodes[name].tobytes() == clouds.nodes[name][index].tobytes()
    np.testing.assert_array_equal(left.jets["n_nodes"], left.counts)


@pytest.mark.parametrize("half_window", [7, 32, 62])
def test_a_window_cuts_the_image_along_its_pixels(events, half_window):
    """5k + 2 crystals on either side are whole towers as well."""
    jets = flatten_jets(events)
    clouds, _ = make_nodes(events, jets, Nodes(channels=CHANNELS))
    images = []
    for chosen in (clouds, select_nodes(clouds, NodeSelection(half_window=half_window))):
        arrays = pad(chosen)
        images.append(
            Rasterize(("track_pt", "ECAL", "HCAL", "BPIX1"))(
                *(torch.from_numpy(a) for a in (arrays.points, arrays.features, arrays.mask))
            )
        )
    whole, cut = images
    inside = slice(62 - half_window, 62 + half_window + 1)
    expected = torch.zeros_like(whole)
    expected[:, :, inside, inside] = whole[:, :, inside, inside]
    torch.testing.assert_close(cut, expected)
    assert cut.count_nonzero() > 0


@pytest.mark.parametrize("options", SELECTIONS)
def test_selecting_at_build_time_or_afterwards_gives_the_same_nodes(events, options):
    jets = flatten_jets(events)
    built, fates = make_nodes(events, jets, Nodes(channels=CHANNELS, **options))
    whole, _ = make_nodes(events, jets, Nodes(channels=CHANNELS))
    selected = select_nodes(whole, NodeSelection(**options))
    assert 0 < built.offsets[-1] < whole.offsets[-1]
    np.testing.assert_array_equal(selected.offsets, built.offsets)
    for name in NODE_TYPES:
        assert selected.nodes[name].tobytes() == built.nodes[name].tobytes()
    for name in ("n_nodes", "nodes_cut"):
        np.testing.assert_array_equal(selected.jets[name], built.jets[name])
    assert ("outside_selection" in fates) == ("half_window" in options or "radius" in options)
    assert fates.pop("in_windows") == sum(fates.values())
    assert fates["over_cap"] == built.jets["nodes_cut"].sum()


@pytest.mark.parametrize("options", SELECTIONS)
def test_the_same_holds_for_nodes_made_from_images(tmp_path, options):
    planes = ("track_pt", "track_d0_sig", "track_dz_sig", "ECAL", "HCAL", "BPIX1", "BPIX2")
    pixels, file = image_files.images(3, planes), tmp_path / "a.parquet"
    path = image_files.write_parquet(file, pixels, image_files.quantities(3), flat=True)
    points = open_source(path, image_options(",".join(planes), None)).read(0, 3)
    jets = image_jets(points.jets)
    uncapped = {"channels": CHANNELS, "cap": 100_000}
    built, fates = image_clouds(points, jets, Nodes(**(uncapped | options)))
    selected = select_nodes(image_clouds(points, jets, Nodes(**uncapped))[0], NodeSelection(**options))
    for name in NODE_TYPES:
        assert selected.nodes[name].tobytes() == built.nodes[name].tobytes()
    assert fates.pop("in_windows") == sum(fates.values()) > fates["kept"] > 0


def test_a_cap_adds_to_the_nodes_cut_and_the_other_cuts_do_not():
    clouds = toy()
    clouds.jets["nodes_cut"] = np.full(len(clouds), 3, np.uint32)
    wanted = select_nodes(clouds, NodeSelection(channels=["ECAL", "HCAL"]))
    np.testing.assert_array_equal(wanted.jets["nodes_cut"], clouds.jets["nodes_cut"])
    capped = select_nodes(clouds, NodeSelection(channels=["ECAL", "HCAL"], cap=5))
    np.testing.assert_array_equal(capped.jets["nodes_cut"], 3 + np.maximum(wanted.counts - 5, 0))
    assert capped.jets["nodes_cut"].dtype == np.uint32
    assert capped.jets["nodes_cut"].max() > 3
    np.testing.assert_array_equal(clouds.jets["n_nodes"], clouds.counts)  # what was given is as it was


def test_nothing_is_copied_where_every_node_stays():
    clouds = toy()
    for selection in (NodeSelection(), NodeSelection(cap=80, half_window=62, channels=list(channels()))):
        assert select_nodes(clouds, selection) is clouds


def test_static_neighbours_are_those_of_the_nodes_left():
    clouds = toy()
    clouds.nodes[NEIGHBORS] = nearest_neighbors(clouds, 4)
    left = select_nodes(clouds, NodeSelection(radius=0.6))
    np.testing.assert_array_equal(left.nodes[NEIGHBORS], nearest_neighbors(left, 4))
    assert left.offsets[-1] < clouds.offsets[-1]


def test_a_column_that_was_not_read_is_named():
    clouds = toy()
    del clouds.nodes["value"]
    select_nodes(clouds, NodeSelection(channels=["ECAL"]))
    with pytest.raises(ValueError, match="'value' was not read"):
        select_nodes(clouds, NodeSelection(thresholds={"ECAL": 1.0}))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("inputs.channels=[ECAL,EE]", "'nodes.channels' is wrong .*EE.*known are TRACK"),
        ("inputs.channels=[]", "name at least one channel"),
        ("inputs.thresholds.EE=1", "'nodes.thresholds' is wrong .*EE"),
        ("inputs.thresholds.ECAL=.nan", "'inputs.thresholds.ECAL' is wrong .*finite"),
        ("inputs.half_window=63", "'nodes.half_window' is wrong .*62"),
        ("inputs.half_window=-1", "'nodes.half_window' is wrong"),
        ("inputs.radius=0", "'nodes.radius' is wrong .*greater than 0"),
        ("inputs.cap=0", "'nodes.cap' is wrong"),
        ("nodes.window=31", "unknown key 'nodes.window'"),
    ],
)
def test_a_wrong_selection_is_refused_naming_the_key(setting, message):
    with pytest.raises(UsageError, match=message):
        load_task("top", [setting])


def test_a_task_that_selects_no_window_keeps_its_hash_and_older_configurations_are_read():
    """Data sets from before there was a window or radius carry these keys and no others."""
    before = {
        "channels": ["TRACK", "ECAL"],
        "thresholds": {"ECAL": 0.3},
        "cap": 4096,
        "suppress_displaced": True,
        "neighbors": 0,
    }
    nodes = validate(Nodes, before, "manifest")
    assert as_dict(nodes) == before
    assert digest(nodes) == digest(before)
    wide = load_task("top")
    assert validate(TaskConfig, as_dict(wide), "manifest") == wide
    narrow = load_task("top", ["inputs.half_window=31", "inputs.radius=0.8"])
    assert validate(TaskConfig, as_dict(narrow), "manifest") == narrow
    assert digest(narrow) != digest(wide)


def test_what_a_data_set_was_built_with_is_read_off_its_configuration():
    task = as_dict(load_task("top", ["inputs.half_window=31", "inputs.thresholds.ECAL=0.3"]))
    built = built_with(task)
    assert built is not None
    assert (built.half_window, built.radius, built.thresholds, built.cap) == (31, None, {"ECAL": 0.3}, 4096)
    assert in_words(built) == (
        "TRACK, BPIX1, BPIX2, BPIX3, ECAL, HCAL; ECAL > 0.3 GeV; within ±31 crystals; at most 4096 a jet"
    )
    assert in_words(NodeSelection(radius=0.8)) == "all channels; ΔR ≤ 0.8"
    assert built_with({"name": "toy"}) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": ["ECAL", "TIB1"]}, "asks for channels TIB1, but the data set was built with TRACK, BPIX1"),
        ({"half_window": 40}, "asks for half_window 40, but .* with 31"),
        ({"radius": 0.9}, "asks for radius 0.9, but .* with 0.8; build it with those nodes, or narrow data.nodes.rad"),
        ({"thresholds": {"ECAL": 0.1}}, "asks for thresholds.ECAL 0.1, but .* with 0.3"),
    ],
)
def test_nodes_that_the_data_set_was_built_without_are_not_asked_for_in_vain(options, message):
    task = as_dict(load_task("top", ["inputs.half_window=31", "inputs.radius=0.8", "inputs.thresholds.ECAL=0.3"]))
    with pytest.raises(InputError, match=f"data/top: the node selection {message}"):
        check_available(Path("data/top"), task, NodeSelection(**options))
    narrower = NodeSelection(channels=["ECAL"], half_window=31, radius=0.5, thresholds={"ECAL": 0.3}, cap=10_000)
    check_available(Path("data/top"), task, narrower)
    check_available(Path("data/top"), {"name": "toy"}, NodeSelection(**options))
