"""The field's way: dense float32 images, one jet a row group, snappy Parquet; written and read with pyarrow.

As ``convert_root2pq`` of the end-to-end analyses writes them: ``X_jets`` flat and channel-last, ``y``, ``m0``, ``pt``
(ntuples.md §3). Two ways of reading: theirs, and the best that pyarrow offers for the same file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

SCHEMA = pa.schema(
    [("X_jets", pa.list_(pa.float32())), ("y", pa.float32()), ("m0", pa.float32()), ("pt", pa.float32())]
)

Float32s = NDArray[np.float32]


@dataclass(frozen=True)
class ImageFile:
    """``jets`` images of ``shape`` (rows, columns, planes) in the file ``path``."""

    path: Path
    jets: int
    shape: tuple[int, int, int]


class ImageWriter:
    """Writes images jet by jet, each in a row group of its own."""

    def __init__(self, path: Path, compression: str) -> None:
        self._writer = pq.ParquetWriter(path, SCHEMA, compression=compression, use_dictionary=False)

    def write(self, images: Float32s, label: NDArray, mass: NDArray, pt: NDArray) -> None:
        """``images`` [B, planes, rows, columns] with their labels, masses and pT, each [B]."""
        for image, *rest in zip(images, label, mass, pt, strict=True):
            flat = np.ascontiguousarray(image.transpose(1, 2, 0)).ravel()
            row = [pa.ListArray.from_arrays(pa.array([0, len(flat)], pa.int32()), pa.array(flat))]
            row += [pa.array([float(value)], pa.float32()) for value in rest]
            self._writer.write_table(pa.Table.from_arrays(row, schema=SCHEMA))

    def close(self) -> None:
        self._writer.close()


def read_as_the_field(images_file: ImageFile, batch: int) -> Iterator[tuple[Float32s, Float32s]]:
    """Row group → ``to_pydict`` → NumPy, jet by jet, as the published training scripts do; batches [B, *shape]."""
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
    for first in range(0, min(images_file.jets, file.num_row_groups) // batch * batch, batch):
        table = file.read_row_groups(range(first, first + batch), columns=["X_jets", "y"], use_threads=False)
        images = table["X_jets"].combine_chunks()
        values = images.chunk(0).values if isinstance(images, pa.ChunkedArray) else images.values
        yield values.to_numpy().reshape(batch, *images_file.shape), table["y"].to_numpy()


def uncompressed_bytes(path: Path) -> int:
    """Bytes of the column data of a file before compression."""
    metadata = pq.read_metadata(path)
    return sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
