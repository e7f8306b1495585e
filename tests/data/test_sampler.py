from itertools import pairwise

import numpy as np
import pytest

from e2egraph.data.loading.sampler import evaluation_plan, training_plan
from e2egraph.data.table import JetTable, read_table
from tests.toy_dataset import write_toy_dataset


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> JetTable:
    return read_table(
        write_toy_dataset(tmp_path_factory.mktemp("toy") / "data", 700, nodes=(0, 50), shards_per_class=7)
    )


def plan(table: JetTable, seed: int = 3, epoch: int = 0, batch_size: int = 16, **changes):
    options = {"pool_jets": 150, "bucket_batches": 4} | changes
    return training_plan(table, table.jets_of("train"), batch_size, seed=seed, epoch=epoch, **options)


@pytest.mark.parametrize("pool_jets", [1, 10, 150, 10_000])
@pytest.mark.parametrize("bucket_batches", [1, 3, 1000])
def test_an_epoch_holds_every_jet_of_the_split_exactly_once(table, pool_jets, bucket_batches):
    batches = plan(table, pool_jets=pool_jets, bucket_batches=bucket_batches).batches
    np.testing.assert_array_equal(np.sort(np.concatenate(batches)), table.jets_of("train"))


@pytest.mark.parametrize("pool_jets", [1, 150, 10_000])
def test_only_the_last_batch_may_be_smaller(table, pool_jets):
    sizes = [len(batch) for batch in plan(table, pool_jets=pool_jets).batches]
    assert set(sizes[:-1]) == {16}
    assert sizes[-1] == (len(table.jets_of("train")) - 1) % 16 + 1


def test_the_remainder_is_dropped_on_request_unless_nothing_else_is_there(table):
    sizes = [len(batch) for batch in plan(table, drop_remainder=True).batches]
    assert set(sizes) == {16}
    (only,) = plan(table, batch_size=10_000, drop_remainder=True).batches
    assert len(only) == len(table.jets_of("train"))


def test_the_order_depends_on_seed_and_epoch_alone(table):
    def order(**which):
        return np.concatenate(plan(table, **which).batches).tolist()

    assert order(seed=3, epoch=5) == order(seed=3, epoch=5)
    assert order(seed=3, epoch=5) != order(seed=3, epoch=6)
    assert order(seed=3, epoch=5) != order(seed=4, epoch=5)


def test_a_batch_needs_no_row_group_that_comes_later(table):
    read: set[int] = set()
    for pool in plan(table).pools:
        read |= set(pool.groups.tolist())
        for batch in pool.batches:
            assert set(table.group_of(batch).tolist()) <= read


def test_pools_hold_no_more_jets_than_asked_to_within_a_row_group(table):
    largest = np.diff(table.group_first).max()
    train = table.jets_of("train")
    for pool in plan(table).pools:
        assert np.isin(table.group_of(train), pool.groups).sum() <= 150 + largest


def test_the_first_pool_is_the_smallest_with_all_samples_and_later_ones_are_twice_as_large_each(table):
    counts = np.bincount(table.group_of(table.jets_of("train")), minlength=len(table.group_number))
    pools = plan(table, pool_jets=200).pools
    samples = table.group_sample[pools[0].groups]
    assert set(samples) == set(table.group_sample) and samples[-1] not in samples[:-1]
    sizes = [counts[pool.groups].sum() for pool in pools]
    assert sizes[0] < 100 and len(sizes) == 4
    for before, size in pairwise(sizes[:-1]):
        assert abs(size - min(2 * before, 200)) <= 2 * counts.max()


def test_every_pool_mixes_the_classes_although_each_shard_holds_one(table):
    for pool in plan(table).pools[:-1]:
        labels = np.concatenate([table.columns["label"][batch] for batch in pool.batches])
        assert 0.2 < labels.mean() < 0.8


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_every_pool_holds_the_same_share_of_a_sample_that_has_few_row_groups(table, blocks):
    train = table.jets_of("train")
    group, signal = table.group_of(train), table.columns["label"][train] == 1
    numbers = train[~signal | np.isin(group, np.unique(group[signal])[:blocks])]
    share = table.columns["label"][numbers].mean()
    for epoch in range(5):
        made = training_plan(table, numbers, 4, seed=3, epoch=epoch, pool_jets=60, bucket_batches=2)
        np.testing.assert_array_equal(np.sort(np.concatenate(made.batches)), numbers)
        assert len(made) == -(-len(numbers) // 4) and len(made.pools) > 3
        done = found = 0
        for pool in made.pools:
            labels = table.columns["label"][np.concatenate(pool.batches)]
            done, found = done + len(labels), found + labels.sum()
            # Jets that do not fill a batch wait for the next pool, three at most.
            assert abs(found - share * done) <= 4


def test_bucketing_wastes_less_padding(table):
    def waste(bucket_batches: int) -> int:
        sizes = [table.columns["n_nodes"][b].astype(int) for b in plan(table, bucket_batches=bucket_batches).batches]
        return sum(len(n) * n.max() - n.sum() for n in sizes)

    assert waste(1000) < waste(4) < waste(1)


@pytest.mark.parametrize("pool_jets", [10, 10_000])
def test_the_evaluation_plan_covers_the_split_once_and_never_changes(table, pool_jets):
    numbers = table.jets_of("test")
    first, again = (evaluation_plan(table, numbers, 16, pool_jets=pool_jets).batches for _ in range(2))
    np.testing.assert_array_equal(np.sort(np.concatenate(first)), numbers)
    assert [batch.tolist() for batch in first] == [batch.tolist() for batch in again]


@pytest.mark.parametrize("processes", [1, 3])
def test_batches_are_bounded_by_their_nodes_with_padding(table, processes):
    sizes = table.columns["n_nodes"]

    def bounded(batches, least):
        return all(len(batch) * sizes[batch].max() <= 200 or len(batch) < 2 * least for batch in batches)

    made = plan(table, batch_nodes=200, processes=processes).batches
    free = plan(table, processes=processes).batches
    assert bounded(made, processes) and not bounded(free, processes)
    assert min(map(len, made)) >= processes and len(made) > len(free)
    np.testing.assert_array_equal(np.sort(np.concatenate(made)), table.jets_of("train"))
    assert [batch.tolist() for batch in plan(table, batch_nodes=10_000).batches] == [
        b.tolist() for b in plan(table).batches
    ]
    read = evaluation_plan(table, table.jets_of("test"), 16, pool_jets=150, batch_nodes=200).batches
    assert bounded(read, 1)
    np.testing.assert_array_equal(np.sort(np.concatenate(read)), table.jets_of("test"))
