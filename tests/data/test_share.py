"""The same epoch whatever the number of processes, and from wherever it begins."""

import numpy as np
import pytest
from torch_geometric.loader import DataLoader

from e2egraph.data.dataset import EpochBatches, JetDataset, dense
from e2egraph.data.loading.loader import evaluation_loader, training_loader
from e2egraph.data.loading.sampler import own_pools
from e2egraph.data.options import DataOptions
from e2egraph.data.share import ALONE, Share, current_share, environment_share
from e2egraph.data.table import JetTable, read_table
from e2egraph.errors import InputError, UsageError
from e2egraph.tasks.nodeselection import NodeSelection
from tests.toy_dataset import write_toy_dataset

WORLDS = [1, 2, 4]
BATCH = 14  # a last batch of 6 jets: enough for four processes


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> JetTable:
    folder = write_toy_dataset(tmp_path_factory.mktemp("toy") / "data", 260, nodes=(0, 30), shards_per_class=8)
    return read_table(folder)


def options(prefetch: int = 2, **changes) -> DataOptions:
    return DataOptions(
        **{"pool_jets": 40, "bucket_batches": 2, "evaluation_batch_size": 11, "prefetch_batches": prefetch} | changes
    )


def train_epoch(table, share=ALONE, start=0, prefetch=2, batch_size=BATCH, **changes):
    loader = training_loader(table, options(prefetch, **changes), batch_size, seed=5, epoch=3, share=share, start=start)
    return loader, list(loader)


def numbers_of(batches) -> list[list[int]]:
    return [batch.number.tolist() for batch in batches]


def groups_read(table, monkeypatch) -> list[int]:
    """The row groups that are read from now on."""
    read: list[int] = []
    whole = JetTable.read_group

    def recorded(self, group, columns, split=None):
        read.append(group)
        return whole(self, group, columns, split)

    monkeypatch.setattr(JetTable, "read_group", recorded)
    return read


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("prefetch", [1, 7])
@pytest.mark.parametrize("nodes", [NodeSelection(), NodeSelection(channels=["TRACK", "ECAL"], cap=9)])
def test_processes_together_see_the_batches_that_one_sees(table, world, prefetch, nodes):
    _, whole = train_epoch(table, nodes=nodes)
    shares = [train_epoch(table, Share(rank, world), prefetch=prefetch, nodes=nodes)[1] for rank in range(world)]
    assert {len(share) for share in shares} == {len(whole)}
    for batch, parts in zip(whole, zip(*shares, strict=True), strict=True):
        joined = [number for part in parts for number in part.number.tolist()]
        assert sorted(joined) == sorted(batch.number.tolist())
        assert {part.global_size for part in parts} == {len(batch)}
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
        assert min(map(len, parts)) >= 1
        place = {number: jet for jet, number in enumerate(batch.number.tolist())}
        for part in parts:
            for jet, number in enumerate(part.number.tolist()):
                own, expected = part.features[jet][part.mask[jet]], batch.features[place[number]]
                assert own.equal(expected[batch.mask[place[number]]])
    seen = np.concatenate([batch.number for share in shares for batch in share])
    np.testing.assert_array_equal(np.sort(seen), table.jets_of("train"))


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("split", ["validation", None])
def test_evaluation_drops_no_jet_and_scores_none_twice(table, world, split):
    shares = [list(evaluation_loader(table, options(), split, share=Share(rank, world))) for rank in range(world)]
    seen = np.concatenate([batch.number for share in shares for batch in share])
    np.testing.assert_array_equal(np.sort(seen), table.jets_of(split))
    # One process's stretch comes after the other's, so that joined scores are in order.
    stretches = [np.sort(np.concatenate([batch.number for batch in share])) for share in shares]
    np.testing.assert_array_equal(np.concatenate(stretches), table.jets_of(split))


