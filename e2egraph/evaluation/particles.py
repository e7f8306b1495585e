"""Particles that a run's network finds in the events of a data set, with torch on whatever device there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
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
from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.loading.loader import evaluation_loader
from e2egraph.data.padding import DenseArrays
from e2egraph.evaluation.predictions import read_for
from e2egraph.files import check_not_read
from e2egraph.graphs.storage.manifest import files_of
from e2egraph.tasks.objectives.nodes import CLASS
from e2egraph.training.runs.checkpoint import BEST, SUFFIX
from e2egraph.training.runs.load import load_run
from e2egraph.training.runs.reading import read_with
from e2egraph.training.runs.run_folder import CHECKPOINTS, CONFIG


def find_particles(
    run: Path,
    data: Path,
    output: Path | None = None,
    split: str | None = None,
    *,
    decoding: Decoding | None = None,
    settings: Sequence[str] = (),
) -> Candidates:
    """The particles of a data set's events (of one ``split``), by a run's best weights; written to ``output`` where it
    is given.

    ``settings``: see ``reading.read_with``. Events without elements have none; of others the first elements up to the
    run's cap are read. ``about`` of the result counts both. InputError: not a run, or one of another objective than
    ``nodes``; a data set that is missing, damaged or lacks what the network reads; an empty split.
    """
    network, info = load_run(run)
    check_particle_flow(info.outputs, run)
    info, how = read_with(info, settings), decoding or Decoding()
    check_every_element(info.reading.nodes, run)
    table = read_for(network, info, data)
    check_same_elements(data, table.manifest, info.data.configuration, run)
    if output is not None:
        files = files_of(data, table.manifest)
        check_not_read(output, (*files, run / CONFIG, run / CHECKPOINTS / f"{BEST}{SUFFIX}"))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = network.to(device)
    found: list[dict[str, NDArray]] = []
    events = without = 0
    with torch.inference_mode():
        for batch in evaluation_loader(table, info.reading, split).to(device):
            moved = batch.to(device, non_blocking=True)
            arrays, rows = _arrays(moved), moved.number.cpu().numpy()
            events, without = events + len(rows), without + int((~arrays.mask.any(axis=1)).sum())
            if arrays.mask.any():
                values = network(*moved.inputs).float().cpu().numpy()
                found.append(decode(values, arrays, rows, table.inputs, info.outputs, how))
    about = {
        "model": info.model.name,
        "run": run.resolve().name,
        "data_sha256": table.manifest.digest,
        "split": split,
        "events": events,
        "events_without_elements": without,
        "events_cut": int((table.cut_counts(info.recipe.data.nodes)[table.jets_of(split)] > 0).sum()),
        "decoding": how.method,
    }
    classes = next(head.columns for head in info.outputs.heads if head.name == CLASS)
    candidates = Candidates(joined(found), classes, about)
    if output is not None:
        write_candidates(output, candidates)
    return candidates


def _arrays(batch: JetBatch) -> DenseArrays:
    held = {field.name: getattr(batch, field.name) for field in fields(DenseArrays)}
    arrays = {name: np.asarray(value.cpu()) for name, value in held.items() if value is not None}
    return DenseArrays(**arrays)
