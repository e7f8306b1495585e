"""What every file of images offers: columns of one number a jet, and batches of pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError

# Names of the image column in the files of the field (ntuples.md §3).
IMAGE_COLUMNS = ("X_jets", "X_jet", "X", "all_jet")

# Images read at once: 32 of 13 planes in double precision are 52 MB.
JETS_PER_STEP = 32


class Container(Protocol):
    """A file of N jets. ``names``: its columns, the images' own among them."""

    names: frozenset[str]

    @property
    def n_jets(self) -> int: ...

    def close(self) -> None:
        """Close the file; nothing is read from it afterwards."""
        ...

    def column(self, name: str) -> NDArray:
        """A plain column, [N]; InputError when it is none."""
        ...

    def batches(self, start: int) -> Iterator[NDArray]:
        """Pixels of the jets from ``start`` on, at most ``JETS_PER_STEP`` at once, each [b, …] of any float type."""
        ...


def check_plain(location: str, name: str, array: NDArray, n_jets: int) -> NDArray:
    """``array`` as [N] if it is a column of one number a jet, finite; InputError otherwise."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape != (n_jets,) or array.dtype.kind not in "fiub":
        raise InputError(
            f"{location}: column {name} holds {array.dtype} of shape {array.shape}, expected one number for each of "
            f"{n_jets} images; make the file again."
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        jet = int(np.argmax(~np.isfinite(array)))
        raise InputError(f"{location}: {name} of image {jet} is NaN or infinite; make the file again.")
    return array
