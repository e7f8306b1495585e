"""A tiny network that draws random numbers of every kind, keeps statistics, and fails where it is told to.

``FRAGILE=train:5:SIGTERM`` sends the process a signal in the fifth forward pass in training mode; ``eval`` counts the
others; ``nan`` in place of the signal spoils a jet's score, and ``oom`` raises what torch does when memory is full.
"""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from e2egraph.models.standardize import RunningStandardize
from tests.training.tiny_model import Tiny, TinyOptions


class Fragile(Tiny):
    def __init__(self, options: TinyOptions, n_outputs: int) -> None:
        super().__init__(options, n_outputs)
        self.head = nn.Sequential(RunningStandardize(options.width), nn.Dropout(0.2), *self.head)
        self.calls = {"train": 0, "eval": 0}

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        logits = super().forward(points, features, mask, jet)
        mode = "train" if self.training else "eval"
        self.calls[mode] += 1
        if self.training:
            logits = logits * (1 + 0.1 * random.random() + 0.1 * np.random.random())  # noqa: NPY002
        when, call, what = os.environ.get("FRAGILE", "never:0:").split(":")
        if (when, int(call)) == (mode, self.calls[mode]):
            if what == "nan":
                return logits * torch.where(torch.arange(len(logits)) == 2, torch.nan, 1.0)[:, None]
            if what == "oom":
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB.")
            os.kill(os.getpid(), getattr(signal, what))
        return logits


def write_fragile_model(folder: Path) -> str:
    """A model YAML that names ``Fragile``; its path as ``--model`` takes it."""
    path = folder / "fragile.yaml"
    path.write_text(f"name: fragile\nnetwork: {__name__}:Fragile\n")
    return str(path)
