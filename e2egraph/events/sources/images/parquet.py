"""Images in Parquet, as flat or nested lists."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.events import locations
from e2egraph.events.locations import closed_on_error, damage_named
from e2egraph.events.sources.images.container import IMAGE_COLUMNS, JETS_PER_STEP, check_plain


class ParquetContainer:
    """Parquet with images as flat or nested lists, in row groups of any size."""

    def __init__(self, location: str) -> None:
        self._location = location
        with damage_named(location, "not a readable Parquet file"):
            source = locations.open_binary(location) if locations.is_remote(location) else _plain_file(location)
            # Files written with page checksums (few are) have them verified.
            self._file = pq.ParquetFile(source, page_checksum_verification=True)
            with closed_on_error(self):
                self.names = frozenset(self._file.schema_arrow.names)
                metadata = self._file.metadata
                rows = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
                if sum(rows) != metadata.num_rows or min(rows, default=0) < 0:
                    raise InputError(f"{location}: its row groups do not add up; the file is damaged: copy it again.")
        self._ends = np.cumsum(rows, dtype=np.int64)
        self._image = next((name for name in IMAGE_COLUMNS if name in self.names), "")
        self._columns: dict[str, NDArray] = {}

    @property
    def n_jets(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def close(self) -> None:
        self._file.close(force=True)

    def column(self, name: str) -> NDArray:
        if name not in self._columns:
            with damage_named(self._location, "not a readable Parquet file"):
                values = self._file.read(columns=[name], use_threads=False)[name].combine_chunks()
                array = _leaf(values, self._location, name)
            self._columns[name] = check_plain(self._location, name, array, self.n_jets)
        return self._columns[name]

    def batches(self, start: int) -> Iterator[NDArray]:
        first = int(np.searchsorted(self._ends, start, side="right"))
        skip = start - (int(self._ends[first - 1]) if first else 0)
        groups = list(range(first, len(self._ends)))
        with damage_named(self._location, "not a readable Parquet file"):
            tables = self._file.iter_batches(JETS_PER_STEP, groups, columns=[self._image], use_threads=False)
            for table in tables:
                if skip >= len(table):
                    skip -= len(table)
                    continue
                yield _leaf(table.column(0)[skip:], self._location, self._image)
                skip = 0


def _plain_file(location: str) -> Any:
    path = locations.local_path(location)
    with locations.open_binary(location) as file:  # for its error sentences
        file.seek(0, io.SEEK_END)
    return str(path)


def _leaf(values: Any, location: str, name: str) -> NDArray:
    """Nested Arrow lists of equal lengths as a NumPy array [n, …]; InputError for nulls, ragged rows and text."""
    dimensions = [len(values)]
    while pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        if values.null_count:
            raise InputError(f"{location}: {name} has empty entries (null); make the file again.")
        lengths = np.diff(values.offsets.to_numpy())
        if len(lengths) and (lengths != lengths[0]).any():
            odd = int(np.argmax(lengths != lengths[0]))
            raise InputError(
                f"{location}: {name} has rows of different lengths ({lengths[odd]} and {lengths[0]} values); make the "
                "file again."
            )
        dimensions.append(int(lengths[0]) if len(lengths) else 0)
        values = values.flatten()
    while pa.types.is_fixed_size_list(values.type):
        if values.null_count:
            raise InputError(f"{location}: {name} has empty entries (null); make the file again.")
        dimensions.append(values.type.list_size)
        values = values.flatten()
    if not (pa.types.is_floating(values.type) or pa.types.is_integer(values.type) or pa.types.is_boolean(values.type)):
        raise InputError(f"{location}: {name} holds {values.type} and no numbers; make the file again.")
    if values.null_count:
        raise InputError(f"{location}: {name} has empty entries (null); make the file again.")
    return values.to_numpy(zero_copy_only=False).reshape(dimensions)
