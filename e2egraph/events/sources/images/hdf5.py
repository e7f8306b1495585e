"""Images in HDF5: one dataset of images, [N, rows, columns, planes] or [N, planes, rows, columns], others [N]."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.events import locations
from e2egraph.events.locations import closed_on_error, damage_named
from e2egraph.events.sources.images.container import IMAGE_COLUMNS, JETS_PER_STEP, check_plain


class Hdf5Container:
    """The datasets of an HDF5 file, at its top level or in one ``group`` of it (InputError without it). ``images``:
    names that the dataset of images may have. Links into other files and external storage are refused."""

    def __init__(self, location: str, group: str | None = None, images: Sequence[str] = IMAGE_COLUMNS) -> None:
        self._location = location
        self._raw = locations.open_binary(location)
        with closed_on_error(self._raw), damage_named(location, "not a readable HDF5 file"):
            self._root: Any = h5py.File(self._raw, "r")
            if group is not None:
                self._root = self._group(group)
            found = {name: self._dataset(name) for name in self._root}
        self._data = {name: data for name, data in found.items() if data is not None}
        self.names = frozenset(self._data)
        self._images: Any = next((self._data[name] for name in images if name in self._data), None)

    @property
    def n_jets(self) -> int:
        return int(self._images.shape[0]) if self._images is not None and self._images.shape else 0

    def close(self) -> None:
        self._root.file.close()
        self._raw.close()

    def column(self, name: str) -> NDArray:
        data = self._data[name]
        if data.shape is None or len(data.shape) not in (1, 2) or np.prod(data.shape) > max(self.n_jets, 1):
            raise InputError(
                f"{self._location}: {name} has shape {data.shape}, expected one number for each of "
                f"{self.n_jets} images; make the file again."
            )
        with damage_named(self._location, "not a readable HDF5 file"):
            array = data[()]
        return check_plain(self._location, name, array, self.n_jets)

    def batches(self, start: int) -> Iterator[NDArray]:
        for low in range(start, self.n_jets, JETS_PER_STEP):
            with damage_named(self._location, "not a readable HDF5 file"):
                yield self._images[low : min(low + JETS_PER_STEP, self.n_jets)]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one image; () where there are none."""
        return tuple(self._images.shape[1:]) if self._images is not None else ()

    def _group(self, name: str) -> Any:
        found = self._root[name] if isinstance(self._root.get(name, getlink=True), h5py.HardLink) else None
        if not isinstance(found, h5py.Group):
            there = ", ".join(sorted(self._root)[:8]) or "nothing"
            raise InputError(f"{self._location}: no group {name} (found {there}); give a file that has it.")
        return found

    def _dataset(self, name: str) -> Any | None:
        if not isinstance(self._root.get(name, getlink=True), h5py.HardLink):
            raise InputError(f"{self._location}: {name} links elsewhere; write the data into the file itself.")
        data = self._root[name]
        if not isinstance(data, h5py.Dataset):
            return None
        if data.external or data.is_virtual:
            raise InputError(f"{self._location}: {name} is stored in other files; write the data into the file itself.")
        return data
