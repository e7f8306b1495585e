"""Bundle × data set → ``scores.parquet``, with ONNX Runtime alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from e2egraph import __version__
from e2egraph.config import as_dict
from e2egraph.data.padding import NODE_COLUMNS, pad
from e2egraph.data.parts import scores_of_all
from e2egraph.data.scores import IDENTITY, Scores, write_scores
from e2egraph.data.share import ALONE, Share
from e2egraph.errors import InputError, UsageError
from e2egraph.graphs.columns import JET_VARIABLES, SPLITS, numpy_type
from e2egraph.graphs.manifest import Manifest, read_manifest, verify_shards
from e2egraph.graphs.nodeselection import check_available
from e2egraph.graphs.pointclouds import PointClouds
from e2egraph.graphs.shards import open_shard, read_row_groups
from e2egraph.inference.batches import batches_by_length
from e2egraph.inference.session import Bundle

COLUMNS = (*IDENTITY, *JET_VARIABLES, *NODE_COLUMNS)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PredictSummary:
    """``jets`` scored into ``output``; ``jets_cut`` of them had more nodes than the model reads.

    ``seconds``: time of selecting nodes, padding and ONNX Runtime, without reading and writing files; of several
    processes the longest.
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
    variant: str | None = None,
    progress: Progress | None = None,
) -> PredictSummary:
    """Score every jet of a data set, or of one ``split``, and write them in data set order.

    ``threads``: of ONNX Runtime, 0 for one a core; ``variant``: of the bundle, instead of ``model.onnx``;
    ``progress(done, total)`` is called as jets are read. InputError: bundle, variant or data set missing or damaged,
    other classes than the bundle's, nodes lacking that it reads, no jet in the split. UsageError: unknown split or
    variant, batch size below one.
    """
    summary = predict_share(
        bundle,
        data,
        output,
        ALONE,
        split=split,
        batch_size=batch_size,
        threads=threads,
        variant=variant,
        progress=progress,
    )
    assert summary is not None
    return summary


def predict_share(
    bundle: Path,
    data: Path,
    output: Path,
    share: Share,
    *,
    split: str | None = None,
    batch_size: int = 64,
    threads: int = 0,
    variant: str | None = None,
    progress: Progress | None = None,
) -> PredictSummary | None:
    """``predict_dataset`` by several processes, each an unbroken stretch of the jets; the last one writes ``output``.

    None for the others (``parts.scores_of_all``). Errors as ``predict_dataset``.
    """
    if split is not None and split not in SPLITS:
        raise UsageError(f"unknown split '{split}'; choose one of {', '.join(SPLITS)}, or none for all jets.")
    if batch_size < 1:
        raise UsageError(f"batch size {batch_size} is too small; give 1 or more.")
    opened = Bundle.open(bundle, threads, variant)
    manifest = read_manifest(data)
    if tuple(manifest.classes) != opened.classes:
        raise InputError(
            f"{data}: its classes are {', '.join(manifest.classes)}, those of {bundle} {', '.join(opened.classes)}; "
            "give a data set of the bundle's task."
        )
    check_available(data, manifest.configuration, opened.metadata.info.node_selection)
    verify_shards(data, manifest)
    about = {
        "bundle_sha256": opened.sha256,
        "data_sha256": manifest.digest,
        "model": opened.metadata.info.model,
        "split": split,
    }
    nodes = {"selection": as_dict(opened.metadata.info.node_selection), "most": opened.max_nodes}
    key = {**about, "nodes": nodes, "e2egraph": __version__}

    def score() -> Scores:
        return _scores(opened, data, manifest, share, split, batch_size, progress)

    scores = scores_of_all(output, key, share, score)
    if scores is None:
        return None
    if len(scores) == 0:
        where = f"split '{split}'" if split else "the data set"
        raise InputError(f"{data}: no jet in {where}; choose another split, or build the data set with more jets.")
    write_scores(output, scores.jets, scores.probabilities, opened.classes, about)
    parts = scores.about["parts"]
    cut, seconds = sum(part["jets_cut"] for part in parts), max(part["seconds"] for part in parts)
    return PredictSummary(output, len(scores), cut, seconds)


def _scores(
    bundle: Bundle,
    data: Path,
    manifest: Manifest,
    share: Share,
    split: str | None,
    batch_size: int,
    progress: Progress | None,
) -> Scores:
    """The scores of this process's stretch of the data set, as far as it is in ``split``."""
    first, last = share.bounds(sum(shard.jets for shard in manifest.shards))
    jets = {name: [np.empty(0, numpy_type(name))] for name in IDENTITY}
    scores = [np.empty((0, len(bundle.classes)), np.float32)]
    cut, seconds, done = 0, 0.0, 0
    for clouds in _stretch(data, manifest, first, last):
        done += len(clouds)
        if split is not None:
            clouds = clouds.take(clouds.jets["split"] == split)
        start = time.perf_counter()
        clouds = bundle.select(clouds)
        scores.append(_score(bundle, clouds, batch_size))
        seconds += time.perf_counter() - start
        cut += int((clouds.counts > bundle.max_nodes).sum())
        for name in IDENTITY:
            jets[name].append(clouds.jets[name])
        if progress is not None:
            progress(done, last - first)
    whole = {name: np.concatenate(columns) for name, columns in jets.items()}
    return Scores(whole, np.concatenate(scores), bundle.classes, {"jets_cut": cut, "seconds": seconds})


def _stretch(data: Path, manifest: Manifest, first: int, last: int) -> Iterator[PointClouds]:
    """Jets ``first`` to ``last - 1`` of the data set, piece by piece: one row group is in memory at a time."""
    begun = 0
    for shard in manifest.shards:
        path = data / shard.name
        if begun + shard.jets <= first or begun >= last:
            begun += shard.jets
            continue
        with open_shard(path) as file:
            for group in range(file.num_row_groups):
                jets = file.metadata.row_group(group).num_rows
                inside = np.arange(max(first - begun, 0), min(last - begun, jets))
                begun += jets
                if len(inside) == 0:
                    continue
                try:
                    clouds = read_row_groups(file, [group], COLUMNS)
                except InputError as error:
                    raise InputError(f"{path}: {error}") from error
                yield clouds if len(inside) == jets else clouds.take(inside)


def _score(bundle: Bundle, clouds: PointClouds, batch_size: int) -> NDArray[np.float32]:
    """Probabilities [J, C] in the order of ``clouds``; batches hold jets of similar length."""
    scores = np.empty((len(clouds), len(bundle.classes)), np.float32)
    counts = np.minimum(clouds.counts, bundle.max_nodes)
    for index in batches_by_length(counts, batch_size):
        scores[index] = bundle.probabilities(pad(clouds.take(index)))
    return scores
