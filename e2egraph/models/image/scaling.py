"""Pixels in physical units → numbers of order one, with fixed constants for each plane."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn

from e2egraph.models.image.planes import plane
from e2egraph.models.layers.scaling import Scale

NO_GAINS: Mapping[str, float] = MappingProxyType({})


class ImageScaling(nn.Module):
    """``image [B, C, H, W]`` of the named planes → the same shape, of order one, times a plane's ``gains``."""

    def __init__(self, channels: tuple[str, ...], granularity: int = 1, gains: Mapping[str, float] = NO_GAINS) -> None:
        super().__init__()
        planes = {name: plane(name) for name in channels}
        # Calorimeter energies are shared among g² pixels.
        shared = {name: granularity**2 if one.how in ("crystals", "towers") else 1 for name, one in planes.items()}
        self.scales = tuple(
            Scale(one.scale.unit / shared[name], one.scale.gain * gains.get(name, 1.0), one.scale.linear)
            for name, one in planes.items()
        )

    def forward(self, image: Tensor) -> Tensor:
        # Channel by channel: small temporaries, and no asinh of counts.
        return torch.stack([scale(image[:, i]) for i, scale in enumerate(self.scales)], dim=1)
