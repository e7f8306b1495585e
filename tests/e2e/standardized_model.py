"""``Tiny`` with statistics of its batches, which every process must take of all jets for a run to stay the same."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from e2egraph.models.standardize import RunningStandardize
from tests.training.tiny_model import Tiny, TinyOptions


class Standardized(Tiny):
    def __init__(self, options: TinyOptions, n_outputs: int) -> None:
        super().__init__(options, n_outputs)
        self.head = nn.Sequential(RunningStandardize(options.width), *self.head, nn.BatchNorm1d(n_outputs))


def write_standardized_model(folder: Path) -> str:
    """A model YAML that names ``Standardized``; its path as ``--model`` takes it."""
    path = folder / "standardized.yaml"
    path.write_text(f"name: standardized\nnetwork: {__name__}:Standardized\n")
    return str(path)