def test_more_processes_than_jets_leave_some_without_a_batch(table, tmp_path):
    tiny = read_table(write_toy_dataset(tmp_path / "data", 3 * 2, split_fractions=(0, 1, 0)))
    shares = [list(evaluation_loader(tiny, options(), "validation", share=Share(rank, 9))) for rank in range(9)]
    assert sorted(len(share) for share in shares) == [0, 0, 0, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("share", [ALONE, Share(1, 2)])
@pytest.mark.parametrize("pool_jets", [1, 40])
def test_an_epoch_begun_at_any_batch_is_the_tail_of_the_whole(table, share, pool_jets):
    loader, whole = train_epoch(table, share, pool_jets=pool_jets)
    assert len(loader) == len(whole)
    for start in (0, 1, len(whole) // 2, len(whole) - 1, len(whole), len(whole) + 1):
        tail_loader, tail = train_epoch(table, share, start, pool_jets=pool_jets)
        assert len(tail_loader) == len(tail)
        assert numbers_of(tail) == numbers_of(whole[start:])
        for late, early in zip(tail, whole[start:], strict=True):
            assert late.features.equal(early.features)


def test_only_row_groups_that_are_needed_are_read_and_each_once(table, monkeypatch):
    read = groups_read(table, monkeypatch)
    _, whole = train_epoch(table)
    everything = set(table.group_of(table.jets_of("train")).tolist())
    assert sorted(read) == sorted(everything)
    read.clear()
    _, tail = train_epoch(table, start=len(whole) - 2)
    needed = {int(group) for batch in tail for group in table.group_of(batch.number.numpy())}
    assert sorted(read) == sorted(needed)
    assert len(needed) < len(everything)
    read.clear()
    for rank in range(4):
        list(evaluation_loader(table, options(), None, share=Share(rank, 4)))
    # A stretch begins inside a row group that the one before it reads too.
    assert len(read) <= len(table.group_number) + 3


def test_a_process_keeps_its_own_jets_alone(table):
    plan = train_epoch(table)[0].plan
    pools = [own_pools(plan, table, Share(rank, 4)) for rank in range(4)]
    jets = [sum(len(part) for pool in own for part, _ in pool.parts) for own in pools]
    assert sum(jets) == len(table.jets_of("train"))
    assert max(jets) < len(table.jets_of("train")) / 3


def test_a_last_batch_that_is_too_small_for_the_processes_is_left_out_and_counted(table):
    jets = len(table.jets_of("train"))
    batch_size = next(size for size in range(10, jets) if jets % size == 3)
    for world, dropped in ((1, 0), (3, 0), (4, 3)):
        shares = [train_epoch(table, Share(rank, world), batch_size=batch_size) for rank in range(world)]
        assert {loader.plan.dropped for loader, _ in shares} == {dropped}
        assert sum(len(batch) for _, share in shares for batch in share) == jets - dropped
        assert all(len(batch) for _, share in shares for batch in share)
    loader, batches = train_epoch(table, batch_size=batch_size, drop_remainder=True)
    assert loader.plan.dropped == 3 == jets - sum(map(len, batches))


def test_too_many_processes_are_refused(table, tmp_path):
    with pytest.raises(UsageError, match=r"training\.batch_size=3 is too small for 4 processes"):
        train_epoch(table, Share(0, 4), batch_size=3)
    few = read_table(write_toy_dataset(tmp_path / "data", 4, split_fractions=(1, 0, 0)))
    with pytest.raises(InputError, match="4 training jets for 5 processes"):
        train_epoch(few, Share(0, 5))


def test_the_pyg_batches_of_processes_join_to_those_of_one(table):
    dataset = JetDataset(table.folder)
    shares = []
    for share in (Share(0, 2), Share(1, 2)):
        sampler = EpochBatches(dataset, BATCH, seed=5, options=options(), share=share)
        sampler.set_epoch(3)
        shares.append([dense(batch).number.tolist() for batch in DataLoader(dataset, batch_sampler=sampler)])
        assert len(shares[-1]) == len(sampler)
    for share, own in zip((Share(0, 2), Share(1, 2)), shares, strict=True):
        assert own == numbers_of(train_epoch(table, share)[1])


@pytest.mark.parametrize("total", [0, 1, 7, 8, 100])
@pytest.mark.parametrize("world", [1, 3, 8])
def test_shares_cover_everything_once_and_differ_by_one_at_most(total, world):
    numbers = np.arange(total)
    for parts in (
        [Share(rank, world).of(numbers) for rank in range(world)],
        [numbers[slice(*Share(rank, world).bounds(total))] for rank in range(world)],
    ):
        np.testing.assert_array_equal(np.sort(np.concatenate(parts)), numbers)
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_process_finds_its_place_in_the_environment(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert environment_share() == current_share() == ALONE
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert environment_share() == Share(2, 4)
    assert current_share() == ALONE
    for rank, world in (("4", "4"), ("-1", "4"), ("one", "2"), ("0", "")):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("WORLD_SIZE", world)
        with pytest.raises(UsageError, match="WORLD_SIZE"):
            environment_share()
    monkeypatch.delenv("RANK")
    with pytest.raises(UsageError, match="RANK"):
        environment_share()
