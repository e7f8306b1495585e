import threading
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch

from e2egraph.data.loading.loader import JetLoader, evaluation_loader, random_loader, training_loader
from e2egraph.data.loading.prefetch import Prefetch
from e2egraph.data.loading.sampler import training_plan
from e2egraph.data.options import DataOptions
from e2egraph.data.padding import pad
from e2egraph.data.share import ALONE, Share
from e2egraph.data.table import JetTable, read_table
from e2egraph.errors import InputError, UsageError
from e2egraph.graphs.storage.columns import node_types
from e2egraph.graphs.storage.pointclouds import concatenate
from e2egraph.graphs.storage.shards import ShardFile, open_shard
from e2egraph.tasks.nodeselection import NodeSelection
from tests.toy_dataset import write_toy_dataset

SMALL_POOLS = DataOptions(pool_jets=40, bucket_batches=2, prefetch_batches=2, evaluation_batch_size=11)


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> JetTable:
    return read_table(
        write_toy_dataset(tmp_path_factory.mktemp("toy") / "data", 260, nodes=(0, 30), shards_per_class=4)
    )


@pytest.fixture(scope="module")
def everything(table):
    """All jets read without the loader."""
    files = [open_shard(table.folder / shard.name) for shard in table.manifest.shards]
    return concatenate([file.read() for file in files])


@pytest.mark.parametrize("split", ["train", "test", None])
def test_batches_hold_what_the_shards_hold_for_the_jets_they_name(table, everything, split):
    if split == "train":
        loader = training_loader(table, SMALL_POOLS, 16, seed=1, epoch=2)
    else:
        loader = evaluation_loader(table, SMALL_POOLS, split)
    seen = []
    for batch in loader:
        expected = pad(everything.take(batch.number.numpy()), table.manifest.network_inputs)
        for name in ("points", "features", "mask", "jet", "label", "weight"):
            np.testing.assert_array_equal(getattr(batch, name).numpy(), getattr(expected, name), err_msg=name)
        seen.append(batch.number)
    np.testing.assert_array_equal(np.sort(torch.cat(seen)), table.jets_of(split))
    assert len(seen) == len(loader)


@pytest.mark.parametrize("start", [0, 4])
def test_jets_that_were_read_for_an_earlier_pool_are_those_that_a_batch_names(table, everything, start):
    train = table.jets_of("train")
    group, signal = table.group_of(train), table.columns["label"][train] == 1
    numbers = train[~signal | (group == group[signal].min())]
    made = training_plan(table, numbers, 8, seed=1, epoch=0, pool_jets=40, bucket_batches=2)
    batches = list(JetLoader(table, made, SMALL_POOLS, start=start))
    assert [batch.number.tolist() for batch in batches] == [batch.tolist() for batch in made.batches[start:]]
    for batch in batches:
        expected = pad(everything.take(batch.number.numpy()), table.manifest.network_inputs)
        np.testing.assert_array_equal(batch.features.numpy(), expected.features)
        np.testing.assert_array_equal(batch.label.numpy(), expected.label)


def test_jets_at_random_are_of_all_classes_and_sizes(table):
    batches = list(random_loader(table, SMALL_POOLS, 120))
    chosen = np.concatenate([batch.number.numpy() for batch in batches])
    assert len(chosen) == len(set(chosen.tolist())) == 120
    labels, sizes = table.columns["label"], table.columns["n_nodes"]
    assert abs(labels[chosen].mean() - labels.mean()) < 0.15
    assert abs(sizes[chosen].mean() - sizes.mean()) < 0.15 * sizes.mean()
    assert sum(len(batch.number) for batch in random_loader(table, SMALL_POOLS, 10**6)) == len(labels)
    of_split = [batch.number for batch in random_loader(table, SMALL_POOLS, 10**6, "validation")]
    np.testing.assert_array_equal(np.sort(np.concatenate(of_split)), table.jets_of("validation"))


TENSORS = ("points", "features", "mask", "jet", "label", "weight", "target", "number")


@pytest.mark.parametrize("share", [ALONE, Share(1, 3)])
def test_ragged_batches_become_the_padded_ones_where_they_are_moved(table, share):
    loader = training_loader(table, SMALL_POOLS, 16, seed=1, epoch=2, share=share)
    assert loader.to("cpu") is loader
    for ragged, padded in zip(loader.to("cuda"), loader, strict=True):
        assert len(ragged) == len(padded) and ragged.global_size == padded.global_size
        assert ragged.counts.equal(padded.counts)
        made = ragged.to("cpu")
        assert all(getattr(made, name).equal(getattr(padded, name)) for name in TENSORS)
        assert made.step_jets == padded.step_jets
        assert ragged.nodes.numel() < made.features.numel()


