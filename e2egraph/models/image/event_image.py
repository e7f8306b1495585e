"""Point clouds → square images of a whole event, or of any window, in pixels of a chosen size."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from e2egraph.detector.channels import Channel
from e2egraph.models.image.pixel_sums import pixel_sums
from e2egraph.models.network import clear_padding, require
from e2egraph.tasks.inputs import Inputs

# Track pT, ECAL energy, HCAL energy, in the order of the published event images (ntuples.md §4).
EVENT_CHANNELS = (Channel.TRACK, Channel.ECAL, Channel.HCAL)


class EventImage(nn.Module):
    """``points, features, mask`` → image ``[B, 3, size, size]`` of track pT, ECAL and HCAL energy, in GeV.

    Rows are ``size`` equal steps of Δη in [−eta_max, eta_max), columns of Δφ in [−phi_max, phi_max); without
    ``phi_max`` they are the full circle, and Δφ is wrapped. Each deposit goes whole into the pixel that holds its
    centre, a tower's too. Nodes outside, in padding, or of other channels leave no trace.
    """

    def __init__(self, inputs: Inputs, size: int, eta_max: float, phi_max: float | None = None) -> None:
        """UsageError when ``inputs`` lack ``value`` or one of ``EVENT_CHANNELS``."""
        super().__init__()
        require("an image of events", inputs, "value", *(f"is_{channel.name}" for channel in EVENT_CHANNELS))
        self._value = inputs.index("value")
        self._flags = [inputs.index(f"is_{channel.name}") for channel in EVENT_CHANNELS]
        self.size = size
        self.eta_max = eta_max
        self.phi_max = math.pi if phi_max is None else phi_max
        self.full_circle = phi_max is None

    def extra_repr(self) -> str:
        circle = ", full circle" if self.full_circle else ""
        return f"size={self.size}, eta_max={self.eta_max}, phi_max={self.phi_max:.4g}{circle}"

    def forward(self, points: Tensor, features: Tensor, mask: Tensor) -> Tensor:
        points, features, valid = clear_padding(points, features, mask)
        row = self._steps(points[..., 0], self.eta_max)
        column = self._steps(points[..., 1], self.phi_max)
        if self.full_circle:
            column = column - self.size * torch.floor(column / self.size)
        inside = (row >= 0) & (row < self.size) & (column >= 0) & (column < self.size)
        value = features[..., self._value]
        deposits = [features[..., flag] * value for flag in self._flags]
        return pixel_sums(deposits, row, column, inside & valid, self.size, self.size)

    def _steps(self, delta: Tensor, largest: float) -> Tensor:
        # Products of two float32 are exact in float64, and the exporter rounds constants to float32: a crystal's centre
        # on a pixel's edge falls to the same side everywhere, ONNX Runtime included.
        return torch.floor(delta.double() * float(np.float32(0.5 * self.size / largest)) + 0.5 * self.size)
