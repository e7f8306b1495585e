"""Whole numbers of a given type: run and event numbers, indices, counts. None of them may wrap or be cut off."""

from __future__ import annotations

import awkward as ak
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


def check_whole(location: str, name: str, values: ak.Array, start: int, kind: DTypeLike) -> ak.Array:
    """``values`` (numbers, plain or one level deep, of the entries from ``start`` on) if all are whole numbers of type
    ``kind``; else InputError naming the entry."""
    flat = ak.to_numpy(ak.flatten(values, axis=None))
    wrong = not_whole(flat, kind)
    if wrong.any():
        place = int(np.argmax(wrong))
        entry = place if values.ndim == 1 else int(np.searchsorted(np.cumsum(ak.num(values)), place, side="right"))
        low, high = limits(flat.dtype, kind)
        raise InputError(
            f"{location}: {name} of entry {start + entry} is {flat[place]}, no whole number from {low} to {high}; make "
            "the file again."
        )
    return values
