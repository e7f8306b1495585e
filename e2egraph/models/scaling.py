"""Raw physical quantities → numbers of order one, with fixed constants: nothing is fitted, so callers never rescale.

Every map takes zero to zero, so that padding, empty pixels and "has no meaning" stay what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from e2egraph.detector.geometry import ECAL_RADIUS, ETA_PITCH, WINDOW_SIZE
from e2egraph.graphs.columns import VARIABLES

# Half the width of the jet window [rad]: Δη and Δφ of nodes lie in about ±1 after division by it.
HALF_WINDOW = 0.5 * WINDOW_SIZE * ETA_PITCH


@dataclass(frozen=True)
class Scale:
    """x → gain · asinh(x / unit), or gain · x / unit when ``linear``; linear below one unit, logarithmic above it."""

    unit: float
    gain: float = 1.0
    linear: bool = False

    def __call__(self, x: Tensor) -> Tensor:
        x = x / self.unit
        return (x if self.linear else torch.asinh(x)) * self.gain


# Units are the size at which the quantity begins to say something about the detector:
NODE_SCALES: dict[str, Scale] = {
    "rho": Scale(ECAL_RADIUS, linear=True),  # cm; 1 at the crystals, 0.03 at the first pixel layer
    "value": Scale(0.1, 0.25),  # GeV; the noise of a few crystals (CMS ECAL TDR); 1.9 at 100 GeV; a hit (1): 0.75
    "d0": Scale(0.01, 0.3),  # cm; the resolution of a 1 GeV track (CMS, JINST 9 (2014) P10009)
    "dz": Scale(0.02, 0.3),  # cm; likewise
    "d0_sig": Scale(1.0, 0.5),  # one standard deviation
    "dz_sig": Scale(1.0, 0.5),
    "charge": Scale(1.0, linear=True),  # e
    "time": Scale(1.0, 0.5),  # ns; the spread of low-energy crystals (CMS, JINST 5 (2010) T03011)
}


class VariableScaling(nn.Module):
    """Columns ``[..., len(names)]`` of node variables in physical units → the same shape, of order one."""

    def __init__(self, names: Sequence[str] = VARIABLES) -> None:
        super().__init__()
        scales = [NODE_SCALES[name] for name in names]
        # Not part of the state: they are constants.
        self.register_buffer("unit", torch.tensor([scale.unit for scale in scales]), persistent=False)
        self.register_buffer("gain", torch.tensor([scale.gain for scale in scales]), persistent=False)
        self.register_buffer("linear", torch.tensor([scale.linear for scale in scales]), persistent=False)
        self.any_linear = any(scale.linear for scale in scales)

    unit: Tensor
    gain: Tensor
    linear: Tensor

    def forward(self, x: Tensor) -> Tensor:
        # All columns at once: one operation each instead of one a variable.
        x = x / self.unit
        curved = torch.asinh(x)
        return (torch.where(self.linear, x, curved) if self.any_linear else curved) * self.gain


class NodeScaling(nn.Module):
    """``features [B, N, V]`` in physical units → the same shape, of order one; channel flags pass through."""

    def __init__(self) -> None:
        super().__init__()
        self.variables = VariableScaling()

    def forward(self, features: Tensor) -> Tensor:
        physical = len(VARIABLES)
        return torch.cat([self.variables(features[..., :physical]), features[..., physical:]], dim=-1)
