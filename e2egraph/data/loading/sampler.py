"""The plan of an epoch: which jets go together into which batch, as a pure function of (seed, epoch).

Row groups are permuted, each sample's spread evenly over the epoch so that classes mix, and joined into pools of a few
thousand jets, the only jets that need be in memory. The first pool is as small as holds all samples, for training to
begin soon, and the next ones grow. A sample with few row groups would be missing from many pools: the jets of each of
its row groups are given out evenly until the next one is read. Inside a pool jets are permuted and batched by size, and
the order of the batches is permuted. Jets that do not fill a batch wait for the next pool. The plan does not know how
many processes train (each takes its share of every batch) or how far they got, so an epoch can begin at any batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.data.share import Share
from e2egraph.data.table import JetTable
from e2egraph.errors import InputError, UsageError

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Pool:
    """Row groups read together, and the batches (jet numbers [B] each) that can be made once they are there."""

    groups: Integers
    batches: list[Integers]


@dataclass(frozen=True)
class EpochPlan:
    """An epoch: its pools in order. A jet of a batch stands in this pool's row groups or was left by an earlier one.

    ``dropped``: jets of the split that the epoch leaves out.
    """

    pools: list[Pool]
    dropped: int = 0

    @property
    def batches(self) -> list[Integers]:
        """Every batch of the epoch, in order."""
        return [batch for pool in self.pools for batch in pool.batches]

    def __len__(self) -> int:
        return sum(len(pool.batches) for pool in self.pools)


@dataclass(frozen=True)
class OwnPool:
    """One process's part of a pool: the row groups it must read; of each batch its jets, and the number of all."""

    groups: Integers
    parts: list[tuple[Integers, int]]


def training_plan(
    table: JetTable,
    numbers: Integers,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    pool_jets: int,
    bucket_batches: int,
    drop_remainder: bool = False,
    sizes: Integers | None = None,
    processes: int = 1,
    batch_nodes: int | None = None,
) -> EpochPlan:
    """Every jet of ``numbers`` (sorted) once, shuffled; only the epoch's last batch may be smaller than the others.

    ``batch_nodes``: batches of more nodes, padding included, are split, down to one jet per process.
    ``pool_jets``: jets of a pool, to within one row group, and one of each sample that has few (``_supplies``); the
    first ones are smaller. ``bucket_batches``: this many batches of jets are sorted by their number of nodes together;
    1 does not sort at all, more pads less and mixes sizes less inside a batch. ``drop_remainder`` leaves the smaller
    last batch out, unless it is the only one. ``sizes``: nodes of every jet of the data set, where a selection leaves
    fewer than are stored. A last batch with fewer jets than ``processes`` is left out, as each needs one; in all else
    they do not matter. UsageError or InputError when there are more processes than jets of a batch or of the split.
    """
    if batch_size < processes:
        raise UsageError(f"training.batch_size={batch_size} is too small for {processes} processes; raise it.")
    if len(numbers) < processes:
        many = table.manifest.object_name.many
        raise InputError(f"{table.folder}: {len(numbers)} training {many} for {processes} processes; start fewer.")
    sizes = table.columns["n_nodes"] if sizes is None else sizes
    rng = np.random.default_rng((seed, epoch))
    pools: list[Pool] = []
    waiting = np.empty(0, np.int64)
    supplies = _supplies(_jets_of_groups(table, numbers), table.group_sample, pool_jets, rng)
    for position, (groups, arrived) in enumerate(supplies):
        members = rng.permutation(np.concatenate([waiting, *arrived]))
        whole = len(members) // batch_size * batch_size
        ready, waiting = members[:whole], members[whole:]
        batches: list[Integers] = []
        for bucket in _chunks(ready, bucket_batches * batch_size):
            batches += _chunks(_by_size(bucket, sizes) if bucket_batches > 1 else bucket, batch_size)
        batches = _bounded(batches, sizes, batch_nodes, processes)
        batches = [batches[i] for i in rng.permutation(len(batches))]
        unwanted = drop_remainder and len(numbers) > batch_size
        if position == len(supplies) - 1 and len(waiting) >= processes and not unwanted:
            batches += _bounded([waiting], sizes, batch_nodes, processes)
            waiting = waiting[:0]
        pools.append(Pool(groups, batches))
    return EpochPlan(pools, dropped=len(waiting))


def evaluation_plan(
    table: JetTable,
    numbers: Integers,
    batch_size: int,
    *,
    pool_jets: int,
    sizes: Integers | None = None,
    batch_nodes: int | None = None,
) -> EpochPlan:
    """Every jet of ``numbers`` (sorted) once, in data set order up to a sort by size (``sizes``) inside each pool.

    ``batch_nodes``: as of ``training_plan``.
    """
    sizes = table.columns["n_nodes"] if sizes is None else sizes
    if len(numbers) == 0:
        return EpochPlan([])
    jets = _jets_of_groups(table, numbers)
    pools = []
    for groups in _stretches(np.array(list(jets), np.int64), jets, pool_jets):
        members = np.concatenate([jets[group] for group in groups])
        batches = _chunks(_by_size(members, sizes), batch_size)
        pools.append(Pool(groups, _bounded(batches, sizes, batch_nodes)))
    return EpochPlan(pools)


