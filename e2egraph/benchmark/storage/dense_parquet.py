"""The field's way: dense float32 images, one jet a row group, snappy Parquet; written and read with pyarrow.

As ``convert_root2pq`` of the end-to-end analyses writes them: ``X_jets`` flat and channel-last, ``y``, ``m0``, ``pt``
(ntuples.md §3), all else left to pyarrow's defaults. Next to it, the same images with other settings, and two ways of
reading: theirs, and the best that pyarrow offers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

SCHEMA = pa.schema(
    [("X_jets", pa.list_(pa.float32())), ("y", pa.float32()), ("m0", pa.float32()), ("pt", pa.float32())]
)

Float32s = NDArray[np.float32]


@dataclass(frozen=True)
class Settings:
    """How an image file is written: ``options`` of ``pq.ParquetWriter``, and the jets of a row group."""

    name: str
    options: dict[str, Any]
    jets: int = 1


# What the field does, and the same with zstd; then the settings of which the smallest file is looked for, with row
# groups of a batch. In most images pixels repeat (hits are counted), so dictionaries help, unlike with points.
FIELD = Settings("snappy", {"compression": "snappy"})
ZSTD = Settings("zstd", {"compression": "zstd"})
CANDIDATES = tuple(
    Settings(f"zstd level {level}, {name}", {"compression": "zstd", "compression_level": level, **options}, 64)
    for level in (3, 9)
    for name, options in (
        ("dictionary", {}),
        ("plain", {"use_dictionary": False}),
        ("BYTE_STREAM_SPLIT", {"use_dictionary": False, "use_byte_stream_split": True}),
    )
)


@dataclass(frozen=True)
class ImageFile:
    """``jets`` images of ``shape`` (rows, columns, planes) in the file ``path``, ``group`` of them in a row group.

    ``settings``: how it is written, in words.
    """

    path: Path
    jets: int
    shape: tuple[int, int, int]
    group: int = 1
    settings: str = FIELD.name

    @property
    def bytes_per_jet(self) -> float:
        return self.path.stat().st_size / self.jets


class ImageWriter:
    """Writes images as the field does, each in a row group of its own, or with other ``settings``."""

    def __init__(self, path: Path, settings: Settings = FIELD) -> None:
        self._writer = pq.ParquetWriter(path, SCHEMA, **settings.options)
        self._jets = settings.jets

    def write(self, images: Float32s, label: NDArray, mass: NDArray, pt: NDArray) -> None:
        """``images`` [B, planes, rows, columns] with their labels, masses and pT, each [B]; a row group never holds
        jets of two calls."""
        for start in range(0, len(images), self._jets):
            some = slice(start, start + self._jets)
            flat = np.ascontiguousarray(images[some].transpose(0, 2, 3, 1)).reshape(len(images[some]), -1)
            ends = np.arange(len(flat) + 1, dtype=np.int32) * flat.shape[1]
            rows = [pa.ListArray.from_arrays(pa.array(ends), pa.array(flat.ravel()))]
            rows += [pa.array(values[some].astype(np.float32)) for values in (label, mass, pt)]
            self._writer.write_table(pa.Table.from_arrays(rows, schema=SCHEMA))

    def close(self) -> None:
        self._writer.close()


def read_as_the_field(images_file: ImageFile, batch: int) -> Iterator[tuple[Float32s, Float32s]]:
    """Row group → ``to_pydict`` → NumPy, jet by jet, as the published training scripts do; batches [B, *shape].

    Of files with one jet a row group.
    """
    file = pq.ParquetFile(images_file.path)
    images, labels = [], []
    for group in range(min(images_file.jets, file.num_row_groups)):
        row = file.read_row_group(group).to_pydict()
        images.append(np.float32(row["X_jets"][0]).reshape(images_file.shape))
        labels.append(np.float32(row["y"]))
        if len(images) == batch:
            yield np.stack(images), np.concatenate(labels)
            images, labels = [], []


def read_zero_copy(images_file: ImageFile, batch: int) -> Iterator[tuple[Float32s, Float32s]]:
    """The best reading of the same file: a batch's row groups at once, Arrow's buffers as NumPy, no Python objects."""
    file = pq.ParquetFile(images_file.path, memory_map=True)
    step = max(1, batch // images_file.group)
    for first in range(0, file.num_row_groups // step * step, step):
        table = file.read_row_groups(range(first, first + step), columns=["X_jets", "y"], use_threads=False)
        images = table["X_jets"].combine_chunks()
        values = images.chunk(0).values if isinstance(images, pa.ChunkedArray) else images.values
        yield values.to_numpy().reshape(len(table), *images_file.shape), table["y"].to_numpy()