@pytest.mark.parametrize("selection", [NodeSelection(), NodeSelection(channels=["TRACK", "HCAL"], cap=5)])
def test_batches_do_not_depend_on_the_number_of_reading_threads(table, selection):
    def batches(threads):
        options = replace(SMALL_POOLS, reading_threads=threads, nodes=selection)
        return list(training_loader(table, options, 16, seed=1, epoch=0))

    for one, many in zip(batches(1), batches(5), strict=True):
        assert all(getattr(one, name).equal(getattr(many, name)) for name in TENSORS)


def test_a_split_is_read_without_the_nodes_of_the_others(table, everything, monkeypatch):
    read = []
    original = ShardFile.read

    def counted(self, *arguments):
        clouds = original(self, *arguments)
        read.append(int(clouds.offsets[-1]))
        return clouds

    monkeypatch.setattr(ShardFile, "read", counted)
    list(evaluation_loader(table, SMALL_POOLS, "validation"))
    assert sum(read) == everything.counts[table.jets_of("validation")].sum()


def test_a_loader_can_be_iterated_again_with_the_same_result(table):
    loader = training_loader(table, SMALL_POOLS, 16, seed=1, epoch=0)
    first, second = ([batch.number.tolist() for batch in loader] for _ in range(2))
    assert first == second


def test_leaving_early_stops_the_background_threads(table):
    before = threading.active_count()
    batches = iter(training_loader(table, SMALL_POOLS, 4, seed=1, epoch=0))
    next(batches)
    assert threading.active_count() > before
    batches.close()
    assert threading.active_count() == before


def test_the_cap_keeps_the_first_nodes_of_each_jet(table, everything):
    capped = DataOptions(nodes=NodeSelection(cap=7), evaluation_batch_size=50)
    for batch in evaluation_loader(table, capped, None):
        whole = pad(everything.take(batch.number.numpy()), table.manifest.network_inputs)
        assert batch.mask.shape[1] <= 7
        np.testing.assert_array_equal(batch.points.numpy(), whole.points[:, : batch.mask.shape[1]])


def test_an_epoch_never_holds_more_than_a_few_pools(tmp_path):
    table = read_table(write_toy_dataset(tmp_path / "data", 6400, nodes=(100, 100), shards_per_class=64))
    options = DataOptions(pool_jets=100, bucket_batches=2, prefetch_batches=1)
    bytes_a_node = sum(np.dtype(kind).itemsize for kind in node_types(table.manifest.network_inputs).values())
    everything = len(table.jets_of("train")) * 100 * bytes_a_node
    tracemalloc.start()
    for _ in training_loader(table, options, 10, seed=1, epoch=0):
        pass
    _, highest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # 38 pools in the epoch. How far the threads are apart decides whether three or four are there at once.
    assert highest < everything / 4


def test_an_error_while_reading_reaches_the_loop_and_names_the_shard(tmp_path):
    table = read_table(write_toy_dataset(tmp_path / "data", 40))
    shard = tmp_path / "data" / table.manifest.shards[1].name
    content = bytearray(shard.read_bytes())
    content[4 : len(content) // 2] = b"\0" * (len(content) // 2 - 4)
    shard.write_bytes(content)
    with pytest.raises(InputError, match=shard.name):
        list(evaluation_loader(table, DataOptions(), None))


def test_prefetch_passes_items_in_order_and_makes_no_more_than_its_depth_ahead():
    made = []

    def source():
        for number in range(50):
            made.append(number)
            yield number

    seen = []
    for item in Prefetch(source, 3):
        seen.append(item)
        # Taken, three queued, and one in the producer's hand.
        assert len(made) <= len(seen) + 4
    assert seen == list(range(50))


def test_tables_say_what_is_wrong_with_a_data_set(tmp_path, table):
    with pytest.raises(InputError, match="no such data set"):
        read_table(tmp_path / "absent")
    with pytest.raises(UsageError, match="unknown split 'training'"):
        table.jets_of("training")
    only_training = read_table(write_toy_dataset(tmp_path / "data", 20, split_fractions=(1, 0, 0)))
    with pytest.raises(InputError, match="no jets in split 'test'"):
        only_training.jets_of("test")


def test_training_on_fewer_jets_takes_a_part_of_what_more_would_take_whatever_the_seed(table):
    def taken(jets, seed):
        loader = training_loader(table, replace(SMALL_POOLS, training_jets=jets), 16, seed=seed, epoch=0)
        return {int(number) for batch in loader for number in batch.number}

    few, more = taken(20, seed=1), taken(60, seed=1)
    assert len(few) == 20 and len(more) == 60 and few < more
    assert more < set(table.jets_of("train").tolist()) and taken(60, seed=2) == more
    with pytest.raises(InputError, match=r"training jets, but data.training_jets=5000; lower it"):
        training_loader(table, DataOptions(training_jets=5000), 16, seed=1, epoch=0)
