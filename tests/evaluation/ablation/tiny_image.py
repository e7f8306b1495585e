"""An image network small enough for a training to take a moment: pooled planes, then one layer."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from e2egraph.config import configuration
from e2egraph.models.image.planes import ImageChannels
from e2egraph.models.image.rasterize import Rasterize
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Outputs


@configuration
class TinyImageOptions:
    channels: ImageChannels = None


class TinyImage(nn.Module):
    """forward(points, features, mask, jet) → logits [B, C]."""

    Options = TinyImageOptions

    def __init__(self, options: TinyImageOptions, inputs: Inputs, outputs: Outputs) -> None:
        super().__init__()
        self.rasterize = Rasterize(inputs, options.channels)
        self.head = nn.Linear(25 * len(self.rasterize.channels), outputs.size)

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        image: Tensor = self.rasterize(points, features, mask)
        return self.head(torch.asinh(F.avg_pool2d(image, 25)).flatten(1))


def write_tiny_image(folder: Path) -> str:
    """A model YAML that names ``TinyImage``; its path as ``--models`` takes it."""
    path = folder / "picture.yaml"
    path.write_text(f"name: picture\nnetwork: {__name__}:TinyImage\n")
    return str(path)
