"""Raw physical quantities → numbers of order one, with fixed constants: nothing is fitted, so callers never rescale.

Every map takes zero to zero, so that padding, empty pixels and "has no meaning" stay what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.variables import Scale as StoredScale


@dataclass(frozen=True)
class Scale:
    """x → gain · asinh(x / unit), or gain · x / unit when ``linear``; linear below one unit, logarithmic above it."""

    unit: float
    gain: float = 1.0
    linear: bool = False

    def __call__(self, x: Tensor) -> Tensor:
        x = x / self.unit
        return (x if self.linear else torch.asinh(x)) * self.gain


def scale_of(stored: StoredScale) -> Scale:
    """The scale of a variable of the inputs, as a function of tensors."""
    return Scale(stored.unit, stored.gain, stored.linear)


class VariableScaling(nn.Module):
    """Columns ``[..., len(names)]`` of node variables in physical units → the same shape, of order one."""

    def __init__(self, inputs: Inputs, names: Sequence[str]) -> None:
        super().__init__()
        scales = [inputs.variables[inputs.index(name)].scale for name in names]
        # Not part of the state: they are constants.
        self.register_buffer("unit", torch.tensor([scale.unit for scale in scales]), persistent=False)
        self.register_buffer("gain", torch.tensor([scale.gain for scale in scales]), persistent=False)
        self.register_buffer("linear", torch.tensor([scale.linear for scale in scales]), persistent=False)
        self.any_linear = any(scale.linear for scale in scales)

    unit: Tensor
    gain: Tensor
    linear: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return scaled(x, self.unit, self.linear, self.gain, self.any_linear)

    def rows(self, x: Tensor) -> Tensor:
        """The same for ``x [B, len(names), N]``, channels first."""
        unit, linear, gain = (values.unsqueeze(1) for values in (self.unit, self.linear, self.gain))
        return scaled(x, unit, linear, gain, self.any_linear)


def scaled(x: Tensor, unit: Tensor, linear: Tensor, gain: Tensor, any_linear: bool = True) -> Tensor:
    """``Scale`` of all columns at once: one operation each instead of one a variable."""
    x = x / unit
    curved = torch.asinh(x)
    return (torch.where(linear, x, curved) if any_linear else curved) * gain


class NodeScaling(nn.Module):
    """``features [B, N, V]`` in physical units → the same shape, of order one; channel flags pass through."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__()
        self.variables = VariableScaling(inputs, inputs.variable_names)
        self.physical = len(inputs.variables)

    def forward(self, features: Tensor) -> Tensor:
        physical = self.physical
        return torch.cat([self.variables(features[..., :physical]), features[..., physical:]], dim=-1)
