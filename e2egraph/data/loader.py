"""Shards → batches: whole row groups into flat arrays, gathered and padded without Python work per jet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from e2egraph.data.batch import JetBatch
from e2egraph.data.options import DataOptions
from e2egraph.data.padding import NODE_COLUMNS, pad
from e2egraph.data.prefetch import Prefetch
from e2egraph.data.sampler import EpochPlan, evaluation_plan, training_plan
from e2egraph.data.table import JetTable
from e2egraph.graphs.columns import JET_VARIABLES, TARGET_PREFIX
from e2egraph.graphs.pointclouds import PointClouds, concatenate

Integers = NDArray[np.int64]


class JetLoader:
    """Iterates over the batches of one epoch plan; may be iterated again.

    A background thread reads the next pool of row groups and makes batches ahead, so memory holds a few pools and
    batches however large the data set is. ``wait_seconds`` is the time spent waiting for batches so far.
    """

    def __init__(
        self, table: JetTable, plan: EpochPlan, options: DataOptions, targets: Sequence[str] = (), pin: bool = False
    ) -> None:
        self.plan = plan
        self._table, self._options, self._targets, self._pin = table, options, tuple(targets), pin
        self._prefetch = Prefetch(self._batches, options.prefetch_batches)

    def __len__(self) -> int:
        return len(self.plan)

    def __iter__(self) -> Iterator[JetBatch]:
        return iter(self._prefetch)

    @property
    def wait_seconds(self) -> float:
        return self._prefetch.wait_seconds

    def _batches(self) -> Iterator[JetBatch]:
        columns = columns_for(self._targets)
        planned = np.sort(np.concatenate(self.plan.batches)) if len(self.plan) else np.empty(0, np.int64)
        with ThreadPoolExecutor(1, "read-pool") as reader:
            ahead = [
                reader.submit(read_jets, self._table, pool.groups, planned, columns) for pool in self.plan.pools[:1]
            ]
            numbers, clouds = np.empty(0, np.int64), None
            for position, pool in enumerate(self.plan.pools):
                new_numbers, new_clouds = ahead.pop().result()
                for following in self.plan.pools[position + 1 : position + 2]:
                    ahead.append(reader.submit(read_jets, self._table, following.groups, planned, columns))
                clouds = new_clouds if clouds is None else concatenate([clouds, new_clouds])
                numbers = np.concatenate([numbers, new_numbers])
                del new_clouds
                rank = np.argsort(numbers)
                used = np.zeros(len(numbers), bool)
                for batch in pool.batches:
                    place = rank[np.searchsorted(numbers, batch, sorter=rank)]
                    used[place] = True
                    yield self._batch(clouds.take(place), batch)
                numbers, clouds = numbers[~used], clouds.take(~used)

    def _batch(self, clouds: PointClouds, numbers: Integers) -> JetBatch:
        batch = JetBatch.from_arrays(pad(limit_nodes(clouds, self._options.max_nodes), self._targets), numbers)
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
) -> JetLoader:
    """The training split in the order of (seed, epoch); InputError when the split is empty."""
    plan = training_plan(
        table,
        table.jets_of("train"),
        batch_size,
        seed=seed,
        epoch=epoch,
        pool_jets=options.pool_jets,
        bucket_batches=options.bucket_batches,
        drop_remainder=options.drop_remainder,
    )
    return JetLoader(table, plan, options, targets, pin)


def evaluation_loader(
    table: JetTable, options: DataOptions, split: str | None, *, targets: Sequence[str] = (), pin: bool = False
) -> JetLoader:
    """A split (all jets for None) in a fixed order; ``JetBatch.number`` says which jets a batch holds."""
    plan = evaluation_plan(table, table.jets_of(split), options.evaluation_batch_size, pool_jets=options.pool_jets)
    return JetLoader(table, plan, options, targets, pin)


def columns_for(targets: Sequence[str]) -> list[str]:
    """The columns a batch is made of."""
    return ["label", "weight", *JET_VARIABLES, *(TARGET_PREFIX + name for name in targets), *NODE_COLUMNS]


def read_jets(table: JetTable, groups: Integers, wanted: Integers, columns: list[str]) -> tuple[Integers, PointClouds]:
    """The jets of row groups ``groups`` (at least one) that are in ``wanted`` (sorted): their numbers and nodes."""
    numbers, parts = [], []
    for group in groups.tolist():
        first, last = np.searchsorted(wanted, table.group_first[group : group + 2])
        numbers.append(wanted[first:last])
        parts.append(table.read_group(group, columns).take(wanted[first:last] - table.group_first[group]))
    return np.concatenate(numbers), concatenate(parts)


def limit_nodes(clouds: PointClouds, cap: int | None) -> PointClouds:
    """At most ``cap`` nodes of each jet, the first in canonical order; all of them for None."""
    if cap is None or clouds.counts.max(initial=0) <= cap:
        return clouds
    rank = np.arange(clouds.offsets[-1]) - np.repeat(clouds.offsets[:-1], clouds.counts)
    return clouds.keep_nodes(rank < cap)
