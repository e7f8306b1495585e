"""Scores of a network on a data set, with torch on whatever device there is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from e2egraph.data.loader import evaluation_loader
from e2egraph.data.options import DataOptions
from e2egraph.data.scores import IDENTITY, write_scores
from e2egraph.data.table import JetTable, read_table
from e2egraph.errors import InputError
from e2egraph.training.load import load_run


def predict(
    network: nn.Module, table: JetTable, options: DataOptions, split: str | None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Numbers [J] of a split's jets (all for None) in data set order, and their softmax scores [J, C].

    Nothing is read back from the device before the end. InputError when the split is empty or a shard damaged.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = network.to(device).eval()
    numbers, scores = [], []
    with torch.inference_mode():
        for batch in evaluation_loader(table, options, split, pin=device.type == "cuda"):
            numbers.append(batch.number)
            logits = network(*batch.to(device, non_blocking=True).inputs)
            scores.append(logits.float().softmax(dim=1))
    all_numbers, all_scores = torch.cat(numbers).numpy(), torch.cat(scores).cpu().numpy()
    order = np.argsort(all_numbers)
    return all_numbers[order], all_scores[order]


def predict_run(run: Path, data: Path, output: Path, split: str | None = None) -> int:
    """Score a data set, or one split of it, with a run's best weights into ``scores.parquet`` form; number of jets.

    InputError: not a run, data set missing, damaged or of other classes, an empty split.
    """
    network, info = load_run(run)
    table = read_table(data)
    if table.manifest.classes != info.data.classes:
        raise InputError(
            f"{data}: its classes are {', '.join(table.manifest.classes)}, those of {run} "
            f"{', '.join(info.data.classes)}; give a data set of the run's task."
        )
    numbers, probabilities = predict(network, table, info.recipe.data, split)
    jets = {name: table.columns[name][numbers] for name in IDENTITY}
    about = {"model": info.model.name, "run": run.resolve().name, "data_sha256": table.manifest.digest, "split": split}
    write_scores(output, jets, probabilities, info.data.classes, about)
    return len(numbers)
