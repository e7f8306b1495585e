"""Collections of the event record as flat NumPy columns, and back.

Awkward's general functions take some hundred µs a call whatever the size; the columns of a list of records are found by
hand in as many ns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import awkward as ak
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Flat:
    """A collection of E events: ``counts`` [E], and name → [S] of the members of all events, event after event."""

    counts: NDArray[np.int64]
    columns: dict[str, NDArray]

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """Event i owns the members ``offsets[i]:offsets[i+1]``, [E+1]."""
        return np.concatenate([[0], np.cumsum(self.counts)]).astype(np.int64)

    def with_columns(self, columns: Mapping[str, NDArray]) -> Flat:
        """The same collection with further columns, or others in their place."""
        return Flat(self.counts, {**self.columns, **columns})

    def take(self, kept: NDArray[np.bool_]) -> Flat:
        """The members where ``kept`` [S] is true."""
        if kept.all():
            return self
        left = np.flatnonzero(kept)
        counts = np.diff(np.searchsorted(left, self.offsets))
        return Flat(counts, {name: column.take(left) for name, column in self.columns.items()})

    def of_events(self, chosen: NDArray[np.bool_]) -> Flat:
        """The members of the events where ``chosen`` [E] is true; the others have none."""
        if chosen.all():
            return self
        counts = np.where(chosen, self.counts, 0)
        before = np.cumsum(counts) - counts
        members = np.repeat(self.offsets[:-1] - before, counts) + np.arange(counts.sum())
        return Flat(counts, {name: column.take(members) for name, column in self.columns.items()})

    def record(self) -> ak.Array:
        """As a list of records for each event."""
        columns = [ak.contents.NumpyArray(column) for column in self.columns.values()]
        record = ak.contents.RecordArray(columns, list(self.columns), length=int(self.offsets[-1]))
        return ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(self.offsets), record))


def flat(collection: ak.Array) -> Flat:
    """The columns of a list of records for each event."""
    layout = collection.layout
    if isinstance(layout, ak.contents.ListOffsetArray) and isinstance(layout.content, ak.contents.RecordArray):
        offsets = np.asarray(layout.offsets)
        contents = dict(zip(layout.content.fields, layout.content.contents, strict=True))
        if all(isinstance(column, ak.contents.NumpyArray) for column in contents.values()):
            first, last = offsets[0], offsets[-1]
            return Flat(np.diff(offsets), {name: np.asarray(part.data)[first:last] for name, part in contents.items()})
    counts = ak.to_numpy(ak.num(collection)).astype(np.int64)
    return Flat(counts, {name: ak.to_numpy(ak.flatten(collection[name])) for name in collection.fields})


def flat_branch(array: ak.Array) -> tuple[NDArray, NDArray[np.int64]]:
    """Values [S] and counts [E] of a branch of one list of numbers for each entry."""
    layout = array.layout
    if isinstance(layout, ak.contents.ListOffsetArray) and isinstance(layout.content, ak.contents.NumpyArray):
        offsets = np.asarray(layout.offsets)
        return np.asarray(layout.content.data)[offsets[0] : offsets[-1]], np.diff(offsets)
    return ak.to_numpy(ak.flatten(array)), ak.to_numpy(ak.num(array)).astype(np.int64)
