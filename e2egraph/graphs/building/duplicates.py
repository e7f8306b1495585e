"""Events that occur more than once in a sample: found before any work, by hashes of (run, lumi, event)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from e2egraph.events.schema import EventSource
from e2egraph.graphs.building.hashing import hash_unit

# Identities are read in steps of at most this many events, and of no more than are well read at once: some readers work
# them out of whole events.
EVENTS_PER_STEP = 1 << 17


@dataclass(frozen=True)
class Repeats:
    """R events whose key was seen before, in the order of the files: file and entry of the first and of this one."""

    first_file: NDArray[np.int64]
    first_entry: NDArray[np.int64]
    file: NDArray[np.int64]
    entry: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.file)


@dataclass(frozen=True)
class GeneratorWeights:
    """The generator's weights of a file's events, each 1 where it gives none: their sum, the ``least``, the
    ``greatest``."""

    total: float = 0.0
    least: float = np.inf
    greatest: float = -np.inf

    @classmethod
    def of(cls, weights: ArrayLike) -> GeneratorWeights:
        """Those of events with these ``weights`` [E]."""
        of_event = np.asarray(weights, np.float64)
        if not len(of_event):
            return cls()
        return cls(float(of_event.sum()), float(of_event.min()), float(of_event.max()))

    def __add__(self, other: GeneratorWeights) -> GeneratorWeights:
        return GeneratorWeights(
            self.total + other.total, min(self.least, other.least), max(self.greatest, other.greatest)
        )

    @property
    def all_one(self) -> bool:
        """Whether their sum is the number of events, whichever of them are selected."""
        return self.least >= 1 and self.greatest <= 1


@dataclass(frozen=True)
class EventKeys:
    """``keys`` [E]: a 53-bit hash of the identity of every event of a file, 8 bytes each; ``weights``: the
    generator's."""

    keys: NDArray[np.float64]
    weights: GeneratorWeights


def event_keys(source: EventSource) -> EventKeys:
    """The keys of a file's events, read in steps whatever its size."""
    parts, weights = [np.empty(0)], GeneratorWeights()
    step = min(EVENTS_PER_STEP, source.events_at_once)
    for start in range(0, source.n_events, step):
        stop = min(start + step, source.n_events)
        events = source.read(start, stop, ["id"])
        parts.append(hash_unit(0, *(np.asarray(events[name]) for name in ("run", "lumi", "event"))))
        weights += GeneratorWeights.of(events["gen_weight"])
    return EventKeys(np.concatenate(parts), weights)


def identities(source: EventSource, start: int, stop: int) -> tuple[NDArray, NDArray, NDArray]:
    """Run, lumi and event number of events ``start:stop``."""
    events = source.read(start, stop, ["id"])
    run, lumi, event = (np.asarray(events[name]) for name in ("run", "lumi", "event"))
    return run, lumi, event


def repeats(keys: Sequence[NDArray[np.float64]]) -> Repeats:
    """Events whose key was seen before; ``keys``: of each file of a sample.

    Equal keys are all but equal events: among 10⁸ different ones half a pair is expected to collide, so a caller that
    refuses compares the identities.
    """
    flat = np.concatenate([np.empty(0), *keys])
    order = np.argsort(flat, kind="stable")
    again = np.flatnonzero(flat[order][1:] == flat[order][:-1]) + 1
    edges = np.concatenate([[0], np.cumsum([len(part) for part in keys])]).astype(np.int64)
    second = order[again]
    by_place = np.argsort(second)
    second, first = second[by_place], order[again - 1][by_place]
    first_file, file = (np.searchsorted(edges, index, side="right") - 1 for index in (first, second))
    return Repeats(first_file, first - edges[first_file], file, second - edges[file])
