"""A network small enough for a training to take a moment: means of a few scaled features, then two layers."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from e2egraph.config import configuration
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Outputs


@configuration
class TinyOptions:
    width: int = 16


class Tiny(nn.Module):
    """Deep set: forward(points, features, mask, jet) → raw numbers [B, C]."""

    Options = TinyOptions

    def __init__(self, options: TinyOptions, inputs: Inputs, outputs: Outputs) -> None:
        super().__init__()
        self.node = nn.Linear(2 + inputs.n_features, options.width)
        self.head = nn.Sequential(
            nn.Linear(options.width, options.width), nn.ReLU(), nn.Linear(options.width, outputs.size)
        )

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        hidden = self.node(torch.cat([5 * points, torch.asinh(features)], dim=2)).relu() * mask.unsqueeze(2)
        return self.head(hidden.sum(1) / mask.sum(1, keepdim=True).clamp(min=1))


def write_tiny_model(folder: Path) -> str:
    """A model YAML that names ``Tiny``; its path as ``--model`` takes it."""
    path = folder / "tiny.yaml"
    path.write_text(f"name: tiny\nnetwork: {__name__}:Tiny\n")
    return str(path)
