"""The region of a task, and what its nodes carry: other windows, and fewer, other or reordered variables."""

import numpy as np
import pytest
import torch

from e2egraph.data.loading.loader import evaluation_loader
from e2egraph.data.options import DataOptions
from e2egraph.data.padding import pad
from e2egraph.data.table import read_table
from e2egraph.detector.geometry import ETA_PITCH, PHI_PITCH
from e2egraph.errors import UsageError
from e2egraph.events.sources.rhtree import RHTreeFile
from e2egraph.graphs.building.build import build
from e2egraph.graphs.inspecting.inspection import describe, inspect_data_set
from e2egraph.graphs.making.nodes import canonical_order, make_nodes
from e2egraph.graphs.making.nodeselection import select_nodes
from e2egraph.graphs.making.pixels import pixel_offset
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.models.image.rasterize import Rasterize
from e2egraph.tasks.nodeselection import NodeSelection
from e2egraph.tasks.task import load_task
from tests.graphs.builds import all_jets, node_task, ntuple, samples_of, task

CHANNELS = ["TRACK", "BPIX1", "TIB1", "ECAL", "HCAL"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ntuples")
    return [ntuple(folder / f"{name}.root", seed, 10) for name, seed in (("qcd", 1), ("top", 2))]


@pytest.fixture(scope="module")
def events(files):
    return RHTreeFile(files[0]).read(0, 10, ["id", "pv", "tracks", "hits", "ecal", "hcal", "jets"])


def nodes_of(events, channels=CHANNELS, **options):
    return make_nodes(events, all_jets(events), node_task(channels, **options))[0]


@pytest.mark.parametrize("half_window", [0, 10, 32])
def test_a_smaller_region_holds_exactly_the_inner_nodes_of_the_larger(events, half_window):
    region = {"half_window": half_window}
    whole, small = nodes_of(events), nodes_of(events, region=region)
    for delta, pitch in (("deta", ETA_PITCH), ("dphi", PHI_PITCH)):
        assert np.abs(pixel_offset(small.nodes[delta], pitch)).max() == half_window
    inner = select_nodes(whole, NodeSelection(half_window=half_window), node_task(CHANNELS).numbers)
    assert 0 < small.offsets[-1] < whole.offsets[-1]
    np.testing.assert_array_equal(small.offsets, inner.offsets)
    for name, column in small.nodes.items():
        assert column.tobytes() == inner.nodes[name].tobytes(), name
    # What lies outside the region was never asked for, so that it is neither counted nor cut.
    assert make_nodes(events, all_jets(events), node_task(CHANNELS, region=region))[1]["in_windows"] == len(
        small.nodes["deta"]
    )


def test_a_larger_region_holds_more_nodes_and_all_of_the_smaller(events):
    """±100 crystals of the 360 around and the 280 along the detector: the usual window is its inner part."""
    whole, usual = nodes_of(events, region={"half_window": 100}), nodes_of(events)
    inner = select_nodes(whole, NodeSelection(half_window=62), node_task(CHANNELS).numbers)
    assert usual.offsets[-1] < whole.offsets[-1]
    for name, column in usual.nodes.items():
        assert column.tobytes() == inner.nodes[name].tobytes(), name


def test_a_task_of_a_small_region_says_so_in_data_set_and_images(files, tmp_path):
    small = task("region.half_window=10", "resampling=null")
    summary = build(small, samples_of([files[0]], [files[1]]), tmp_path / "data")
    region = summary.manifest.network_inputs.region
    assert (region.rows, region.columns, region.centre) == (21, 21, "tower")
    assert region == small.network_inputs.region
    assert "a dense 8×21×21 float32 image" in describe(inspect_data_set(summary.output))
    whole = build(task("resampling=null"), samples_of([files[0]], [files[1]]), tmp_path / "whole")
    images = []
    for folder in (summary.output, whole.output):
        table = read_table(folder)
        (batch,) = evaluation_loader(table, DataOptions(evaluation_batch_size=100), None)
        draw = Rasterize(table.manifest.network_inputs, ("track_pt", "ECAL", "BPIX1"))
        images.append(draw(batch.points, batch.features, batch.mask)[torch.argsort(batch.number)])
    assert images[0].shape[2:] == (21, 21) and images[0].count_nonzero() > 0
    torch.testing.assert_close(images[0], images[1][:, :, 52:73, 52:73])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("region={centre: none}", "centre: none takes abs_eta_max"),
        ("region={centre: none, abs_eta_max: 3}", "objects of kind jet have regions with centre tower"),
        ("region={centre: crystal}", "objects of kind jet have regions with centre tower"),
        ("region={centre: tower, abs_eta_max: 3}", "abs_eta_max belongs to centre: none"),
        ("region.half_window=-1", "'region.half_window' is wrong"),
        ("region.half_window=140", "'region.half_window' is wrong"),
        ("region={centre: jet}", "'region.centre' is wrong"),
    ],
)
def test_a_region_that_cannot_be_is_refused(setting, message):
    with pytest.raises(UsageError, match=message):
        load_task("top", [setting])


