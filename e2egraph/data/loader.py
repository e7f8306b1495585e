"""Shards → batches: blocks of shards into a row for each node, from which batches are copied jet by jet."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from e2egraph.data.batch import JetBatch, RaggedBatch
from e2egraph.data.options import DataOptions
from e2egraph.data.padding import node_columns
from e2egraph.data.prefetch import Prefetch
from e2egraph.data.rows import JetRows
from e2egraph.data.sampler import EpochPlan, OwnPool, evaluation_plan, own_pools, training_plan
from e2egraph.data.share import ALONE, Share
from e2egraph.data.table import JetTable
from e2egraph.data.training_jets import training_jets
from e2egraph.graphs.storage.columns import TARGET_PREFIX
from e2egraph.graphs.storage.pointclouds import PointClouds, concatenate
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.nodeselection import NodeSelection

Integers = NDArray[np.int64]


B = TypeVar("B", JetBatch, RaggedBatch)


class _Loader(Generic[B]):
    """Iterates over the batches of one epoch plan from batch ``start`` on, ``share`` of each; may be iterated again.

    ``options.reading_threads`` threads read the next pool of row groups, and one makes batches ahead, so memory holds
    two pools and a few batches however large the data set is. Threads and no worker processes: reading and copying
    whole arrays release Python's lock, and neither is anything copied between processes nor does each hold a pool of
    its own. Batches are the same however many threads there are. Jets hold the nodes of ``options.nodes``.
    ``wait_seconds`` is the time spent waiting for batches so far.
    """

    def __init__(
        self,
        table: JetTable,
        plan: EpochPlan,
        options: DataOptions,
        targets: Sequence[str] = (),
        share: Share = ALONE,
        start: int = 0,
    ) -> None:
        self.plan, self._share, self._start = plan, share, start
        self._table, self._options, self._targets = table, options, tuple(targets)
        self._prefetch: Prefetch[B] = Prefetch(self._batches, options.prefetch_batches)

    def __len__(self) -> int:
        return max(0, len(self.plan) - self._start)

    def __iter__(self) -> Iterator[B]:
        return iter(self._prefetch)

    @property
    def wait_seconds(self) -> float:
        return self._prefetch.wait_seconds

    def _made(self, rows: JetRows, places: Integers) -> B:
        raise NotImplementedError

    def _batches(self) -> Iterator[B]:
        pools = own_pools(self.plan, self._table, self._share, self._start)
        if not pools:
            return
        with closing(read_pools(self._table, self._options, self._targets, pools)) as read:
            for pool, rows in zip(pools, read, strict=True):
                order = np.argsort(rows.numbers)
                for part, size in pool.parts:
                    places = order[np.searchsorted(rows.numbers, part, sorter=order)]
                    batch = self._made(rows, places)
                    yield batch if len(part) == size else replace(batch, step_jets=size)


class JetLoader(_Loader[JetBatch]):
    """A loader of padded batches."""

    def _made(self, rows: JetRows, places: Integers) -> JetBatch:
        return JetBatch.from_arrays(rows.padded(places), rows.numbers[places])

    def ragged(self) -> RaggedLoader:
        """The same batches, to be padded on an accelerator."""
        return RaggedLoader(self._table, self.plan, self._options, self._targets, self._share, self._start)

    def to(self, device: torch.device | str) -> AnyLoader:
        """The loader whose batches are best moved to ``device``."""
        return self if torch.device(device).type == "cpu" else self.ragged()


class RaggedLoader(_Loader[RaggedBatch]):
    """A loader of batches that are padded where they are moved to; in page-locked memory where there is a GPU."""

    def _made(self, rows: JetRows, places: Integers) -> RaggedBatch:
        batch = RaggedBatch.from_rows(rows.take(places))
        return batch.pin_memory() if torch.cuda.is_available() else batch


AnyLoader = JetLoader | RaggedLoader


def training_loader(
    table: JetTable,
    options: DataOptions,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    targets: Sequence[str] = (),
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
    return JetLoader(table, plan, options, targets, share, start)


def evaluation_loader(
    table: JetTable,
    options: DataOptions,
    split: str | None,
    *,
    targets: Sequence[str] = (),
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
    return JetLoader(table, plan, options, targets)


def columns_for(inputs: Inputs, targets: Sequence[str] = ()) -> list[str]:
    """The columns a batch is made of."""
    plain = ["label", "weight", *inputs.object_names, *(TARGET_PREFIX + name for name in targets)]
    return [*dict.fromkeys(plain), *node_columns(inputs)]


def read_jets(
    table: JetTable, groups: Integers, wanted: Integers, columns: list[str], selection: NodeSelection | None = None
) -> tuple[Integers, PointClouds]:
    """The jets of blocks ``groups`` (at least one) that are in ``wanted`` (sorted): their numbers and nodes.

    All nodes of the task that the table is read for, or of these those of ``selection``. Nodes of splits that no wanted
    jet is of are not read, where all of a block are of one split.
    """
    selection = selection or NodeSelection()
    # A selection may decide by a column that no network reads.
    columns = list(dict.fromkeys([*columns, *table.deciding(selection)]))
    chosen, parts = [], []
    for group in groups.tolist():
        first, last = np.searchsorted(wanted, table.group_first[group : group + 2])
        own = wanted[first:last]
        held = np.arange(*table.group_first[group : group + 2])
        split_of = table.columns["split"][held]
        splits = split_of[own - held[0]]
        split = str(splits[0]) if len(own) and (splits == splits[0]).all() else None
        jets = table.read_group(group, columns, split)
        if split is not None:
            held = held[split_of == split]
        if len(held) != len(own):
            jets = jets.take(np.searchsorted(held, own))
        chosen.append(own)
        parts.append(table.select(jets, selection))
    return np.concatenate(chosen), concatenate(parts) if len(parts) > 1 else parts[0]


def read_pools(
    table: JetTable, options: DataOptions, targets: Sequence[str], pools: Sequence[OwnPool]
) -> Generator[JetRows, None, None]:
    """The jets in memory for each pool in turn: those that earlier ones left, and those of its blocks.

    While one pool is used, the next is read. InputError: a shard is damaged, or holds a channel that is no input.
    """
    inputs, columns = table.inputs, columns_for(table.inputs, targets)
    planned = np.sort(np.concatenate([part for pool in pools for part, _ in pool.parts]))
    sizes = table.node_counts(options.nodes)
    executor = ThreadPoolExecutor(options.reading_threads, "read-pool")

    def fill(rows: JetRows, first: int, group: int, own: Integers) -> None:
        rows.fill(first, read_jets(table, np.array([group]), own, columns, options.nodes)[1], targets)

    def begin(pool: OwnPool, left: Integers) -> tuple[JetRows, list[Future[None]]]:
        bounds = [np.searchsorted(planned, table.group_first[group : group + 2]) for group in pool.groups.tolist()]
        own = [planned[first:last] for first, last in bounds]
        numbers = np.concatenate([left, *own])
        rows = JetRows.empty(inputs, len(targets), numbers, sizes[numbers])
        firsts = len(left) + np.cumsum([0, *map(len, own)])
        jobs = zip(firsts.tolist(), pool.groups.tolist(), own, strict=False)
        return rows, [executor.submit(fill, rows, *job) for job in jobs]

    try:
        left = np.empty(0, np.int64)
        before: JetRows | None = None
        ahead = begin(pools[0], left)
        for position, pool in enumerate(pools):
            rows, futures = ahead
            for future in futures:
                future.result()
            if before is not None:
                rows.copy(0, before, np.flatnonzero(np.isin(before.numbers, left)))
                before = None
            used = np.concatenate([part for part, _ in pool.parts]) if pool.parts else np.empty(0, np.int64)
            left = rows.numbers[~np.isin(rows.numbers, used)]
            if position + 1 < len(pools):
                ahead = begin(pools[position + 1], left)
            yield rows
            before = rows
    finally:
        executor.shutdown(cancel_futures=True)
