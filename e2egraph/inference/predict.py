"""Bundle × data set → ``scores.parquet``, with ONNX Runtime alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from e2egraph import __version__
from e2egraph.config import as_dict
from e2egraph.data.padding import node_columns, pad
from e2egraph.data.parts import remove_parts, scores_of_all
from e2egraph.data.scores import (
    IDENTITY,
    NODES,
    Scores,
    check_finite,
    output_columns,
    refuse_nodes,
    target_columns,
    write_scores,
)
from e2egraph.data.share import ALONE, Share
from e2egraph.errors import InputError, UsageError
from e2egraph.files import check_not_read
from e2egraph.graphs.storage.columns import SPLITS, numpy_type
from e2egraph.graphs.storage.manifest import Manifest, files_of, read_manifest
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.inference.batches import batches_by_length
from e2egraph.inference.fit import check_fit
from e2egraph.inference.session import Bundle
from e2egraph.tasks.inputs import Inputs, numbered

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PredictSummary:
    """``scores`` of the jets of a data set; ``jets_cut`` of them had more nodes than the model reads,
    ``jets_without_nodes`` had none and got no score (``scores.without_nodes``).

    ``output``: the file they were written to, if any. ``seconds``: time of selecting nodes, padding and ONNX Runtime,
    without reading and writing files; of several processes the longest.
    """

    output: Path | None
    scores: Scores
    jets_cut: int
    seconds: float
    jets_without_nodes: int = 0

    @property
    def jets(self) -> int:
        return len(self.scores)

    @property
    def jets_per_second(self) -> float:
        return self.jets / self.seconds if self.seconds > 0 else 0.0


def predict_dataset(
    bundle: Path | Bundle,
    data: Path,
    output: Path | None = None,
    *,
    split: str | None = None,
    batch_size: int = 64,
    threads: int = 0,
    variant: str | None = None,
    share: Share = ALONE,
    progress: Progress | None = None,
) -> PredictSummary | None:
    """Score every jet of a data set, or of one ``split``, in data set order, and write ``output`` where it is given.

    ``bundle``: its folder, or opened, with its threads and variant. ``threads``: of ONNX Runtime, 0 for one a core;
    ``variant``: of the bundle, instead of ``model.onnx``; ``share``: this process's unbroken stretch of the jets, where
    several work together: the one that finishes last writes ``output``, the others return None
    (``parts.scores_of_all``). ``progress(done, total)`` is called as jets are read. InputError: bundle, variant or data
    set missing or damaged, it does not fit the bundle (``fit.check_fit``), no jet in the split, a score that is not
    finite. UsageError: unknown split or variant, batch size below one.
    """
    if split is not None and split not in SPLITS:
        raise UsageError(f"unknown split '{split}'; choose one of {', '.join(SPLITS)}, or none for all objects.")
    if batch_size < 1:
        raise UsageError(f"batch size {batch_size} is too small; give 1 or more.")
    opened = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle, threads, variant)
    refuse_nodes(opened.metadata.outputs, opened.folder)
    manifest = read_manifest(data)
    check_fit(opened, data, manifest)
    if output is not None:
        check_not_read(output, (*files_of(data, manifest), *opened.folder.iterdir()))
    about = {
        "bundle_sha256": opened.sha256,
        "data_sha256": manifest.digest,
        "model": opened.metadata.info.model,
        "split": split,
    }
    nodes = {"selection": as_dict(opened.metadata.info.node_selection), "cap": opened.cap}
    key = {**about, "nodes": nodes, "e2egraph": __version__}
    reader = _Reader(opened, data, manifest)

    def score() -> Scores:
        return _scores(reader, share, split, batch_size, progress)

    scores = scores_of_all(output, key, share, score)
    if scores is None:
        return None
    if len(scores) == 0:
        where = f"split '{split}'" if split else "the data set"
        raise InputError(
            f"{data}: no {manifest.object_name.one} in {where}; choose another split, or build it from more events."
        )
    parts = scores.about["parts"]
    scores = replace(scores, about=about)
    if output is None:
        check_finite(data, scores.jets, scores.values)
    else:
        write_scores(output, scores.jets, scores.values, scores.columns, about)
        remove_parts(output, share)
    cut, seconds = sum(part["jets_cut"] for part in parts), max(part["seconds"] for part in parts)
    return PredictSummary(output, scores, cut, seconds, int((~scores.scored).sum()))


@dataclass(frozen=True)
class _Reader:
    """The objects of a data set as a bundle's network reads them."""

    bundle: Bundle
    data: Path
    manifest: Manifest

    @cached_property
    def inputs(self) -> Inputs:
        """The bundle's, channels with the numbers that they have in this data set."""
        return numbered(self.bundle.inputs, self.manifest.numbers)

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """Columns of the quantities that are predicted, where the data set holds them."""
        heads = self.bundle.metadata.outputs.heads
        columns = target_columns([name for head in heads if head.activation == "none" for name in head.columns])
        with open_shard(self.data / self.manifest.shards[0].name) as file:
            return tuple(name for name in columns if name in file.names)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read."""
        info = self.bundle.metadata.info
        deciding = (*info.task_selection.columns, *info.node_selection.columns)
        names = (*IDENTITY, *self.targets, *self.inputs.object_names, *node_columns(self.inputs), *deciding)
        return tuple(dict.fromkeys(names))

    def select(self, clouds: PointClouds) -> PointClouds:
        """The nodes that the network reads; ``nodes_cut``: how many more an object had."""
        clouds = replace(clouds, jets={**clouds.jets, "nodes_cut": np.zeros(len(clouds), np.int64)})
        return self.bundle.cut(self.bundle.select(clouds, self.manifest.numbers))


def _scores(reader: _Reader, share: Share, split: str | None, batch_size: int, progress: Progress | None) -> Scores:
    """The scores of this process's stretch of the data set, as far as it is in ``split``."""
    first, last = share.bounds(sum(shard.jets for shard in reader.manifest.shards))
    columns = output_columns(reader.bundle.metadata.outputs)
    jets = {name: [np.empty(0, numpy_type(name))] for name in IDENTITY}
    jets |= {name: [np.empty(0, np.float32)] for name in reader.targets}
    n_nodes = [np.empty(0, np.int64)]
    values = [np.empty((0, len(columns)), np.float32)]
    cut, seconds, done = 0, 0.0, 0
    for read, clouds in _stretch(reader, first, last, split):
        done += read
        start = time.perf_counter()
        clouds = reader.select(clouds)
        values.append(_values(reader, clouds, batch_size))
        n_nodes.append(clouds.counts)
        seconds += time.perf_counter() - start
        cut += int((clouds.jets["nodes_cut"] > 0).sum())
        for name in jets:
            jets[name].append(clouds.jets[name])
        if progress is not None:
            progress(done, last - first)
    whole = {name: np.concatenate(parts) for name, parts in jets.items()} | {NODES: np.concatenate(n_nodes)}
    return Scores(whole, np.concatenate(values), columns, {"jets_cut": cut, "seconds": seconds})


