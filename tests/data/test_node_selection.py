"""A node selection applied while reading: batches, their order and the PyG data set hold the nodes selected."""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch_geometric.loader import DataLoader

from e2egraph.data.dataset import EpochBatches, JetDataset, dense
from e2egraph.data.loading.loader import evaluation_loader, training_loader
from e2egraph.data.options import DataOptions
from e2egraph.data.padding import pad
from e2egraph.data.table import read_table
from e2egraph.errors import InputError
from e2egraph.graphs.making.nodeselection import select_nodes
from e2egraph.graphs.storage.pointclouds import concatenate
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.models.image.planes import PUBLISHED_CHANNELS
from e2egraph.models.image.rasterize import Rasterize
from e2egraph.tasks.nodeselection import NodeSelection
from tests.toy_dataset import write_toy_dataset

NARROW = NodeSelection(channels=["TRACK", "ECAL"], radius=0.5, thresholds={"ECAL": 4.0}, cap=12)
SELECTIONS = [
    NARROW,
    NodeSelection(channels=["HCAL"]),
    NodeSelection(half_window=10),
    NodeSelection(cap=7),
    NodeSelection(caps={"ECAL": 3, "TRACK": 1}),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_toy_dataset(tmp_path_factory.mktemp("toy") / "data", 200, nodes=(0, 60), shards_per_class=3)


@pytest.fixture(scope="module")
def everything(folder):
    files = [open_shard(folder / shard.name) for shard in read_table(folder).manifest.shards]
    return concatenate([file.read() for file in files])


@pytest.mark.parametrize("selection", SELECTIONS)
def test_batches_hold_the_selected_nodes_of_the_jets_they_name(folder, everything, selection):
    table, options = read_table(folder), DataOptions(nodes=selection, pool_jets=60, evaluation_batch_size=17)
    inputs = table.manifest.network_inputs
    loaders = (training_loader(table, options, 16, seed=1, epoch=0), evaluation_loader(table, options, None))
    for batch in (batch for loader in loaders for batch in loader):
        expected = pad(select_nodes(everything.take(batch.number.numpy()), selection, inputs.numbers), inputs)
        for name in ("points", "features", "mask", "jet", "label", "weight"):
            np.testing.assert_array_equal(getattr(batch, name).numpy(), getattr(expected, name), err_msg=name)


@pytest.mark.parametrize("selection", SELECTIONS)
def test_the_number_of_nodes_left_is_counted_once(folder, everything, selection):
    table = read_table(folder)
    counts = table.node_counts(selection)
    np.testing.assert_array_equal(counts, select_nodes(everything, selection, table.manifest.numbers).counts)
    assert table.node_counts(selection) is counts


def test_jets_are_batched_by_the_nodes_that_are_left(folder, everything):
    selection = NodeSelection(channels=["HCAL"])
    options = DataOptions(nodes=selection, bucket_batches=1000, pool_jets=10_000)
    table = read_table(folder)
    counts = select_nodes(everything, selection, table.manifest.numbers).counts
    loader = training_loader(table, options, 16, seed=1, epoch=0)
    for pool in loader.plan.pools:
        sizes = [counts[batch] for batch in pool.batches if len(batch) == 16]
        ranges = sorted((int(batch.min()), int(batch.max())) for batch in sizes)
        assert all(low[1] <= high[0] for low, high in pairwise(ranges))


def test_the_pyg_data_set_yields_the_selected_nodes_in_the_same_order(folder):
    dataset = JetDataset(folder, "train", nodes=NARROW)
    options = DataOptions(nodes=NARROW, pool_jets=50, bucket_batches=2)
    batches = DataLoader(dataset, batch_sampler=EpochBatches(dataset, 8, seed=3, options=options))
    loader = training_loader(dataset.table, options, 8, seed=3, epoch=0)
    for found, expected in zip(map(dense, batches), loader, strict=True):
        for name in ("number", "points", "features", "mask"):
            assert torch.equal(getattr(found, name), getattr(expected, name)), name


def test_images_are_empty_in_the_planes_of_channels_left_out(folder):
    table = read_table(folder)
    draw = Rasterize(table.manifest.network_inputs, PUBLISHED_CHANNELS)
    options = DataOptions(nodes=NodeSelection(channels=["TRACK", "ECAL"]), evaluation_batch_size=200)
    (cut,) = evaluation_loader(table, options, None)
    (whole,) = evaluation_loader(table, DataOptions(evaluation_batch_size=200), None)
    of_cut, of_whole = (
        draw(batch.points, batch.features, batch.mask)[torch.argsort(batch.number)] for batch in (cut, whole)
    )
    for plane, name in enumerate(PUBLISHED_CHANNELS):
        if name.startswith("track") or name == "ECAL":
            assert torch.equal(of_cut[:, plane], of_whole[:, plane]), name
        else:
            assert of_cut[:, plane].count_nonzero() == 0 < of_whole[:, plane].count_nonzero(), name


def test_channels_that_the_data_set_was_built_without_are_refused(tmp_path):
    folder = write_toy_dataset(tmp_path / "data", 20)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["configuration"]["inputs"]["channels"] = ["TRACK", "ECAL"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    options = DataOptions(nodes=NodeSelection(channels=["ECAL", "TIB1"]))
    with pytest.raises(InputError, match=r"data: the node selection asks for channels TIB1.*with TRACK, ECAL"):
        evaluation_loader(read_table(folder), options, None)
    with pytest.raises(InputError, match="asks for channels TIB1"):
        JetDataset(folder, "train", nodes=options.nodes)
