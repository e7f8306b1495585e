"""Whole numbers of a given type: run and event numbers, indices, counts. None of them may wrap or be cut off."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray

from e2egraph.errors import InputError


def not_whole(values: NDArray, kind: DTypeLike) -> NDArray[np.bool_]:
    """Where ``values`` are no whole numbers of integer type ``kind``; among real numbers also those beyond which their
    precision passes over some."""
    low, high = limits(values.dtype, kind)
    outside = (values < low) | (values > high)
    return outside if values.dtype.kind in "iub" else outside | ~(values == np.floor(values))


def limits(given: np.dtype, kind: DTypeLike) -> tuple[int, int]:
    """The least and largest whole number of type ``kind`` that numbers of type ``given`` can stand for."""
    wanted = np.iinfo(kind)
    if given.kind != "f":
        return int(wanted.min), int(wanted.max)
    exact = 2 ** (np.finfo(given).nmant + 1)
    return max(int(wanted.min), -exact), min(int(wanted.max), exact)


def check_whole(
    location: str, name: str, values: NDArray, start: int, kind: DTypeLike, counts: NDArray[np.int64] | None = None
) -> None:
    """InputError, naming the entry, unless all of ``values`` are whole numbers of type ``kind``.

    They belong to the entries from ``start`` on: one each, or as many as ``counts`` says.
    """
    if values.dtype.kind in "iu" and np.can_cast(values.dtype, kind):
        return
    wrong = not_whole(values, kind)
    if wrong.any():
        place = int(np.argmax(wrong))
        low, high = limits(values.dtype, kind)
        raise InputError(
            f"{location}: {name} of entry {start + entry_of(place, counts)} is {values[place]}, no whole number from "
            f"{low} to {high}; make the file again."
        )


def entry_of(place: int, counts: NDArray[np.int64] | None) -> int:
    """Which entry the value at ``place`` belongs to: one has a value each, or as many as ``counts`` says."""
    return place if counts is None else int(np.searchsorted(np.cumsum(counts), place, side="right"))
