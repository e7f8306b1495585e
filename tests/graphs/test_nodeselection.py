"""Node selection: against a loop over the nodes, against the images, and the same at build time as afterwards."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from e2egraph.config import as_dict, digest, validate
from e2egraph.data.padding import pad
from e2egraph.detector.channels import channels
from e2egraph.detector.geometry import ETA_PITCH, PHI_PITCH
from e2egraph.errors import InputError, UsageError
from e2egraph.events.sources.registry import image_options, open_source
from e2egraph.events.sources.rhtree import RHTreeFile
from e2egraph.graphs.making.edges import nearest_neighbors
from e2egraph.graphs.making.imagepoints import image_clouds, image_objects
from e2egraph.graphs.making.nodes import make_nodes
from e2egraph.graphs.making.nodeselection import built_with, check_available, check_no_narrower, select_nodes
from e2egraph.graphs.storage.columns import NEIGHBORS, node_types
from e2egraph.graphs.storage.manifest import SCHEMA_VERSION, Manifest
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.models.image.rasterize import Rasterize
from e2egraph.tasks.nodeselection import NodeSelection, both, in_words
from e2egraph.tasks.task import TaskConfig, load_task
from tests import image_files, rhtree_files
from tests.all_inputs import INPUTS
from tests.graphs.builds import all_jets, node_task
from tests.toy_dataset import toy_clouds

CHANNELS = ["TRACK", "BPIX1", "BPIX2", "ECAL", "HCAL"]
NODE_TYPES = node_types(INPUTS)
NUMBERS = INPUTS.numbers
SELECTIONS = [
    {"half_window": 20},
    {"radius": 0.5},
    {"thresholds": {"ECAL": 1.0, "TRACK": 2.0}},
    {"caps": {"ECAL": 12, "TRACK": 3}},
    {"half_window": 31, "radius": 0.45, "thresholds": {"ECAL": 0.5}, "caps": {"TRACK": 4}, "cap": 30},
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
    names = {number: name for name, number in NUMBERS.items()}
    result = []
    for jet in range(len(clouds)):
        stay: list[int] = []
        of_channel = dict.fromkeys(channels(), 0)
        for node in range(clouds.offsets[jet], clouds.offsets[jet + 1]):
            name = names[int(clouds.nodes["channel"][node])]
            deta, dphi, value = (float(clouds.nodes[column][node]) for column in ("deta", "dphi", "value"))
            window = math.inf if selection.half_window is None else selection.half_window
            crystals = max(abs(deta / ETA_PITCH), abs(dphi / PHI_PITCH))
            if (
                (selection.channels is None or name in selection.channels)
                and value > selection.thresholds.get(name, -math.inf)
                and crystals < window + 0.5
                and math.sqrt(deta**2 + dphi**2) <= (selection.radius or math.inf)
                and len(stay) < (selection.cap or math.inf)
                and of_channel[name] < selection.caps.get(name, math.inf)
            ):
                stay.append(node)
                of_channel[name] += 1
        result.append(stay)
    return result


@given(
    st.builds(
        NodeSelection,
        channels=st.none() | st.lists(st.sampled_from(CHANNELS), min_size=1, unique=True),
        thresholds=st.dictionaries(st.sampled_from(CHANNELS), st.floats(0, 20)),
        half_window=st.none() | st.integers(0, 62),
        radius=st.none() | st.floats(0.01, 1.6),
        caps=st.dictionaries(st.sampled_from(CHANNELS), st.integers(1, 8)),
        cap=st.none() | st.integers(1, 40),
    ),
    st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_the_nodes_left_are_those_a_loop_over_the_nodes_keeps(selection, seed):
    clouds = toy(seed=seed)
    expected = kept_by_hand(clouds, selection)
    left = select_nodes(clouds, selection, NUMBERS)
    assert left.counts.tolist() == [len(stay) for stay in expected]
    index = np.array([node for stay in expected for node in stay], np.int64)
    for name in NODE_TYPES:
        assert left.nodes[name].tobytes() == clouds.nodes[name][index].tobytes()
    np.testing.assert_array_equal(left.jets["n_nodes"], left.counts)


@pytest.mark.parametrize("half_window", [7, 32, 62])
def test_a_window_cuts_the_image_along_its_pixels(events, half_window):
    """5k + 2 crystals on either side are whole towers as well."""
    task = node_task(CHANNELS)
    clouds, _ = make_nodes(events, all_jets(events), task)
    images = []
    for chosen in (clouds, select_nodes(clouds, NodeSelection(half_window=half_window), NUMBERS)):
        arrays = pad(chosen, task.network_inputs)
        images.append(
            Rasterize(task.network_inputs, ("track_pt", "ECAL", "HCAL", "BPIX1"))(
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
    jets = all_jets(events)
    built, outcomes = make_nodes(events, jets, node_task(CHANNELS, **options))
    whole, _ = make_nodes(events, jets, node_task(CHANNELS))
    selected = select_nodes(whole, NodeSelection(**options), NUMBERS)
    assert 0 < built.offsets[-1] < whole.offsets[-1]
    np.testing.assert_array_equal(selected.offsets, built.offsets)
    for name in NODE_TYPES:
        assert selected.nodes[name].tobytes() == built.nodes[name].tobytes()
    for name in ("n_nodes", "nodes_cut"):
        np.testing.assert_array_equal(selected.jets[name], built.jets[name])
    assert ("outside_selection" in outcomes) == ("half_window" in options or "radius" in options)
    assert outcomes.pop("in_windows") == sum(outcomes.values())
    assert outcomes["over_cap"] == built.jets["nodes_cut"].sum()


@pytest.mark.parametrize("options", SELECTIONS)
def test_the_same_holds_for_nodes_made_from_images(tmp_path, options):
    planes = ("track_pt", "track_d0_sig", "track_dz_sig", "ECAL", "HCAL", "BPIX1", "BPIX2")
    pixels, file = image_files.images(3, planes), tmp_path / "a.parquet"
    path = image_files.write_parquet(file, pixels, image_files.quantities(3), flat=True)
    points = open_source(path, image_options(",".join(planes), None)).read(0, 3)
    whole = node_task(CHANNELS, cap=100_000)
    jets = image_objects(points.jets, whole)
    built, outcomes = image_clouds(points, jets, node_task(CHANNELS, **({"cap": 100_000} | options)))
    selected = select_nodes(image_clouds(points, jets, whole)[0], NodeSelection(**options), NUMBERS)
    for name in NODE_TYPES:
        assert selected.nodes[name].tobytes() == built.nodes[name].tobytes()
    assert outcomes.pop("in_windows") == sum(outcomes.values()) > outcomes["kept"] > 0


def test_a_cap_adds_to_the_nodes_cut_and_the_other_cuts_do_not():
    clouds = toy()
    clouds.jets["nodes_cut"] = np.full(len(clouds), 3, np.uint32)
    wanted = select_nodes(clouds, NodeSelection(channels=["ECAL", "HCAL"]), NUMBERS)
    np.testing.assert_array_equal(wanted.jets["nodes_cut"], clouds.jets["nodes_cut"])
    capped = select_nodes(clouds, NodeSelection(channels=["ECAL", "HCAL"], cap=5), NUMBERS)
    np.testing.assert_array_equal(capped.jets["nodes_cut"], 3 + np.maximum(wanted.counts - 5, 0))
    assert capped.jets["nodes_cut"].dtype == np.uint32
    assert capped.jets["nodes_cut"].max() > 3
    np.testing.assert_array_equal(clouds.jets["n_nodes"], clouds.counts)  # what was given is as it was


def test_nothing_is_copied_where_every_node_stays():
    clouds = toy()
    for selection in (NodeSelection(), NodeSelection(cap=80, half_window=62, channels=list(channels()))):
        assert select_nodes(clouds, selection, NUMBERS) is clouds


def test_static_neighbours_are_those_of_the_nodes_left():
    clouds = toy()
    clouds.nodes[NEIGHBORS] = nearest_neighbors(clouds, 4)
    left = select_nodes(clouds, NodeSelection(radius=0.6), NUMBERS)
    np.testing.assert_array_equal(left.nodes[NEIGHBORS], nearest_neighbors(left, 4))
    assert left.offsets[-1] < clouds.offsets[-1]


def test_a_column_that_was_not_read_is_named():
    clouds = toy()
    del clouds.nodes["value"]
    select_nodes(clouds, NodeSelection(channels=["ECAL"]), NUMBERS)
    with pytest.raises(ValueError, match="'value' was not read"):
        select_nodes(clouds, NodeSelection(thresholds={"ECAL": 1.0}), NUMBERS)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("inputs.channels=[ECAL,EE]", "inputs: unknown channel EE; known are TRACK"),
        ("inputs.channels=[ECAL,ECAL]", "inputs: names must differ: ECAL, ECAL"),
        ("inputs.channels=[]", "name at least one channel"),
        ("inputs.variables=[value,pt]", "inputs: unknown variable pt; known are rho, value"),
        ("inputs.object=[jet_charge]", "inputs: unknown object quantity jet_charge; known are jet_pt"),
        ("inputs.thresholds.EE=1", "inputs names EE in thresholds or caps, which are not in inputs.channels"),
        ("inputs.caps.TIB1=10", "inputs names TIB1 in thresholds or caps"),
        ("inputs.thresholds.ECAL=.nan", "'inputs.thresholds.ECAL' is wrong .*finite"),
        ("inputs.caps.ECAL=0", "'inputs.caps.ECAL' is wrong"),
        ("inputs.half_window=63", "inputs.half_window is larger than the region, 125×125 pixels"),
        ("inputs.half_window=-1", "'inputs.half_window' is wrong"),
        ("inputs.radius=0", "'inputs.radius' is wrong .*greater than 0"),
        ("inputs.cap=0", "'inputs.cap' is wrong"),
        ("inputs.window=31", "unknown key 'inputs.window'"),
    ],
)
def test_a_wrong_selection_is_refused_naming_the_key(setting, message):
    with pytest.raises(UsageError, match=message):
        load_task("top", [setting])


@pytest.mark.parametrize("settings", [[], ["inputs.half_window=31", "inputs.radius=0.8", "inputs.caps.ECAL=99"]])
def test_a_task_is_read_back_from_what_is_stored_of_it(settings):
    task = load_task("top", settings)
    again = validate(TaskConfig, json.loads(json.dumps(as_dict(task))), "manifest")
    assert again == task and digest(again) == digest(task)
    assert again.network_inputs == task.network_inputs
    assert (digest(load_task("top")) == digest(task)) == (not settings)


def manifest_of(task: TaskConfig) -> Manifest:
    """The manifest of a data set without any file."""
    return Manifest(
        schema_version=SCHEMA_VERSION,
        software_version="0",
        task=task.name,
        classes=list(task.classes),
        configuration=as_dict(task),
        configuration_sha256=digest(task),
        network_inputs=task.network_inputs,
        inputs=[],
        shards=[],
        cutflow={},
        counts={},
        skipped=[],
    )


def test_what_a_data_set_was_built_with_is_read_off_its_configuration():
    task = load_task("top", ["inputs.half_window=31", "inputs.thresholds.ECAL=0.3", "inputs.caps.ECAL=500"])
    built = built_with(manifest_of(task))
    assert (built.half_window, built.radius, built.thresholds, built.cap) == (31, None, {"ECAL": 0.3}, 4096)
    assert in_words(built) == (
        "TRACK, BPIX1, BPIX2, BPIX3, ECAL, HCAL; ECAL > 0.3 GeV; within ±31 crystals; at most 500 of ECAL; at most "
        "4096 per object"
    )
    assert in_words(NodeSelection(radius=0.8)) == "all channels; ΔR ≤ 0.8"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": ["ECAL", "TIB1"]}, "asks for channels TIB1, but the data set was built with TRACK, BPIX1"),
        ({"channels": ["EE"]}, "asks for channels EE, but the data set was built with TRACK, BPIX1"),
        ({"half_window": 40}, "asks for half_window 40, but .* with 31"),
        ({"radius": 0.9}, "asks for radius 0.9, but .* with 0.8; build it with those nodes, or change data.nodes.rad"),
        ({"thresholds": {"ECAL": 0.1}}, "asks for thresholds.ECAL 0.1, but .* with 0.3"),
        ({"thresholds": {"TIB1": 0.1}}, "asks for thresholds TIB1, but"),
        ({"caps": {"TIB1": 4}}, "asks for caps TIB1, but"),
    ],
)
def test_nodes_that_the_data_set_was_built_without_are_not_asked_for_in_vain(options, message):
    settings = ["inputs.half_window=31", "inputs.radius=0.8", "inputs.thresholds.ECAL=0.3"]
    manifest = manifest_of(load_task("top", settings))
    with pytest.raises(InputError, match=f"data/top: the node selection {message}"):
        check_available(Path("data/top"), manifest, NodeSelection(**options))
    narrower = NodeSelection(channels=["ECAL"], half_window=31, radius=0.5, thresholds={"ECAL": 0.3}, cap=10_000)
    check_available(Path("data/top"), manifest, narrower)


def test_a_radius_is_not_asked_for_of_a_window_that_does_not_hold_it():
    manifest = manifest_of(load_task("top", ["inputs.half_window=10"]))
    message = "asks for radius 0.8, but the data set was built with half_window 10; .*, or change data.nodes.radius"
    with pytest.raises(InputError, match=message):
        check_available(Path("data"), manifest, NodeSelection(radius=0.8))
    check_available(Path("data"), manifest, NodeSelection(radius=10.4 * ETA_PITCH))
    with pytest.raises(InputError, match=r"asks for thresholds\.ECAL -1, but the data set was built with 0;"):
        check_available(Path("data"), manifest, NodeSelection(thresholds={"ECAL": -1.0}))


def test_a_data_set_that_is_accepted_for_a_selection_loses_none_of_its_nodes():
    """Of nodes on a lattice finer than the crystals, whatever the windows, radii and thresholds of both."""
    task = load_task("top", ["region.half_window=12"])
    edges = np.linspace(-12.499, 12.499, 51)
    deta, dphi = (axis.ravel() for axis in np.meshgrid(edges * ETA_PITCH, edges * PHI_PITCH))
    rng = np.random.default_rng(5)
    channel = np.full(len(deta), task.numbers["ECAL"], np.uint8)
    value = rng.uniform(0, 2, len(deta)).astype(np.float32)
    columns = {"deta": deta.astype(np.float32), "dphi": dphi.astype(np.float32), "channel": channel, "value": value}
    clouds = PointClouds({}, columns, np.array([0, len(deta)]))
    accepted = refused = 0
    limits = {"half_window": [None, 3, 6], "radius": [None, 0.06, 0.1, 0.2]}
    thresholds = [{}, {"ECAL": 1.0}]
    pairs = [
        NodeSelection(half_window=h, radius=r, thresholds=t)
        for h in limits["half_window"] for r in limits["radius"] for t in thresholds
    ]  # fmt: skip
    for built in pairs:
        settings = {"half_window": built.half_window, "radius": built.radius, "thresholds": built.thresholds}
        manifest = manifest_of(replace(task, inputs=replace(task.inputs, **settings)))
        held = select_nodes(clouds, built, task.numbers)
        for asked in pairs:
            kept, whole = (len(select_nodes(each, asked, task.numbers).nodes["value"]) for each in (held, clouds))
            try:
                check_no_narrower(Path("data"), manifest, replace(asked, cap=4096), Path("run"))
            except InputError:
                refused += 1
                # But where it ends between nodes of the lattice, some are lost indeed.
                assert kept < whole or asked.radius is not None
            else:
                accepted += 1
                assert kept == whole
    assert min(accepted, refused) > len(pairs)


def test_what_a_run_selects_is_asked_for_within_its_task():
    of_task = NodeSelection(
        channels=["TRACK", "ECAL"], thresholds={"ECAL": 1.0}, half_window=20, caps={"ECAL": 9}, cap=90
    )
    of_run = NodeSelection(channels=["ECAL"], thresholds={"ECAL": 0.5, "TRACK": -1.0}, radius=0.1, caps={"ECAL": 20})
    expected = NodeSelection(
        channels=["ECAL"], thresholds={"ECAL": 1.0, "TRACK": 0.0}, half_window=20, radius=0.1, caps={"ECAL": 9}, cap=90
    )
    assert both(of_task, of_run) == expected


def test_no_wider_window_is_asked_for_than_the_region():
    manifest = manifest_of(load_task("top", ["region.half_window=10"]))
    with pytest.raises(InputError, match="asks for half_window 11, but the data set was built with 10"):
        check_available(Path("data/top"), manifest, NodeSelection(half_window=11))
    check_available(Path("data/top"), manifest, NodeSelection(half_window=10))
