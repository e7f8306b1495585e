"""Bundle × data set → ``scores.parquet``, with ONNX Runtime alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from e2egraph.data.padding import NODE_COLUMNS, pad
from e2egraph.data.scores import IDENTITY, write_scores
from e2egraph.errors import InputError, UsageError
from e2egraph.graphs.columns import JET_VARIABLES, SPLITS
from e2egraph.graphs.manifest import Manifest, read_manifest, verify_shards
from e2egraph.graphs.pointclouds import PointClouds
from e2egraph.graphs.shards import open_shard, read_row_groups
from e2egraph.inference.batches import batches_by_length
from e2egraph.inference.session import Bundle

COLUMNS = (*IDENTITY, *JET_VARIABLES, *NODE_COLUMNS)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PredictSummary:
    """``jets`` scored into ``output``; ``jets_cut`` of them had more nodes than the model reads.

    ``seconds``: time of padding and ONNX Runtime, without reading and writing files.
    """

    output: Path
    jets: int
    jets_cut: int
    seconds: float

    @property
    def jets_per_second(self) -> float:
        return self.jets / self.seconds if self.seconds > 0 else 0.0


def predict_dataset(
    bundle: Path,
    data: Path,
    output: Path,
    *,
    split: str | None = None,
    batch_size: int = 64,
    threads: int = 0,
    progress: Progress | None = None,
) -> PredictSummary:
    """Score every jet of a data set, or of one ``split``, and write them in data set order.

    ``threads``: of ONNX Runtime, 0 for one a core; ``progress(done, total)`` is called as jets are read. InputError:
    bundle or data set missing or damaged, other classes than the bundle's, no jet in the split. UsageError: unknown
    split, batch size below one.
    """
    if split is not None and split not in SPLITS:
        raise UsageError(f"unknown split '{split}'; choose one of {', '.join(SPLITS)}, or none for all jets.")
    if batch_size < 1:
        raise UsageError(f"batch size {batch_size} is too small; give 1 or more.")
    opened = Bundle.open(bundle, threads)
    manifest = read_manifest(data)
    if tuple(manifest.classes) != opened.classes:
        raise InputError(
            f"{data}: its classes are {', '.join(manifest.classes)}, those of {bundle} {', '.join(opened.classes)}; "
            "give a data set of the bundle's task."
        )
    verify_shards(data, manifest)
    parts: list[dict[str, NDArray]] = []
    scores = [np.empty((0, len(opened.classes)), np.float32)]
    cut, seconds, done, total = 0, 0.0, 0, sum(shard.jets for shard in manifest.shards)
    for clouds in _row_groups(data, manifest):
        done += len(clouds)
        if split is not None:
            clouds = clouds.take(clouds.jets["split"] == split)
        start = time.perf_counter()
        scores.append(_score(opened, clouds, batch_size))
        seconds += time.perf_counter() - start
        cut += int((clouds.counts > opened.max_nodes).sum())
        parts.append({name: clouds.jets[name] for name in IDENTITY})
        if progress is not None:
            progress(done, total)
    probabilities = np.concatenate(scores)
    if len(probabilities) == 0:
        where = f"split '{split}'" if split else "the data set"
        raise InputError(f"{data}: no jet in {where}; choose another split, or build the data set with more jets.")
    jets = {name: np.concatenate([part[name] for part in parts]) for name in IDENTITY}
    about = {
        "bundle_sha256": opened.metadata.model_sha256,
        "data_sha256": manifest.digest,
        "model": opened.metadata.info.model,
        "split": split,
    }
    write_scores(output, jets, probabilities, opened.classes, about)
    return PredictSummary(output, len(probabilities), cut, seconds)


def _row_groups(data: Path, manifest: Manifest) -> Iterator[PointClouds]:
    """The data set piece by piece, in order: one row group is in memory at a time."""
    for shard in manifest.shards:
        path = data / shard.name
        with open_shard(path) as file:
            for group in range(file.num_row_groups):
                try:
                    yield read_row_groups(file, [group], COLUMNS)
                except InputError as error:
                    raise InputError(f"{path}: {error}") from error


def _score(bundle: Bundle, clouds: PointClouds, batch_size: int) -> NDArray[np.float32]:
    """Probabilities [J, C] in the order of ``clouds``; batches hold jets of similar length."""
    scores = np.empty((len(clouds), len(bundle.classes)), np.float32)
    counts = np.minimum(clouds.counts, bundle.max_nodes)
    for index in batches_by_length(counts, batch_size):
        scores[index] = bundle.probabilities(pad(clouds.take(index)))
    return scores
