"""``benchmark io``: bytes a jet, jets read a second and time spent waiting for data, against dense image files.

Both sides hold the same jets, are read on one core from a warm file cache, and end in batches of the same size. What
the image network itself does on its device (drawing the image) is measured apart.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from e2egraph.benchmark.report import Record, timed
from e2egraph.benchmark.scaling.cores import one_core
from e2egraph.benchmark.scaling.steps import optimizer_of, time_steps
from e2egraph.benchmark.storage import dense_parquet
from e2egraph.benchmark.storage.stored_images import compare_training
from e2egraph.data.batch import JetBatch
from e2egraph.data.loader import JetLoader, evaluation_loader, training_loader
from e2egraph.data.options import DataOptions
from e2egraph.data.table import JetTable, read_table
from e2egraph.errors import InputError
from e2egraph.models.image.rasterize import Rasterize
from e2egraph.models.registry import build_model, load_model_config

BATCH_SIZE = 64

# Jets of the files that are read: enough for seconds of the fastest way, little enough (244 MB of pixels) for any disk.
JETS = 512

# Training steps timed after the first, and the networks that are trained.
STEPS = 12
NETWORKS = ("resnet15", "gravnet")

Progress = Callable[[int, int], None]


def benchmark_io(
    data: Path, *, jets: int = JETS, steps: int = STEPS, networks: tuple[str, ...] = NETWORKS, repeats: int = 3,
    progress: Progress | None = None,
) -> list[Record]:  # fmt: skip
    """Measure with the first ``jets`` jets of the data set (images) and its training split (points), ``repeats`` times.

    The median of the repeats counts. InputError: not a data set, or fewer training jets than one batch.
    """
    table = read_table(data)
    if len(table.jets_of("train")) < 2 * BATCH_SIZE:
        raise InputError(f"{data}: fewer than {2 * BATCH_SIZE} training jets; build it from more events.")
    total = 2 + len(networks)
    advance = progress or (lambda done, of: None)
    with tempfile.TemporaryDirectory() as folder:
        snappy = Path(folder) / "images.snappy.parquet"
        written = _write_images(table, snappy, jets)
        advance(1, total)
        records = _sizes(table, written)
        with one_core():
            records += _rates(table, written, repeats)
            if written.jets >= 2 * BATCH_SIZE:
                records += compare_training(_loader(table, 2), written, table.manifest, BATCH_SIZE, repeats)
        advance(2, total)
    for number, name in enumerate(networks):
        records += _waiting(table, name, steps)
        advance(3 + number, total)
    return records


def _write_images(table: JetTable, path: Path, jets: int) -> dense_parquet.ImageFile:
    """Draw the first jets of the data set into an image file of the field's kind."""
    writer = dense_parquet.ImageWriter(path, "snappy")
    rasterize = Rasterize(table.manifest.network_inputs)
    options = DataOptions(evaluation_batch_size=BATCH_SIZE)
    batches = evaluation_loader(table, options, None)
    written = 0
    for batch in islice(batches, jets // BATCH_SIZE):
        images = rasterize(batch.points, batch.features, batch.mask).numpy()
        columns = table.manifest.network_inputs.object_names
        mass, pt = (_quantity(batch, columns, name) for name in ("jet_mass", "jet_pt"))
        writer.write(images, batch.label.numpy(), mass, pt)
        written += len(images)
    writer.close()
    shape = (rasterize.height, rasterize.width, len(rasterize.channels))
    return dense_parquet.ImageFile(path, written, shape)


def _quantity(batch: JetBatch, names: tuple[str, ...], name: str) -> NDArray:
    """An object quantity of a batch [B], 0 where the inputs do not hold it."""
    return batch.jet[:, names.index(name)].numpy() if name in names else np.zeros(len(batch))


def _sizes(table: JetTable, images: dense_parquet.ImageFile) -> list[Record]:
    shards = sum(shard.size for shard in table.manifest.shards) / len(table)
    written = images.jets
    compressed = images.path.stat().st_size / written
    uncompressed = dense_parquet.uncompressed_bytes(images.path) / written
    return [
        Record("shards", len(table), "bytes_per_jet", shards, "B", "zstd, all jet quantities included"),
        Record("image Parquet", written, "bytes_per_jet_uncompressed", uncompressed, "B"),
        Record("image Parquet", written, "bytes_per_jet", compressed, "B", "snappy"),
        Record("shards", len(table), "uncompressed_image_bytes_over_shard_bytes", uncompressed / shards, ""),
        Record("shards", len(table), "snappy_image_bytes_over_shard_bytes", compressed / shards, ""),
    ]


def _rates(table: JetTable, images: dense_parquet.ImageFile, repeats: int) -> list[Record]:
    """Jets a second into batches, on one core, the ways interleaved so that a busy machine slows them alike."""
    rasterize = Rasterize(table.manifest.network_inputs)
    kept = list(islice(evaluation_loader(table, DataOptions(), None), 4))

    def points() -> int:
        return sum(len(batch) for batch in _loader(table, 0))

    def drawn() -> int:
        return sum(len(rasterize(batch.points, batch.features, batch.mask)) for batch in kept)

    def images_of(read: Callable[[dense_parquet.ImageFile, int], Iterator[tuple[Any, Any]]]) -> int:
        return sum(len(batch) for batch, _ in read(images, BATCH_SIZE))

    ways: dict[str, Callable[[], int]] = {
        "image Parquet, to_pydict": lambda: images_of(dense_parquet.read_as_the_field),
        "image Parquet, zero-copy": lambda: images_of(dense_parquet.read_zero_copy),
        "shards": points,
        "drawing images": drawn,
    }
    ways["shards"]()
    ways["image Parquet, zero-copy"]()
    rates: dict[str, list[float]] = {name: [] for name in ways}
    counts: dict[str, int] = {}
    for _ in range(repeats):
        for name, way in ways.items():
            seconds, counts[name] = timed(way)
            rates[name].append(counts[name] / seconds)
    middle = {name: float(np.median(values)) for name, values in rates.items()}
    notes = {
        "image Parquet, to_pydict": "the field's own reading, one jet a row group",
        "image Parquet, zero-copy": "row groups of a batch at once, Arrow buffers as NumPy",
        "shards": "into padded batches, shuffled; an image network draws on its device",
        "drawing images": "Rasterize alone, on the CPU core; it belongs to the network and runs on its device",
    }
    records = [Record(name, counts[name], "jets_per_second", rate, "1/s", notes[name]) for name, rate in middle.items()]
    for name, metric in (
        ("image Parquet, to_pydict", "rate_over_to_pydict"),
        ("image Parquet, zero-copy", "rate_over_zero_copy"),
    ):
        records.append(Record("shards", counts["shards"], metric, middle["shards"] / middle[name], ""))
    return records


def _waiting(table: JetTable, name: str, steps: int) -> list[Record]:
    """Share of training time that a network on this machine's processor waits for batches, after the first one."""
    torch.manual_seed(1)
    model = build_model(load_model_config(name), table.manifest.network_inputs, table.manifest.objective.outputs)
    took = time_steps(model, optimizer_of(model), _loader(table, 1), steps)
    threads = f"{torch.get_num_threads()} threads"
    note = f"{took.steps} CPU training steps, {threads}"
    return [
        Record(name, took.jets, "data_wait_share", took.wait_share, "", note),
        Record(name, took.jets, "train_jets_per_second", took.jets_per_second, "1/s", threads),
        Record(name, 1, "first_batch_seconds", took.first_batch_seconds, "s", "once an epoch: first row groups"),
    ]


def _loader(table: JetTable, epoch: int) -> JetLoader:
    return training_loader(table, DataOptions(), BATCH_SIZE, seed=1, epoch=epoch)
