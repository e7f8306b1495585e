"""Shards → batches: whole row groups into flat arrays, gathered and padded without Python work per jet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from e2egraph.data.batch import JetBatch
from e2egraph.data.options import DataOptions
from e2egraph.data.padding import node_columns, pad
from e2egraph.data.prefetch import Prefetch
from e2egraph.data.sampler import EpochPlan, OwnPool, evaluation_plan, own_pools, training_plan
from e2egraph.data.share import ALONE, Share
from e2egraph.data.table import JetTable
from e2egraph.data.training_jets import training_jets
from e2egraph.graphs.storage.columns import TARGET_PREFIX
from e2egraph.graphs.storage.pointclouds import PointClouds, concatenate
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.nodeselection import NodeSelection

Integers = NDArray[np.int64]


class JetLoader:
    """Iterates over the batches of one epoch plan from batch ``start`` on, ``share`` of each; may be iterated again.

    A background thread reads the next pool of row groups and makes batches ahead, so memory holds a few pools and
    batches however large the data set is. A thread and no worker processes: decompressing and gathering whole arrays
    release Python's lock, one thread keeps well ahead of a network, and neither is anything copied between processes
    nor does each hold a pool of its own. Jets hold the nodes of ``options.nodes``. ``wait_seconds`` is the time
    spent waiting for batches so far.
    """

    def __init__(
        self,
        table: JetTable,
        plan: EpochPlan,
        options: DataOptions,
        targets: Sequence[str] = (),
        pin: bool = False,
        share: Share = ALONE,
        start: int = 0,
    ) -> None:
        self.plan, self._share, self._start = plan, share, start
        self._table, self._options, self._targets, self._pin = table, options, tuple(targets), pin
        self._inputs = table.inputs
        self._prefetch = Prefetch(self._batches, options.prefetch_batches)

    def __len__(self) -> int:
        return max(0, len(self.plan) - self._start)

    def __iter__(self) -> Iterator[JetBatch]:
        return iter(self._prefetch)

    @property
    def wait_seconds(self) -> float:
        return self._prefetch.wait_seconds

    def _batches(self) -> Iterator[JetBatch]:
        columns = columns_for(self._inputs, self._targets)
        pools = own_pools(self.plan, self._table, self._share, self._start)
        if not pools:
            return
        planned = np.sort(np.concatenate([part for pool in pools for part, _ in pool.parts]))
        with ThreadPoolExecutor(1, "read-pool") as reader:

            def read(pool: OwnPool) -> Future[tuple[Integers, PointClouds]]:
                return reader.submit(read_jets, self._table, pool.groups, planned, columns, self._options.nodes)

            ahead = [read(pool) for pool in pools[:1]]
            numbers, clouds = np.empty(0, np.int64), None
            for position, pool in enumerate(pools):
                new_numbers, new_clouds = ahead.pop().result()
                for following in pools[position + 1 : position + 2]:
                    ahead.append(read(following))
                clouds = new_clouds if clouds is None else concatenate([clouds, new_clouds])
                numbers = np.concatenate([numbers, new_numbers])
                del new_clouds
                rank = np.argsort(numbers)
                used = np.zeros(len(numbers), bool)
                for part, size in pool.parts:
                    place = rank[np.searchsorted(numbers, part, sorter=rank)]
                    used[place] = True
                    batch = self._batch(clouds.take(place), part)
                    yield batch if len(part) == size else replace(batch, step_jets=size)
                numbers, clouds = numbers[~used], clouds.take(~used)

    def _batch(self, clouds: PointClouds, numbers: Integers) -> JetBatch:
        batch = JetBatch.from_arrays(pad(clouds, self._inputs, self._targets), numbers)
        return batch.pin_memory() if self._pin else batch


def training_loader(
    table: JetTable,
    options: DataOptions,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    targets: Sequence[str] = (),
    pin: bool = False,
    share: Share = ALONE,
    start: int = 0,
) -> JetLoader:
    """The training jets in the order of (seed, epoch), from batch ``start`` on; of each batch ``share``, never empty.

    ``batch_size``: jets of a batch over all processes; batches are the same however many there are, up to
    ``plan.dropped`` jets, fewer than processes. InputError when the split is empty or has fewer jets than are asked for
    or than there are processes, or the data set lacks nodes that ``options.nodes`` names; UsageError when
    ``batch_size`` is too small.
    """
    plan = training_plan(
        table,
        training_jets(table, options),
        batch_size,
        seed=seed,
        epoch=epoch,
        pool_jets=options.pool_jets,
        bucket_batches=options.bucket_batches,
        drop_remainder=options.drop_remainder,
        sizes=table.node_counts(options.nodes),
        processes=share.world,
    )
    return JetLoader(table, plan, options, targets, pin, share, start)


def evaluation_loader(
    table: JetTable,
    options: DataOptions,
    split: str | None,
    *,
    targets: Sequence[str] = (),
    pin: bool = False,
    share: Share = ALONE,
) -> JetLoader:
    """A split (all jets for None) in a fixed order; ``JetBatch.number`` says which jets a batch holds.

    ``share`` is an unbroken stretch of the split, so that processes hardly read the same row groups; it has no batch
    where there are fewer jets than processes. InputError when the split is empty or the data set lacks nodes that
    ``options.nodes`` names.
    """
    numbers = table.jets_of(split)
    plan = evaluation_plan(
        table,
        numbers[slice(*share.bounds(len(numbers)))],
        options.evaluation_batch_size,
        pool_jets=options.pool_jets,
        sizes=table.node_counts(options.nodes),
    )
    return JetLoader(table, plan, options, targets, pin)


def columns_for(inputs: Inputs, targets: Sequence[str] = ()) -> list[str]:
    """The columns a batch is made of."""
    plain = ["label", "weight", *inputs.object_names, *(TARGET_PREFIX + name for name in targets)]
    return [*dict.fromkeys(plain), *node_columns(inputs)]


def read_jets(
    table: JetTable, groups: Integers, wanted: Integers, columns: list[str], selection: NodeSelection | None = None
) -> tuple[Integers, PointClouds]:
    """The jets of row groups ``groups`` (at least one) that are in ``wanted`` (sorted): their numbers and nodes.

    All nodes of the task that the table is read for, or of these those of ``selection``.
    """
    selection = selection or NodeSelection()
    # A selection may decide by a column that no network reads.
    columns = list(dict.fromkeys([*columns, *table.deciding(selection)]))
    chosen, parts = [], []
    for group in groups.tolist():
        first, last = np.searchsorted(wanted, table.group_first[group : group + 2])
        chosen.append(wanted[first:last])
        jets = table.read_group(group, columns).take(wanted[first:last] - table.group_first[group])
        parts.append(table.select(jets, selection))
    return np.concatenate(chosen), concatenate(parts)
