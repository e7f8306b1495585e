"""Quantities of the whole object, such as where in the detector it lies, as numbers of order one for a head."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from e2egraph.errors import UsageError
from e2egraph.models.layers.scaling import scaled
from e2egraph.tasks.inputs import Inputs


class ObjectQuantities(nn.Module):
    """``jet`` [B, G] in physical units → [B, G] by the scales of ``inputs.object``."""

    def __init__(self, network: str, inputs: Inputs) -> None:
        """UsageError, naming ``network``, when the inputs hold no quantity of the object."""
        super().__init__()
        if not inputs.object:
            raise UsageError(
                f"{network} is to read quantities of the object (model.options.object), but the task's inputs hold "
                "none; add some to inputs.object and build the data set again, or set the option to false."
            )
        self.out_width = len(inputs.object)
        scales = [quantity.scale for quantity in inputs.object]
        self.register_buffer("unit", torch.tensor([scale.unit for scale in scales]), persistent=False)
        self.register_buffer("gain", torch.tensor([scale.gain for scale in scales]), persistent=False)
        self.register_buffer("linear", torch.tensor([scale.linear for scale in scales]), persistent=False)

    unit: Tensor
    gain: Tensor
    linear: Tensor

    def forward(self, jet: Tensor) -> Tensor:
        # Whoever computed a quantity may have left infinity or NaN where it has no meaning.
        return scaled(torch.nan_to_num(jet, nan=0.0, posinf=0.0, neginf=0.0), self.unit, self.linear, self.gain)
