"""A network that reads the jet's own quantities, in which the toy data set's targets stand."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Outputs
from tests.training.tiny_model import TinyOptions


class JetReader(nn.Module):
    """forward(points, features, mask, jet) → raw numbers [B, C]."""

    Options = TinyOptions
    uses_jet = True

    def __init__(self, options: TinyOptions, inputs: Inputs, outputs: Outputs) -> None:
        super().__init__()
        self._read = [inputs.object_index(name) for name in ("jet_pt", "softdrop_mass")]
        self.layers = nn.Sequential(nn.Linear(2, options.width), nn.ReLU(), nn.Linear(options.width, outputs.size))

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        return self.layers((jet[:, self._read] - torch.tensor([550.0, 120.0])) / 100)


def write_jet_model(folder: Path) -> str:
    """A model YAML that names ``JetReader``; its path as ``--model`` takes it."""
    path = folder / "jets.yaml"
    path.write_text(f"name: jets\nnetwork: {__name__}:JetReader\n")
    return str(path)
