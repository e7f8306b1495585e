"""Scores of a network on a data set, with torch on whatever device there is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from e2egraph import __version__
from e2egraph.config import as_dict
from e2egraph.data.fit import check_inputs
from e2egraph.data.loading.loader import evaluation_loader
from e2egraph.data.options import DataOptions
from e2egraph.data.parts import remove_parts, scores_of_all
from e2egraph.data.scores import (
    IDENTITY,
    NODES,
    Scores,
    check_finite,
    output_columns,
    refuse_nodes,
    target_columns,
    without_nodes,
    write_scores,
)
from e2egraph.data.share import ALONE, Share
from e2egraph.data.table import JetTable, read_table
from e2egraph.errors import InputError
from e2egraph.files import check_not_read
from e2egraph.graphs.storage.manifest import Manifest, files_of, read_manifest
from e2egraph.graphs.storage.verification import sha256_of
from e2egraph.tasks.objectives.objective import Objective
from e2egraph.training.objectives.learning import make_learning
from e2egraph.training.runs.checkpoint import BEST, SUFFIX
from e2egraph.training.runs.load import load_run
from e2egraph.training.runs.reading import read_with
from e2egraph.training.runs.run_folder import CHECKPOINTS, CONFIG, RunInfo
from e2egraph.training.steps.failures import is_out_of_memory


def predict(
    network: nn.Module,
    objective: Objective,
    table: JetTable,
    options: DataOptions,
    split: str | None,
    share: Share = ALONE,
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Numbers [J] of a split's jets (all for None) in data set order, what the network gives for them [J, C], and how
    many nodes each has [J].

    Probabilities for heads of classes, physical units for others, and ``scores.without_nodes`` for jets without nodes,
    whatever the network makes of nothing (figures of a training's epochs count these jets as well). ``share``: an
    unbroken stretch of the split, perhaps without a jet. Nothing is read back from the device before the end.
    InputError when the split is empty or a shard damaged.
    """
    device = _device(share)
    network = network.to(device).eval()
    learning = make_learning(objective)
    numbers, scores = [torch.empty(0, dtype=torch.int64)], [torch.empty(0, objective.outputs.size, device=device)]
    n_nodes = [torch.empty(0, dtype=torch.int64)]
    with torch.inference_mode():
        for batch in evaluation_loader(table, options, split, share=share).to(device):
            numbers.append(batch.number)
            n_nodes.append(batch.counts)
            scores.append(learning.activate(network(*batch.to(device, non_blocking=True).inputs)))
    all_numbers, counts, all_scores = (torch.cat(parts).cpu().numpy() for parts in (numbers, n_nodes, scores))
    all_scores[counts == 0] = without_nodes(output_columns(objective.outputs))
    order = np.argsort(all_numbers)
    return all_numbers[order], all_scores[order], counts[order]


def predict_all(
    network: nn.Module, info: RunInfo, table: JetTable, output: Path | None, split: str | None, share: Share = ALONE
) -> Scores | None:
    """The scores of a split's jets (all for None) in data set order, of all processes; ``output`` is not written yet.

    None for all processes but the one that finishes last (``parts.scores_of_all``). Targets are taken from ``table``
    where they were read. InputError as ``predict``, and when memory is full.
    """
    key = {
        "checkpoint": sha256_of(info.folder / CHECKPOINTS / f"{BEST}{SUFFIX}"),
        "nodes": as_dict(info.recipe.data.nodes),
        "data": table.manifest.digest,
        "split": split,
        "e2egraph": __version__,
    }

    def score() -> Scores:
        try:
            numbers, values, n_nodes = predict(network, info.objective, table, info.reading, split, share)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            size, pool = info.reading.evaluation_batch_size, info.reading.pool_jets
            raise InputError(
                f"out of memory with batches of {table.manifest.object_name.count(size)}; give the same command with "
                f"--set data.evaluation_batch_size={max(1, size // 2)} (and on the machine itself --set "
                f"data.pool_jets={max(1, pool // 2)})."
            ) from error
        targets = [name for name in target_columns(info.objective.target_names) if name in table.columns]
        jets = {name: table.columns[name][numbers] for name in (*IDENTITY, *targets)}
        return Scores(jets | {NODES: n_nodes}, values, output_columns(info.outputs), {})

    return scores_of_all(output, key, share, score)


def predict_run(
    run: Path,
    data: Path,
    output: Path | None = None,
    split: str | None = None,
    share: Share = ALONE,
    *,
    settings: Sequence[str] = (),
) -> Scores | None:
    """Score a data set, or one split of it, with a run's best weights; written to ``output`` where it is given.

    ``settings``: see ``reading.read_with``. ``about`` of the result counts jets of more nodes than the network reads
    (``jets_cut``). Of several processes the one that finishes last writes the file, the others
    return None. InputError: not a run, data set missing, damaged or one that the network cannot read (``read_for``),
    other classes, an empty split, a score that is not finite.
    """
    network, info = load_run(run)
    refuse_nodes(info.outputs, run)
    info = read_with(info, settings)
    manifest = read_manifest(data)
    check_classes(info, data, manifest)
    if output is not None:
        check_not_read(output, (*files_of(data, manifest), run / CONFIG, run / CHECKPOINTS / f"{BEST}{SUFFIX}"))
    known = [name for name in info.objective.target_names if name in manifest.targets]
    table = read_for(network, info, data, target_columns(known))
    scores = predict_all(network, info, table, output, split, share)
    if scores is None:
        return None
    about = {
        "model": info.model.name,
        "run": run.resolve().name,
        "data_sha256": table.manifest.digest,
        "split": split,
        "jets_cut": int((table.cut_counts(info.recipe.data.nodes)[table.jets_of(split)] > 0).sum()),
    }
    scores = replace(scores, about=about)
    if output is None:
        check_finite(data, scores.jets, scores.values)
    else:
        write_scores(output, scores.jets, scores.values, scores.columns, about)
        remove_parts(output, share)
    return scores


def read_for(network: nn.Module, info: RunInfo, folder: Path, extra: tuple[str, ...] = ()) -> JetTable:
    """The data set ``folder`` with the inputs and nodes of the run's ``network``, found by name.

    ``extra``: plain columns. InputError as ``table.read_table``, or when it lacks what the network reads
    (``fit.check_inputs``).
    """
    table = read_table(folder, extra)
    of_run = info.recipe.data.nodes
    lacked = table.manifest.lacking if table.manifest.digest == info.data.digest else info.lacking or ()
    check_inputs(
        folder,
        table.manifest,
        info.inputs,
        info.data.configuration,
        of_run,
        lacked,
        info.folder,
        uses_jet=bool(getattr(network, "uses_jet", False)),
    )
    return table.read_by(info.inputs, info.task_selection)


def check_classes(info: RunInfo, folder: Path, manifest: Manifest) -> None:
    """InputError unless a network that predicts classes has those of the data set ``folder``.

    A quantity may be predicted for objects of any task.
    """
    classes, known = tuple(manifest.classes), info.objective.class_names
    if classes != known and any(head.activation == "softmax" for head in info.outputs.heads):
        raise InputError(
            f"{folder}: its classes are {', '.join(classes)}, those of {info.folder} {', '.join(known)}; give a data "
            "set of the run's task."
        )


def _device(share: Share) -> torch.device:
    """A GPU where there is one; processes of one machine take turns with its GPUs, as ``LOCAL_RANK`` counts them."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    local = int(os.environ.get("LOCAL_RANK", share.rank)) if share.world > 1 else 0
    return torch.device("cuda", local % torch.cuda.device_count())