def own_pools(plan: EpochPlan, table: JetTable, share: Share, start: int = 0) -> list[OwnPool]:
    """What ``share`` reads and makes of the batches from number ``start`` on: no row group without a jet of them."""
    begun, kept = 0, []
    for pool in plan.pools:
        later = pool.batches[max(0, start - begun) :]
        begun += len(pool.batches)
        kept.append([(share.of(batch), len(batch)) for batch in later])
    own = [numbers for parts in kept for numbers, _ in parts]
    wanted = np.zeros(len(table.group_number), bool)
    if own:
        wanted[table.group_of(np.concatenate(own))] = True
    pools: list[OwnPool] = []
    for pool, parts in zip(plan.pools, kept, strict=True):
        groups = pool.groups[wanted[pool.groups]]
        if len(groups):
            pools.append(OwnPool(groups, parts))
        elif parts:
            # All its jets were left by earlier pools.
            pools[-1].parts.extend(parts)
    return pools


def _jets_of_groups(table: JetTable, numbers: Integers) -> dict[int, Integers]:
    """Row group → its jets among ``numbers``, for the groups that hold any."""
    groups, first = np.unique(table.group_of(numbers), return_index=True)
    return dict(zip(groups.tolist(), np.split(numbers, first[1:]), strict=True))


def _supplies(
    jets: dict[int, Integers], samples: NDArray, pool_jets: int, rng: np.random.Generator
) -> list[tuple[Integers, list[Integers]]]:
    """Of each pool the row groups that are read for it, and the jets that may be batched from then on.

    These are the jets of its row groups, but for samples of n row groups, fewer than pools or than two a full pool: the
    i-th of these is read for the pool in which i/n of the epoch is over, and its jets are given out by (i+1)/n of it,
    in proportion.
    """
    order = _spread(samples, list(jets), rng)
    stretches = _stretches(order, jets, pool_jets, _mixed(order, jets, samples))
    _, sample_of, counts = np.unique(samples[order], return_inverse=True, return_counts=True)
    few = counts < max(len(stretches), 2 * _size(order, jets) / pool_jets)
    common, sizes = order[~few[sample_of]], np.ones(len(stretches), np.int64)
    if few.all():
        stretches = [common] * len(stretches)
    elif few.any():
        share = _size(common, jets) / _size(order, jets)
        stretches = _stretches(common, jets, max(1, int(pool_jets * share)), _mixed(common, jets, samples))
        sizes = np.array([_size(groups, jets) for groups in stretches])
    over = np.cumsum(sizes) / sizes.sum()
    read = [groups.tolist() for groups in stretches]
    arrived = [[jets[group] for group in groups] for groups in read]
    for sample in np.flatnonzero(few):
        n = int(counts[sample])
        for i, group in enumerate(order[sample_of == sample].tolist()):
            first, last = int(np.searchsorted(over, i / n, side="right")), int(np.searchsorted(over, (i + 1) / n))
            given = np.rint((over[first:last] * n - i) * len(jets[group])).astype(np.int64)
            read[first].append(group)
            for pool, piece in enumerate(np.split(rng.permutation(jets[group]), given), first):
                arrived[pool].append(piece)
    return [(np.array(groups, np.int64), parts) for groups, parts in zip(read, arrived, strict=True)]


def _size(groups: Integers, jets: dict[int, Integers]) -> int:
    """Jets of row groups."""
    return sum(len(jets[group]) for group in groups.tolist())


def _spread(samples: NDArray, groups: list[int], rng: np.random.Generator) -> Integers:
    """The groups in random order, those of each sample at even distances: group i of n falls in [i/n, (i+1)/n)."""
    candidates = np.array(groups, np.int64)
    places = np.empty(len(candidates))
    for sample in np.unique(samples[candidates]):
        own = np.flatnonzero(samples[candidates] == sample)
        places[own] = (rng.permutation(len(own)) + rng.random(len(own))) / len(own)
    return candidates[np.argsort(places, kind="stable")]


def _mixed(order: Integers, jets: dict[int, Integers], samples: NDArray) -> int:
    """Jets of the first groups, up to the one with which every sample has been met."""
    _, met = np.unique(samples[order], return_index=True)
    return _size(order[: met.max() + 1], jets)


def _stretches(order: Integers, jets: dict[int, Integers], pool_jets: int, first: int | None = None) -> list[Integers]:
    """Cut the groups into stretches of ``pool_jets`` jets, to within one group; or from ``first`` jets on, each twice
    as long as the one before."""
    counts = np.array([len(jets[group]) for group in order.tolist()])
    n_jets, size, ends = int(counts.sum()), min(first or pool_jets, pool_jets), [0]
    while ends[-1] < n_jets:
        ends.append(ends[-1] + size)
        size = min(2 * size, pool_jets)
    pool = np.searchsorted(ends, np.cumsum(counts) - counts, side="right")
    return np.split(order, np.flatnonzero(np.diff(pool)) + 1)


def _by_size(numbers: Integers, sizes: Integers) -> Integers:
    return numbers[np.argsort(sizes[numbers], kind="stable")]


def _bounded(batches: list[Integers], sizes: Integers, most: int | None, least: int = 1) -> list[Integers]:
    """Split batches of more than ``most`` nodes, padding included, into equal parts of at least ``least`` jets."""
    if most is None:
        return batches
    parts: list[Integers] = []
    for batch in batches:
        fitting = max(1, most // max(1, int(sizes[batch].max(initial=0))))
        parts += np.array_split(batch, max(1, min(-(-len(batch) // fitting), len(batch) // least)))
    return parts


def _chunks(numbers: Integers, size: int) -> list[Integers]:
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]
