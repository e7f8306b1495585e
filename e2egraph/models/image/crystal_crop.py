"""The crystals around a window's centre as a small image of energy and time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from e2egraph.detector.channels import Channel
from e2egraph.detector.geometry import WINDOW_HALF_WIDTH
from e2egraph.models.grid import window_pixels
from e2egraph.models.image.pixel_sums import pixel_sums
from e2egraph.models.network import clear_padding, feature_index


class CrystalCrop(nn.Module):
    """``points, features, mask`` → ``[B, 1 or 2, size, size]``: ECAL energy [GeV] and, with ``time``, its time [ns].

    Rows (η) and columns (φ) are the crystals −⌊size / 2⌋ … ⌈size / 2⌉ − 1 counted from the centre: −16 … 15 for the
    crops of 32 of the e/γ image files, so that the centre crystal is pixel (16, 16). Deposits of one crystal are
    summed; its time is their mean.
    """

    def __init__(self, size: int = 32, time: bool = True) -> None:
        super().__init__()
        self.size = size
        self.time = time

    def extra_repr(self) -> str:
        return f"size={self.size}, time={self.time}"

    def forward(self, points: Tensor, features: Tensor, mask: Tensor) -> Tensor:
        points, features, valid = clear_padding(points, features, mask)
        row, column, inside = window_pixels(points)
        first = WINDOW_HALF_WIDTH - self.size // 2
        row, column = row - first, column - first
        crystal = features[..., feature_index(f"is_{Channel.ECAL.name}")]
        inside = inside & valid & (crystal > 0.5)
        inside = inside & (row >= 0) & (row < self.size) & (column >= 0) & (column < self.size)
        value, time = features[..., feature_index("value")], features[..., feature_index("time")]
        sums = pixel_sums([value, time, crystal] if self.time else [value], row, column, inside, self.size)
        if not self.time:
            return sums
        energy, summed_time, count = sums.unbind(1)
        return torch.stack([energy, summed_time / count.clamp(min=1.0)], dim=1)
