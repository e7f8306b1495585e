"""Jet images with known pixels, and the files the field keeps them in, written without any code of the package."""

import gzip
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tfrecord import TFRecordWriter

BOOSTED_TOP = ("track_pt", "track_d0_sig", "track_dz_sig", "ECAL", "HCAL", "BPIX1", "BPIX2", "BPIX3")


def images(jets: int, planes: tuple[str, ...], seed: int = 1, size: int = 125) -> np.ndarray:
    """[jets, planes, size, size] float32, sparse, as converters make them: towers / 25, whole hits, signed d0 and dz.

    Some d0, dz and times lie where pT or energy is 0.
    """
    rng = np.random.default_rng(seed)
    made = np.zeros((jets, len(planes), size, size), np.float32)
    lit = rng.random((jets, size, size)) < 0.02
    for i, name in enumerate(planes):
        some = lit & (rng.random(lit.shape) < 0.7)
        if name == "HCAL":
            n = size // 5
            towers = np.where(rng.random((jets, n, n)) < 0.2, rng.exponential(3, (jets, n, n)), 0).astype(np.float32)
            made[:, i] = np.repeat(np.repeat(towers, 5, axis=1), 5, axis=2) / np.float32(25)
        elif name[:3] in ("BPI", "TIB", "TOB"):
            made[:, i] = np.where(some, rng.integers(1, 5, lit.shape), 0)
        elif name in ("track_pt", "ECAL"):
            made[:, i] = np.where(some, rng.exponential(2, lit.shape), 0)
        else:
            made[:, i] = np.where(some, rng.standard_t(2, lit.shape), 0)
    return made


def quantities(jets: int, seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "pt": rng.uniform(400, 900, jets).astype(np.float32),
        "m0": rng.uniform(50, 250, jets).astype(np.float32),
        "y": (np.arange(jets) % 2).astype(np.float32),
    }


def write_parquet(
    path: Path, pixels: np.ndarray, columns: dict, *, flat: bool, name: str = "X_jets", **options
) -> Path:
    """One jet a row group, snappy, as the field does; flat rows are channel-last, nested ones channel-first doubles."""
    if flat:
        rows = [image.transpose(1, 2, 0).ravel() for image in pixels]
        image = pa.array(rows, pa.list_(pa.float32()))
    else:
        image = pa.array(pixels.astype(np.float64).tolist(), pa.list_(pa.list_(pa.list_(pa.float64()))))
    table = pa.table({name: image, **{key: pa.array(values) for key, values in columns.items()}})
    pq.write_table(table, path, **{"row_group_size": 1, "compression": "snappy", **options})
    return path


def write_hdf5(path: Path, pixels: np.ndarray, columns: dict, *, name: str, last: bool, **options) -> Path:
    with h5py.File(path, "w") as file:
        data = np.moveaxis(pixels, 1, 3) if last else pixels
        file.create_dataset(name, data=data, chunks=(1, *data.shape[1:]), **options)
        for key, values in columns.items():
            file.create_dataset(key, data=values[:, None])
    return path


def write_tfrecord(path: Path, pixels: np.ndarray, columns: dict, *, compressed: bool = True) -> Path:
    writer = TFRecordWriter(str(path))
    for i, image in enumerate(pixels):
        features = {"X_jets": (image.transpose(1, 2, 0).ravel(), "float")}
        writer.write(features | {key: (float(values[i]), "float") for key, values in columns.items()})
    writer.close()
    if compressed:
        path.write_bytes(gzip.compress(path.read_bytes(), compresslevel=1))
    return path


def write_boosted_top(path, pixels, columns):
    """The boosted-top layout in the container that the file's suffix names: parquet, h5 or tfrecord."""
    if path.suffix == ".parquet":
        write_parquet(path, pixels, columns, flat=True)
    elif path.suffix == ".h5":
        write_hdf5(path, pixels, columns, name="X_jets", last=True)
    else:
        write_tfrecord(path, pixels, columns)