@pytest.mark.parametrize("variables", [["d0"], ["time", "charge", "rho"], []])
def test_without_value_the_order_and_the_cuts_are_the_same(events, variables):
    options = {"thresholds": {"ECAL": 1.0}, "caps": {"TRACK": 5}, "cap": 100}
    with_value, without = nodes_of(events, **options), nodes_of(events, variables=variables, **options)
    np.testing.assert_array_equal(without.offsets, with_value.offsets)
    assert list(without.nodes) == ["deta", "dphi", "channel", "value", *variables]
    for name, column in without.nodes.items():
        assert column.tobytes() == with_value.nodes[name].tobytes(), name
    order = canonical_order(without.jet_of_node, without.nodes)
    np.testing.assert_array_equal(order, np.arange(len(order)))


def test_far_displacements_are_zeroed_whichever_variables_are_there(events):
    for variables in (["d0"], ["d0", "d0_sig"], ["dz_sig"]):
        free, suppressed = (
            nodes_of(events, ["TRACK"], variables=variables, suppress_displaced=choice) for choice in (False, True)
        )
        # The first track of each event has d0 = 11 cm.
        far = np.abs(nodes_of(events, ["TRACK"]).nodes["d0"]) > 10
        assert far.any()
        for name in variables:
            assert name == "dz_sig" or not suppressed.nodes[name][far].any()
            np.testing.assert_array_equal(suppressed.nodes[name][~far], free.nodes[name][~far])


def test_a_shard_has_a_value_column_that_networks_do_not_read(files, tmp_path):
    given = samples_of([files[0]], [files[1]])
    settings = (
        "inputs.variables=[dz, d0]",
        "inputs.channels=[ECAL, TRACK]",
        "inputs.object=[tau32]",
        "resampling=null",
    )
    summary = build(task(*settings), given, tmp_path / "data")
    with open_shard(summary.output / summary.manifest.shards[0].name) as file:
        names = file.names
    assert list(names[-6:]) == ["deta", "dphi", "channel", "value", "dz", "d0"]
    inputs = summary.manifest.network_inputs
    assert inputs.feature_names == ("dz", "d0", "is_ECAL", "is_TRACK")
    assert inputs.object_names == ("tau32",)
    options = DataOptions(evaluation_batch_size=100, nodes=NodeSelection(thresholds={"ECAL": 1.0}))
    (batch,) = evaluation_loader(read_table(summary.output), options, None)
    assert batch.features.shape[2] == 4 and batch.jet.shape[1] == 1
    tracks = batch.features[..., inputs.index("is_TRACK")] == 1
    assert not batch.features[..., :2][~tracks].any()
    # The threshold on a value that is in no input took nodes away.
    assert batch.mask.sum() < sum(shard.nodes for shard in summary.manifest.shards)


def test_the_order_of_channels_in_a_task_changes_their_flags_and_not_the_nodes(events):
    forwards, backwards = nodes_of(events), nodes_of(events, CHANNELS[::-1])
    for name, column in forwards.nodes.items():
        assert column.tobytes() == backwards.nodes[name].tobytes(), name
    first, second = (pad(forwards, node_task(names).network_inputs) for names in (CHANNELS, CHANNELS[::-1]))
    np.testing.assert_array_equal(first.features[..., -5:], second.features[..., -5:][..., ::-1])
