"""Batches of an epoch, made ahead from the pools that are read (pools.py), padded or ragged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from e2egraph.data.loading.batch import JetBatch, RaggedBatch
from e2egraph.data.loading.pools import read_pools
from e2egraph.data.loading.prefetch import Prefetch
from e2egraph.data.loading.rows import JetRows
from e2egraph.data.loading.sampler import EpochPlan, evaluation_plan, own_pools, training_plan
from e2egraph.data.options import DataOptions
from e2egraph.data.share import ALONE, Share
from e2egraph.data.table import JetTable
from e2egraph.data.training_jets import training_jets

Integers = NDArray[np.int64]


B = TypeVar("B", JetBatch, RaggedBatch)


class _Loader(ABC, Generic[B]):
    """Iterates over the batches of one epoch plan from batch ``start`` on, ``share`` of each; may be iterated again.

    ``options.reading_threads`` threads read the next pool of row groups, and one makes batches ahead, so memory holds
    two pools and a few batches however large the data set is. Threads and no worker processes: reading and copying
    whole arrays release Python's lock, and neither is anything copied between processes nor does each hold a pool of
    its own. Batches are the same however many threads there are. Jets hold the nodes of ``options.nodes``.
    ``targets``, ``node_targets``: what is learnt of objects and of nodes (``Objective``).
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
        node_targets: Sequence[str] = (),
    ) -> None:
        self.plan, self._share, self._start = plan, share, start
        self._table, self._options = table, options
        self._targets, self._node_targets = tuple(targets), tuple(node_targets)
        self._prefetch: Prefetch[B] = Prefetch(self._batches, options.prefetch_batches)

    def __len__(self) -> int:
        return max(0, len(self.plan) - self._start)

    def __iter__(self) -> Iterator[B]:
        return iter(self._prefetch)

    @property
    def wait_seconds(self) -> float:
        return self._prefetch.wait_seconds

    @abstractmethod
    def _made(self, rows: JetRows, places: Integers) -> B:
        """The batch of the jets at ``places`` in ``rows``."""

    def _batches(self) -> Iterator[B]:
        pools = own_pools(self.plan, self._table, self._share, self._start)
        if not pools:
            return
        with closing(read_pools(self._table, self._options, self._targets, pools, self._node_targets)) as read:
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
        targets, of_nodes = self._targets, self._node_targets
        return RaggedLoader(self._table, self.plan, self._options, targets, self._share, self._start, of_nodes)

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
    node_targets: Sequence[str] = (),
    labels: Collection[int] | None = None,
    share: Share = ALONE,
    start: int = 0,
) -> JetLoader:
    """The training jets in the order of (seed, epoch), from batch ``start`` on; of each batch ``share``, never empty.

    ``labels``: of the classes that are learnt from; None for all. ``batch_size``: jets of a batch over all
    processes; batches are the same however many there are, up to ``plan.dropped`` jets, fewer than processes.
    InputError when the split is empty or has fewer jets than are asked for or than there are processes, or the data set
    lacks nodes that ``options.nodes`` names; UsageError when ``batch_size`` is too small.
    """
    plan = training_plan(
        table,
        training_jets(table, options, labels),
        batch_size,
        seed=seed,
        epoch=epoch,
        pool_jets=options.pool_jets,
        bucket_batches=options.bucket_batches,
        drop_remainder=options.drop_remainder,
        batch_nodes=options.batch_nodes,
        sizes=table.node_counts(options.nodes),
        processes=share.world,
    )
    return JetLoader(table, plan, options, targets, share, start, node_targets)


def evaluation_loader(
    table: JetTable,
    options: DataOptions,
    split: str | None,
    *,
    targets: Sequence[str] = (),
    node_targets: Sequence[str] = (),
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
        batch_nodes=options.batch_nodes,
    )
    return JetLoader(table, plan, options, targets, node_targets=node_targets)


def random_jets(table: JetTable, number: int, split: str | None = None, seed: int = 0) -> Integers:
    """``number`` jets (all, where there are no more) of a split (None: of the whole data set), drawn by ``seed`` and in
    data set order. The first ones would be of the first class.
    """
    return np.sort(np.random.default_rng(seed).permutation(table.jets_of(split))[:number])


def random_loader(
    table: JetTable, options: DataOptions, number: int, split: str | None = None, seed: int = 0
) -> JetLoader:
    """The jets of ``random_jets``.

    The first batches of ``evaluation_loader`` would be the smallest jets of the first class.
    """
    numbers, sizes = random_jets(table, number, split, seed), table.node_counts(options.nodes)
    plan = evaluation_plan(
        table, numbers, options.evaluation_batch_size, pool_jets=options.pool_jets, sizes=sizes,
        batch_nodes=options.batch_nodes,
    )  # fmt: skip
    return JetLoader(table, plan, options, ())
