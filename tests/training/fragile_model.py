"""A tiny network that draws random numbers of every kind, keeps statistics, and fails where it is told to.

``FRAGILE=train:5:SIGTERM`` sends the process a signal in the fifth forward pass in training mode; ``eval`` counts the
others. In place of the signal ``nan`` spoils a jet's score, and ``device``, ``machine`` and ``python`` run out of
memory: as torch says it of a GPU and of a CPU, and as Python does. ``FRAGILE=train:5:nan:1`` does so in process 1
alone.
"""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from e2egraph.data.share import current_share
from e2egraph.models.layers.standardize import RunningStandardize
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Outputs
from tests.training.tiny_model import Tiny, TinyOptions


class Fragile(Tiny):
    def __init__(self, options: TinyOptions, inputs: Inputs, outputs: Outputs) -> None:
        super().__init__(options, inputs, outputs)
        self.head = nn.Sequential(RunningStandardize(options.width), nn.Dropout(0.2), *self.head)
        self.calls = {"train": 0, "eval": 0}

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        logits = super().forward(points, features, mask, jet)
        mode = "train" if self.training else "eval"
        self.calls[mode] += 1
        if self.training:
            logits = logits * (1 + 0.1 * random.random() + 0.1 * np.random.random())  # noqa: NPY002
        when, call, what, *rank = os.environ.get("FRAGILE", "never:0:").split(":")
        if (when, int(call)) == (mode, self.calls[mode]) and rank in ([], [str(current_share().rank)]):
            if what == "nan":
                return logits * torch.where(torch.arange(len(logits)) == 2, torch.nan, 1.0)[:, None]
            if what in ("device", "machine", "python"):
                run_out_of_memory(what)
            os.kill(os.getpid(), getattr(signal, what))
        return logits


def run_out_of_memory(where: str) -> None:
    if where == "device":
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB.")
    if where == "machine":
        torch.empty(2**50)
    bytes(2**62)


class FragileNorms(Fragile):
    """With a batch norm too."""

    def __init__(self, options: TinyOptions, inputs: Inputs, outputs: Outputs) -> None:
        super().__init__(options, inputs, outputs)
        self.head = nn.Sequential(nn.BatchNorm1d(options.width), *self.head)


def write_fragile_model(folder: Path, network: str = "Fragile") -> str:
    """A model YAML that names ``network`` of this file; its path as ``--model`` takes it."""
    path = folder / f"{network.lower()}.yaml"
    path.write_text(f"name: {network.lower()}\nnetwork: {__name__}:{network}\n")
    return str(path)