def _stretch(reader: _Reader, first: int, last: int, split: str | None) -> Iterator[tuple[int, PointClouds]]:
    """Jets ``first`` to ``last - 1`` of the data set, piece by piece: of each their number, and those of ``split``
    (None: all). One block of a shard is in memory at a time, where it is whole without the nodes of other splits."""
    begun = 0
    for shard in reader.manifest.shards:
        path = reader.data / shard.name
        if begun + shard.jets <= first or begun >= last:
            begun += shard.jets
            continue
        with open_shard(path) as file:
            for block, jets in enumerate(file.sizes):
                inside = np.arange(max(first - begun, 0), min(last - begun, jets))
                begun += jets
                if len(inside) == 0:
                    continue
                if len(inside) == jets:
                    yield jets, file.read(reader.columns, [block], split)
                    continue
                clouds = file.read(reader.columns, [block]).take(inside)
                yield len(inside), clouds if split is None else clouds.take(clouds.jets["split"] == split)


def _values(reader: _Reader, clouds: PointClouds, batch_size: int) -> NDArray[np.float32]:
    """What the network gives [J, C] in the order of ``clouds``; batches hold jets of similar length."""
    outputs = reader.bundle.metadata.outputs
    values = np.empty((len(clouds), outputs.size), np.float32)
    for index in batches_by_length(clouds.counts, batch_size):
        values[index] = reader.bundle.values(pad(clouds.take(index), reader.inputs))
    return values
