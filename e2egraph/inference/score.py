"""Bundle × event files → one row of scores for each object, with ONNX Runtime alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from e2egraph.data.padding import pad
from e2egraph.data.scores import NODES, Scores, output_columns, refuse_nodes
from e2egraph.errors import InputError, UsageError
from e2egraph.events.sources.registry import SourceOptions, check_planes, holds_images
from e2egraph.graphs.storage.columns import AFTER
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.inference.batches import batches_by_length
from e2egraph.inference.events import Reader, read_objects, without_truth
from e2egraph.inference.session import Bundle
from e2egraph.tasks.inputs import numbered
from e2egraph.tasks.objects.objects import IDENTITY_TYPES


def score_files(
    bundle: Bundle,
    paths: Sequence[str],
    *,
    options: SourceOptions | None = None,
    batch_size: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Scores of every object that the bundle's task selects in ``paths``, in the order of files and events.

    ``Scores.jets`` holds the identity, the plain columns of the task's kind of object (``jet_pt``, …), ``n_pv`` and the
    nodes that the network has seen. ``options``: what files cannot say of themselves. ``progress(done, total)`` is
    called after each file. InputError: a file is unreadable, damaged or lacks what the task needs or the network
    reads (unless its training files lacked it too), or a score is not finite. UsageError: batch size below one, or
    planes of images where no file holds images.
    """
    if batch_size < 1:
        raise UsageError(f"batch size {batch_size} is too small; give 1 or more.")
    options = options or SourceOptions()
    if options.image is not None:
        check_planes(options, paths, (holds_images(path, options) for path in paths))
    refuse_nodes(bundle.metadata.outputs, bundle.folder)
    info = bundle.metadata.info
    task = without_truth(info.configuration, f"{bundle.folder}, task {info.task}")
    inputs = numbered(bundle.inputs, task.numbers)
    channels = info.node_selection.channels or info.task_selection.channels or list(inputs.channel_names)
    reader = Reader(inputs, channels, info.lacking, bundle.folder)
    types = {**IDENTITY_TYPES, **task.object_kind.columns, **AFTER}
    columns = output_columns(bundle.metadata.outputs)
    jets = {name: [np.empty(0, kind)] for name, kind in types.items()}
    values = [np.empty((0, len(columns)), np.float32)]
    for number, path in enumerate(paths):
        for clouds in read_objects(path, task, options, reader):
            seen = bundle.cut(bundle.select(clouds, task.numbers))
            counts = seen.counts
            found = np.empty((len(seen), len(columns)), np.float32)
            for index in batches_by_length(counts, batch_size):
                found[index] = bundle.values(pad(seen.take(index), inputs))
            _check_finite(path, seen, found, counts)
            values.append(found)
            known = {**seen.jets, NODES: counts}
            for name, kind in types.items():
                jets[name].append(np.asarray(known[name]).astype(kind))
        if progress is not None:
            progress(number + 1, len(paths))
    whole = {name: np.concatenate(parts) for name, parts in jets.items()}
    about = {"model": info.model, "bundle_sha256": bundle.sha256, "files": list(paths)}
    return Scores(whole, np.concatenate(values), columns, about)


def _check_finite(path: str, objects: PointClouds, values: NDArray[np.float32], counts: NDArray[np.int64]) -> None:
    """InputError, naming the first event, when an object that has nodes got a value that is not finite."""
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1) & (counts > 0))
    if len(bad):
        run, lumi, event = (int(objects.jets[name][bad[0]]) for name in ("run", "lumi", "event"))
        raise InputError(
            f"{path}: {len(bad)} objects have a score that is not finite (the first is in run {run}, lumi {lumi}, "
            f"event {event}); check these objects and the model."
        )
