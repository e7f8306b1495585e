"""The crystals around a region's centre as a small image of energy and time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from e2egraph.detector.channels import Channel
from e2egraph.errors import UsageError
from e2egraph.models.image.pixel_sums import pixel_sums
from e2egraph.models.layers.grid import region_pixels
from e2egraph.models.network import clear_padding, require
from e2egraph.tasks.inputs import Inputs


class CrystalCrop(nn.Module):
    """``points, features, mask`` → ``[B, 1 or 2, size, size]``: ECAL energy [GeV] and, with ``time``, its time [ns].

    Rows (η) and columns (φ) are the crystals −⌊(size − 1) / 2⌋ … ⌊size / 2⌋ counted from the centre: −15 … 16 for the
    crops of 32 of the e/γ image files, whose seed crystal is pixel (15, 15). Deposits of one crystal are summed; its
    time is their mean.
    """

    def __init__(self, inputs: Inputs, size: int = 32, time: bool = True) -> None:
        """UsageError when ``inputs`` lack what is drawn, or their region is smaller than the crop."""
        super().__init__()
        require("a crop of crystals", inputs, "value", f"is_{Channel.ECAL.name}")
        if time and not inputs.has("time"):
            raise UsageError(
                "a crop of crystals draws their time, which the task's inputs do not hold; set "
                "model.options.time=false, or add time to inputs.variables and build the data set again."
            )
        region = inputs.region
        if min(region.half_rows, region.half_columns) < size // 2:
            raise UsageError(
                f"a crop of model.options.size={size} crystals does not fit into {region.describe()}; lower size, or "
                "build the data set with a larger region.half_window."
            )
        self.region = region
        self._crystal, self._value = inputs.index(f"is_{Channel.ECAL.name}"), inputs.index("value")
        self._time = inputs.index("time") if time else self._value
        self.size = size
        self.time = time

    def extra_repr(self) -> str:
        return f"size={self.size}, time={self.time}"

    def forward(self, points: Tensor, features: Tensor, mask: Tensor) -> Tensor:
        points, features, valid = clear_padding(points, features, mask)
        row, column, inside = region_pixels(points, self.region)
        before = (self.size - 1) // 2
        row, column = row - (self.region.half_rows - before), column - (self.region.half_columns - before)
        crystal = features[..., self._crystal]
        inside = inside & valid & (crystal > 0.5)
        inside = inside & (row >= 0) & (row < self.size) & (column >= 0) & (column < self.size)
        value, time = features[..., self._value], features[..., self._time]
        sums = pixel_sums([value, time, crystal] if self.time else [value], row, column, inside, self.size, self.size)
        if not self.time:
            return sums
        energy, summed_time, count = sums.unbind(1)
        return torch.stack([energy, summed_time / count.clamp(min=1.0)], dim=1)
