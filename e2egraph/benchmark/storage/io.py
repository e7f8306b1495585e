"""``benchmark io``: bytes per jet, jets read a second and time spent waiting for data, against image files and others.

Shards are read for their training split; images and others' formats hold some jets of that split, drawn at random, the
same for all. All are read on one core from a warm file cache and end in batches of the same size. The size of shards is
that of the whole data set, whose splits are alike. What the image network itself does on its device (drawing the image)
is measured apart.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from e2egraph.benchmark.report import Record, timed
from e2egraph.benchmark.scaling.cores import one_core
from e2egraph.benchmark.scaling.steps import optimizer_of, time_steps
from e2egraph.benchmark.storage import dense_parquet
from e2egraph.benchmark.storage.peers import WEAVER_MISSING, Peer, list_parquet, padded_hdf5, weaver
from e2egraph.benchmark.storage.stored_images import compare_training
from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.loading.loader import JetLoader, random_jets, random_loader, training_loader
from e2egraph.data.loading.pools import columns_for, read_jets, read_pools
from e2egraph.data.loading.sampler import own_pools
from e2egraph.data.options import DataOptions
from e2egraph.data.share import ALONE
from e2egraph.data.table import JetTable, read_table
from e2egraph.errors import InputError
from e2egraph.models.image.rasterize import Rasterize
from e2egraph.models.registry import build_model, load_model_config
from e2egraph.tasks.objectives.classification import Classification
from e2egraph.training.objectives.learning import make_learning

BATCH_SIZE = 64

# What all formats hold jets of.
SPLIT = "train"

# Jets in files of images and of others: enough for seconds of the fastest way, little enough (244 MB of pixels) for any
# disk.
JETS = 512

# Training steps timed after the first, and the networks that are trained.
STEPS = 12
NETWORKS = ("resnet15", "gravnet", "tracks-and-cells-small")

# The image file with the settings of pyarrow that make it smallest.
BEST = "best"

Progress = Callable[[int, int], None]


def benchmark_io(
    data: Path, *, jets: int = JETS, steps: int = STEPS, networks: tuple[str, ...] = NETWORKS, repeats: int = 3,
    progress: Progress | None = None, say: Callable[[str], None] = lambda line: None,
) -> list[Record]:  # fmt: skip
    """Measure with the training split (shards) and ``jets`` jets of it, in whole batches, drawn at random (images and
    peers), ``repeats`` times.

    The median of the repeats counts. ``say`` gets a remark on what is left out. InputError: not a data set, or fewer
    training jets than one batch.
    """
    table = read_table(data)
    if len(table.jets_of(SPLIT)) < 2 * BATCH_SIZE:
        raise InputError(f"{data}: fewer than {2 * BATCH_SIZE} training jets; build it from more events.")
    if not isinstance(table.manifest.objective, Classification):
        raise InputError(f"{data}: images are compared on labels alone; give a data set of classes to tell apart.")
    total = 2 + len(networks)
    advance = progress or (lambda done, of: None)
    with tempfile.TemporaryDirectory() as folder:
        images = _write_images(table, Path(folder), jets)
        peers = _peers(table, Path(folder), jets, say)
        advance(1, total)
        records = _sizes(table, images, peers)
        field = images[dense_parquet.FIELD.name]
        with one_core():
            records += _rates(table, images, peers, repeats)
            if field.jets >= 2 * BATCH_SIZE:
                records += compare_training(_loader(table, 2), field, table.manifest, BATCH_SIZE, repeats)
        records += _scaling(table, repeats)
        advance(2, total)
    for number, name in enumerate(networks):
        records += _waiting(table, name, steps)
        advance(3 + number, total)
    return records


def _write_images(table: JetTable, folder: Path, jets: int) -> dict[str, dense_parquet.ImageFile]:
    """Draw jets of ``random_jets`` into image files: the field's, the same with zstd, and the smallest that pyarrow can
    write (``BEST``)."""
    rasterize = Rasterize(table.manifest.network_inputs)
    shape = (rasterize.height, rasterize.width, len(rasterize.channels))
    settings = (dense_parquet.FIELD, dense_parquet.ZSTD, *dense_parquet.CANDIDATES)
    paths = {each.name: folder / f"{number}.parquet" for number, each in enumerate(settings)}
    writers = {each.name: dense_parquet.ImageWriter(paths[each.name], each) for each in settings}
    columns, written = table.manifest.network_inputs.object_names, 0
    for batch in random_loader(table, DataOptions(), _whole_batches(jets), SPLIT):
        drawn = rasterize(batch.points, batch.features, batch.mask).numpy()
        mass, pt = (_quantity(batch, columns, name) for name in ("jet_mass", "jet_pt"))
        for writer in writers.values():
            writer.write(drawn, batch.label.numpy(), mass, pt)
        written += len(drawn)
    for writer in writers.values():
        writer.close()
    files = {
        each.name: dense_parquet.ImageFile(paths[each.name], written, shape, each.jets, each.name) for each in settings
    }
    smallest = min((files[each.name] for each in dense_parquet.CANDIDATES), key=lambda file: file.bytes_per_jet)
    return {each.name: files[each.name] for each in (dense_parquet.FIELD, dense_parquet.ZSTD)} | {BEST: smallest}


def _quantity(batch: JetBatch, names: tuple[str, ...], name: str) -> NDArray:
    """An object quantity of a batch [B], 0 where the inputs do not hold it."""
    return batch.jet[:, names.index(name)].numpy() if name in names else np.zeros(len(batch))


def _whole_batches(jets: int) -> int:
    return jets // BATCH_SIZE * BATCH_SIZE


def _peers(table: JetTable, folder: Path, jets: int, say: Callable[[str], None]) -> list[Peer]:
    """The jets of the images as others hold points."""
    wanted = random_jets(table, _whole_batches(jets), SPLIT)
    columns = [*dict.fromkeys([*columns_for(table.inputs), *table.manifest.object_columns])]
    _, clouds = read_jets(table, np.unique(table.group_of(wanted)), wanted, columns)
    lists = list_parquet(clouds, table.inputs, folder, BATCH_SIZE)
    peers = [lists, *(padded_hdf5(clouds, table.inputs, folder, BATCH_SIZE, kind) for kind in ("lzf", None))]
    longest = int(clouds.counts.max(initial=1))
    other = weaver(lists, table.manifest.classes, table.inputs, longest, BATCH_SIZE)
    if other is None:
        say(WEAVER_MISSING)
    return peers if other is None else [*peers, other]


def _sizes(table: JetTable, images: dict[str, dense_parquet.ImageFile], peers: list[Peer]) -> list[Record]:
    shards = sum(shard.size for shard in table.manifest.shards) / len(table)
    field, best = images[dense_parquet.FIELD.name], images[BEST]
    pixels = float(4 * np.prod(field.shape))
    named = {name: file for name, file in images.items() if file is not field}
    return [
        Record("shards", len(table), "bytes_per_jet", shards, "B", "all jet quantities included; of all splits"),
        Record("image Parquet", field.jets, "bytes_per_jet_uncompressed", pixels, "B", "float32 pixels"),
        Record("image Parquet", field.jets, "bytes_per_jet", field.bytes_per_jet, "B", "snappy, pyarrow's defaults"),
        *(
            Record(f"image Parquet, {name}", file.jets, "bytes_per_jet", file.bytes_per_jet, "B", file.settings)
            for name, file in named.items()
        ),
        *(Record(peer.name, peer.jets, "bytes_per_jet", peer.bytes_per_jet, "B", peer.note) for peer in peers),
        Record("shards", len(table), "uncompressed_image_bytes_over_shard_bytes", pixels / shards, ""),
        Record("shards", len(table), "snappy_image_bytes_over_shard_bytes", field.bytes_per_jet / shards, ""),
        Record("shards", len(table), "best_image_bytes_over_shard_bytes", best.bytes_per_jet / shards, ""),
    ]


def _rates(
    table: JetTable, images: dict[str, dense_parquet.ImageFile], peers: list[Peer], repeats: int
) -> list[Record]:
    """Jets per second into batches, and CPU time, on one core; in turns, so that a busy machine slows all equally."""
    rasterize = Rasterize(table.manifest.network_inputs)
    kept = list(random_loader(table, DataOptions(), 4 * BATCH_SIZE, SPLIT))

    def drawn() -> int:
        return sum(len(rasterize(batch.points, batch.features, batch.mask)) for batch in kept)

    def zero_copy(file: dense_parquet.ImageFile) -> int:
        return sum(len(batch) for batch, _ in dense_parquet.read_zero_copy(file, BATCH_SIZE))

    field, smallest = images[dense_parquet.FIELD.name], images[BEST]
    ways: dict[str, tuple[Callable[[], int], str]] = {
        "image Parquet, to_pydict": (
            lambda: sum(len(batch) for batch, _ in dense_parquet.read_as_the_field(field, BATCH_SIZE)),
            "the field's own reading, one jet a row group",
        ),
        "image Parquet, zero-copy": (
            lambda: zero_copy(field),
            "row groups of a batch at once, Arrow buffers as NumPy",
        ),
        "image Parquet, best": (lambda: zero_copy(smallest), f"{smallest.settings}; zero-copy"),
        **{peer.name: (peer.read, peer.note) for peer in peers},
        "shards": (
            lambda: sum(map(len, _loader(table, 0))),
            "into padded batches, shuffled; an image network draws on its device",
        ),
        "shards, ragged": (
            lambda: sum(map(len, _loader(table, 0).ragged())),
            "into batches that a GPU pads, shuffled",
        ),
        "drawing images": (drawn, "Rasterize alone, on the CPU core; it belongs to the network and runs on its device"),
    }
    ways["shards"][0]()
    ways["image Parquet, zero-copy"][0]()
    rates: dict[str, list[float]] = {name: [] for name in ways}
    costs: dict[str, list[float]] = {name: [] for name in ways}
    counts: dict[str, int] = {}
    for _ in range(repeats):
        for name, (way, _note) in ways.items():
            begun = time.process_time()
            seconds, counts[name] = timed(way)
            rates[name].append(counts[name] / seconds)
            costs[name].append(1e6 * (time.process_time() - begun) / counts[name])
    middle = {name: float(np.median(values)) for name, values in rates.items()}
    records = []
    for name, (_, note) in ways.items():
        cost = float(np.median(costs[name]))
        records.append(Record(name, counts[name], "jets_per_second", middle[name], "1/s", note))
        records.append(Record(name, counts[name], "cpu_microseconds_per_jet", cost, "µs", note))
    for name, metric in (
        ("image Parquet, to_pydict", "rate_over_to_pydict"),
        ("image Parquet, zero-copy", "rate_over_zero_copy"),
        ("image Parquet, best", "rate_over_best_image"),
        *((peer.name, f"rate_over_{peer.name}") for peer in peers),
    ):
        records.append(Record("shards", counts["shards"], metric, middle["shards"] / middle[name], ""))
    return records


def _scaling(table: JetTable, repeats: int) -> list[Record]:
    """How much faster two threads read than one, where there are two cores: pools alone, without making batches."""
    if len(os.sched_getaffinity(0)) < 2:
        return []
    plan = _loader(table, 0).plan
    pools = own_pools(plan, table, ALONE)

    def seconds(threads: int) -> float:
        options = DataOptions(reading_threads=threads)
        return timed(lambda: sum(len(rows) for rows in read_pools(table, options, (), pools)))[0]

    both = [(seconds(1), seconds(2)) for _ in range(repeats)]
    one, two = (float(np.median(each)) for each in zip(*both, strict=True))
    n = sum(len(batch) for batch in plan.batches)
    return [Record("shards, reading", n, "rate_of_two_threads_over_one", one / two, "", "into memory, no batches")]


def _waiting(table: JetTable, name: str, steps: int) -> list[Record]:
    """Share of training time that a network on this machine's processor waits for batches, after the first one."""
    torch.manual_seed(1)
    model = build_model(load_model_config(name), table.manifest.network_inputs, table.manifest.objective.outputs)
    learning = make_learning(table.manifest.objective)
    took = time_steps(model, optimizer_of(model), _loader(table, 1), learning, steps)
    threads = f"{torch.get_num_threads()} threads"
    note = f"{took.steps} CPU training steps, {threads}"
    return [
        Record(name, took.jets, "data_wait_share", took.wait_share, "", note),
        Record(name, took.jets, "train_jets_per_second", took.jets_per_second, "1/s", threads),
        Record(name, 1, "first_batch_seconds", took.first_batch_seconds, "s", "once an epoch: first row groups"),
    ]


def _loader(table: JetTable, epoch: int) -> JetLoader:
    return training_loader(table, DataOptions(), BATCH_SIZE, seed=1, epoch=epoch)
