"""``Tiny`` with statistics of its batches, which every process must take of all jets for a run to stay the same."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from e2egraph.models.layers.standardize import RunningStandardize
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Outputs
from tests.training.tiny_model import Tiny, TinyOptions


class Standardized(Tiny):
    def __init__(self, options: TinyOptions, inputs: Inputs, outputs: Outputs) -> None:
        super().__init__(options, inputs, outputs)
        self.head = nn.Sequential(RunningStandardize(options.width), *self.head, nn.BatchNorm1d(outputs.size))


def write_standardized_model(folder: Path) -> str:
    """A model YAML that names ``Standardized``; its path as ``--model`` takes it."""
    path = folder / "standardized.yaml"
    path.write_text(f"name: standardized\nnetwork: {__name__}:Standardized\n")
    return str(path)
