"""φ of whole events seen from a node of their own, so that turning an event around the beam changes no score.

Discrete choices (orders, hashes, cells) jump where a coordinate crosses a border, so that rounding alone would change
some of them when an event is turned. Nodes of whole events therefore lie on steps of φ (``geometry.PHI_STEPS``), and
what networks see are whole numbers of steps from the reference: the same bits, whatever the angle.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from e2egraph.detector.geometry import CRYSTALS_PER_TOWER, ECAL_COLUMNS, PHI_STEPS
from e2egraph.models.layers.geometry.places import QUARTER_TURN
from e2egraph.models.layers.ordering.serialization import content_fraction
from e2egraph.tasks.inputs import Inputs

# As the exporter rounds constants.
STEPS_PER_RADIAN, STEP = (float(np.float32(value)) for value in (PHI_STEPS / (2 * math.pi), 2 * math.pi / PHI_STEPS))

# Where the reference is put: the middle of a tower, and so of cells and pixels, not their border.
REFERENCE_STEPS = PHI_STEPS // ECAL_COLUMNS * CRYSTALS_PER_TOWER // 2
REFERENCE = REFERENCE_STEPS * STEP


class PhiReference(nn.Module):
    """``points [B, N, 2]`` (η, φ) and raw ``features [B, N, V]``, zero where not ``valid [B, N]`` → the points turned
    around the beam until the node of largest ``value`` has φ = ``REFERENCE``; φ in [−π, π), on ``PHI_STEPS``.

    Where regions do not close in φ, points are given back as they are. ``channels_first``: ``[B, 2, N]`` and
    ``[B, V, N]``. Of nodes of equal value all they say decides, η included; of those that are equal in this too, which
    of them lies more in the direction that all nodes point to, as far as events of copies have one.
    """

    def __init__(self, inputs: Inputs, channels_first: bool = False) -> None:
        super().__init__()
        self.channels_first = channels_first
        self.turns = inputs.region.periodic
        self.value = inputs.index("value") if inputs.has("value") else None

    def forward(self, points: Tensor, features: Tensor, valid: Tensor) -> Tensor:
        nothing = not torch.compiler.is_exporting() and valid.shape[1] == 0
        if not self.turns or nothing:
            return points
        along = 1 if self.channels_first else 2
        eta, phi = points.unbind(along)
        rows = features.transpose(1, 2) if self.channels_first else features
        with torch.no_grad():
            seen = phi.double()
            reference = torch.gather(seen, 1, self._node(eta, seen, rows, valid))
            steps = torch.floor((seen - reference) * STEPS_PER_RADIAN + 0.5) + float(REFERENCE_STEPS)
            steps = steps - PHI_STEPS * torch.floor((steps + PHI_STEPS / 2) / PHI_STEPS)
            turned = (steps * STEP).to(phi.dtype)
        return torch.stack([eta, torch.where(valid, turned, 0.0)], dim=along)

    def _node(self, eta: Tensor, phi: Tensor, features: Tensor, valid: Tensor) -> Tensor:
        """Index [B, 1] of the node that is the reference; any without nodes."""
        content = content_fraction(torch.cat([features, eta.unsqueeze(-1)], dim=-1))
        waves = torch.stack([torch.sin(phi), torch.sin(phi + QUARTER_TURN)])
        total = (waves * torch.where(valid, 1.0 + content, 0.0)).sum(2, keepdim=True)
        keys = [content, (waves * total).sum(0)]
        if self.value is not None:
            keys = [features[..., self.value].double(), *keys]
        best = valid
        for key in keys:
            left = key.masked_fill(~best, -math.inf)
            best = best & (left == left.amax(1, keepdim=True))
        return best.to(torch.int32).argmax(1, keepdim=True)
