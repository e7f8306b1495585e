"""Any file of images → its container, by format: Parquet, HDF5, TFRecord, or crops in ROOT."""

from __future__ import annotations

from e2egraph.errors import InputError
from e2egraph.events.sources.images.container import IMAGE_COLUMNS, Container


def open_container(location: str, kind: str) -> tuple[Container, str]:
    """The container at a location and the name of its image column; ``kind``: Parquet, HDF5, ROOT or TFRecord."""
    container: Container
    if kind == "Parquet":
        from e2egraph.events.sources.images.parquet import ParquetContainer

        container = ParquetContainer(location)
    elif kind == "HDF5":
        from e2egraph.events.sources.images.hdf5 import Hdf5Container

        container = Hdf5Container(location)
    elif kind == "ROOT":
        from e2egraph.events.sources.images.croptree import CropTree

        container = CropTree(location)
    else:
        from e2egraph.events.sources.images.tfrecord import TFRecordContainer

        container = TFRecordContainer(location)
    name = next((name for name in IMAGE_COLUMNS if name in container.names), None)
    if name is None:
        container.close()
        there = ", ".join(sorted(container.names)[:8]) or "nothing"
        raise InputError(
            f"{location}: no image column {', '.join(IMAGE_COLUMNS)} (found {there}); give a file of images."
        )
    return container, name
