"""Blocks of shards → pools of jets in memory, a row for each node, read ahead by several threads."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from e2egraph.data.loading.rows import JetRows
from e2egraph.data.loading.sampler import OwnPool
from e2egraph.data.options import DataOptions
from e2egraph.data.padding import node_columns
from e2egraph.data.table import JetTable
from e2egraph.graphs.storage.columns import TARGET_PREFIX
from e2egraph.graphs.storage.pointclouds import PointClouds, concatenate
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.nodeselection import NodeSelection

Integers = NDArray[np.int64]


def columns_for(inputs: Inputs, targets: Sequence[str] = (), node_targets: Sequence[str] = ()) -> list[str]:
    """The columns a batch is made of."""
    plain = ["label", "weight", *inputs.object_names, *(TARGET_PREFIX + name for name in targets)]
    return [*dict.fromkeys(plain), *node_columns(inputs), *node_targets]


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
    table: JetTable,
    options: DataOptions,
    targets: Sequence[str],
    pools: Sequence[OwnPool],
    node_targets: Sequence[str] = (),
) -> Generator[JetRows, None, None]:
    """The jets in memory for each pool in turn: those that earlier ones left, and those of its blocks.

    While one pool is used, the next is read. InputError: a shard is damaged, or holds a channel that is no input.
    """
    inputs, columns = table.inputs, columns_for(table.inputs, targets, node_targets)
    planned = np.sort(np.concatenate([part for pool in pools for part, _ in pool.parts]))
    sizes = table.node_counts(options.nodes)
    executor = ThreadPoolExecutor(options.reading_threads, "read-pool")

    def fill(rows: JetRows, first: int, group: int, own: Integers) -> None:
        jets = read_jets(table, np.array([group]), own, columns, options.nodes)[1]
        rows.fill(first, jets, targets, node_targets)

    def begin(pool: OwnPool, left: Integers) -> tuple[JetRows, list[Future[None]]]:
        bounds = [np.searchsorted(planned, table.group_first[group : group + 2]) for group in pool.groups.tolist()]
        own = [planned[first:last] for first, last in bounds]
        numbers = np.concatenate([left, *own])
        rows = JetRows.empty(inputs, len(targets), numbers, sizes[numbers], len(node_targets))
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
