"""Lists of numbers of different lengths, one for each object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Ragged:
    """J lists with M values in all: list i is ``values[offsets[i]:offsets[i+1]]``; ``offsets`` [J+1]."""

    values: NDArray
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def counts(self) -> NDArray[np.int64]:
        """Length of each list, [J]."""
        return np.diff(self.offsets)

    @property
    def owner(self) -> NDArray[np.int64]:
        """The list that each value is in, [M]."""
        return np.repeat(np.arange(len(self)), self.counts)

    def take(self, index: NDArray) -> Ragged:
        """The lists at ``index`` (integers in any order, or a boolean mask [J])."""
        chosen = lists_at(self.offsets, index)
        return Ragged(self.values[chosen.source], chosen.offsets)


@dataclass(frozen=True)
class ChosenLists:
    """Some of J lists: their numbers ``index`` [K], where their values lie (``source`` [M]) and begin (``offsets``
    [K+1])."""

    index: NDArray[np.int64]
    source: NDArray[np.int64]
    offsets: NDArray[np.int64]


def lists_at(offsets: NDArray[np.int64], index: NDArray) -> ChosenLists:
    """The lists at ``index`` (integers in any order, or a mask [J]) of those that begin at ``offsets`` [J+1]."""
    index = np.flatnonzero(index) if index.dtype == bool else np.asarray(index, dtype=np.int64)
    counts = np.diff(offsets)[index]
    begins = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    source = np.repeat(offsets[:-1][index] - begins[:-1], counts) + np.arange(begins[-1])
    return ChosenLists(index, source, begins)


def join(parts: Sequence[Ragged]) -> Ragged:
    """The lists of all ``parts`` (at least one), in order."""
    counts = np.concatenate([part.counts for part in parts])
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Ragged(np.concatenate([part.values for part in parts]), offsets)
