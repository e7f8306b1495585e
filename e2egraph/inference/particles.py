"""Particles that a bundle's network finds in the events of a data set, with ONNX Runtime alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from e2egraph.data.candidates import (
    Candidates,
    Decoding,
    check_every_element,
    check_particle_flow,
    decode,
    joined,
    write_candidates,
)
from e2egraph.data.fit import check_same_elements
from e2egraph.data.padding import node_columns, pad
from e2egraph.errors import InputError, UsageError
from e2egraph.files import check_not_read
from e2egraph.graphs.storage.columns import SPLITS
from e2egraph.graphs.storage.manifest import files_of, read_manifest
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.inference.batches import batches_by_length
from e2egraph.inference.fit import check_fit
from e2egraph.inference.session import Bundle
from e2egraph.tasks.inputs import numbered
from e2egraph.tasks.objectives.nodes import CLASS


def bundle_particles(
    bundle: Path | Bundle,
    data: Path,
    output: Path | None = None,
    *,
    split: str | None = None,
    batch_size: int = 16,
    threads: int = 0,
    decoding: Decoding | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Candidates:
    """The particles of a data set's events (of one ``split``), in data set order; written to ``output`` where given.

    Events without elements have none, and never reach ONNX Runtime; of others the first ``cap`` elements are read.
    ``about`` of the result counts both. InputError: bundle or data set missing or damaged, no particle flow, or they do
    not fit; no event in the split. UsageError: unknown split, batch size below one, a bundle that reads some elements
    alone.
    """
    if split is not None and split not in SPLITS:
        raise UsageError(f"unknown split '{split}'; choose one of {', '.join(SPLITS)}, or none for all events.")
    if batch_size < 1:
        raise UsageError(f"batch size {batch_size} is too small; give 1 or more.")
    opened = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle, threads)
    outputs, info, how = opened.metadata.outputs, opened.metadata.info, decoding or Decoding()
    check_particle_flow(outputs, opened.folder)
    check_every_element(info.node_selection, opened.folder)
    manifest = read_manifest(data)
    check_fit(opened, data, manifest)
    check_same_elements(data, manifest, info.configuration, opened.folder)
    if output is not None:
        check_not_read(output, (*files_of(data, manifest), *opened.folder.iterdir()))
    inputs = numbered(opened.inputs, manifest.numbers)
    deciding = (*info.task_selection.columns, *info.node_selection.columns)
    columns = tuple(dict.fromkeys(("split", *inputs.object_names, *node_columns(inputs), *deciding)))
    found: list[dict[str, NDArray]] = []
    first = events = without = cut = 0
    total = sum(shard.jets for shard in manifest.shards)
    for shard in manifest.shards:
        with open_shard(data / shard.name) as file:
            for block, held in enumerate(file.sizes):
                rows = first + np.arange(held)
                if split is not None:
                    rows = rows[file.read(["split"], [block]).jets["split"] == split]
                clouds = file.read(columns, [block], split)
                clouds = replace(clouds, jets={**clouds.jets, "nodes_cut": np.zeros(len(rows), np.int64)})
                clouds = opened.cut(opened.select(clouds, manifest.numbers))
                cut += int((clouds.jets["nodes_cut"] > 0).sum())
                filled = np.flatnonzero(clouds.counts)
                events, without = events + len(rows), without + len(rows) - len(filled)
                for index in batches_by_length(clouds.counts[filled], batch_size):
                    padded = pad(clouds.take(filled[index]), inputs)
                    found.append(decode(opened.values(padded), padded, rows[filled[index]], inputs, outputs, how))
                first += held
                if progress is not None:
                    progress(first, total)
    if events == 0:
        where = f"split '{split}'" if split else "the data set"
        raise InputError(f"{data}: no event in {where}; choose another split, or build the data set with more events.")
    about = {
        "model": info.model,
        "bundle_sha256": opened.sha256,
        "data_sha256": manifest.digest,
        "split": split,
        "events": events,
        "events_without_elements": without,
        "events_cut": cut,
        "decoding": how.method,
    }
    classes = next(head.columns for head in outputs.heads if head.name == CLASS)
    candidates = Candidates(joined(found), classes, about)
    if output is not None:
        write_candidates(output, candidates)
    return candidates
