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
        index = np.flatnonzero(index) if index.dtype == bool else np.asarray(index, dtype=np.int64)
        counts = self.counts[index]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        source = np.repeat(self.offsets[:-1][index] - offsets[:-1], counts) + np.arange(offsets[-1])
        return Ragged(self.values[source], offsets)


def join(parts: Sequence[Ragged]) -> Ragged:
    """The lists of all ``parts`` (at least one), in order."""
    counts = np.concatenate([part.counts for part in parts])
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Ragged(np.concatenate([part.values for part in parts]), offsets)
