"""φ of whole events seen from a direction of their own, so that turning an event around the beam changes no score."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from e2egraph.models.layers.pooling import Energies
from e2egraph.tasks.inputs import Inputs

# As the exporter rounds constants.
FULL_TURN, PER_TURN = (float(np.float32(value)) for value in (2.0 * math.pi, 0.5 / math.pi))

# Where the sum of all points [rad]: inside a pixel, a cell and a bin of curves, not at their edges, where rounding
# would decide between two for an event of a single node.
DIRECTION = 0.05


class PhiReference(nn.Module):
    """``points [B, N, 2]`` (η, φ) and raw ``features [B, N, V]``, zero where not ``valid [B, N]`` → the points turned
    around the beam until the sum of all momenta and energies has φ = ``DIRECTION``; φ in [−π, π).

    Where regions do not close in φ, points are given back as they are. ``channels_first``: ``[B, 2, N]`` and
    ``[B, V, N]``. An event whose sum has none is turned by ``DIRECTION``. φ is then cut opposite to that sum, for all
    events alike: there alone neighbours in φ are not next to each other for networks that compare φ itself.
    """

    def __init__(self, inputs: Inputs, channels_first: bool = False) -> None:
        super().__init__()
        self.energies, self.channels_first = Energies(inputs), channels_first
        self.turns = inputs.region.periodic and bool(self.energies.channels)

    def forward(self, points: Tensor, features: Tensor, valid: Tensor) -> Tensor:
        if not self.turns:
            return points
        along = 1 if self.channels_first else 2
        eta, phi = points.unbind(along)
        rows = features if self.channels_first else features.transpose(1, 2)
        energy = self.energies.rows(rows).sum(1)
        # In float64, so that the sums do not depend on the order of nodes.
        x, y = (
            (energy * wave).double().sum(1, keepdim=True).to(phi.dtype) for wave in (torch.cos(phi), torch.sin(phi))
        )
        difference = phi - torch.atan2(y, x) + float(np.float32(DIRECTION))
        turned = difference - FULL_TURN * torch.floor(difference * PER_TURN + 0.5)
        return torch.stack([eta, torch.where(valid, turned, 0.0)], dim=along)
