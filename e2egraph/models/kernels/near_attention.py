"""Attention that fades with distance and reports it: heads of learned reach, each saying where what it found lies.

The fading is the Gaussian prior of M. Guo, Y. Zhang, T. Liu, AAAI 33 (2019) 6489, doi:10.1609/aaai.v33i01.33016489,
here in the plane of η and φ and with a reach that is learned.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from e2egraph.models.kernels.attention import MASKED, attended
from e2egraph.models.kernels.projection import HeadProjection

# Fading β of the first and of the last head before training, the others between them on a logarithmic scale: reaches
# 1/√(2β) from one unit, half of the region, to a tenth of it, the size of a subjet in a jet.
WIDEST, NARROWEST = 0.5, 60.0

# β is never more, whatever is learned: a reach of 0.07 units. It bounds the logits, and what rounding does to them.
LARGEST = 100.0

# Offsets and distances within a head's reach become of order one.
OFFSET_SCALE = 4.0

# Numbers each head says of where it found things: mean Δη, mean sin Δφ, mean squared distance.
MOMENTS = 3


class NearAttentionKernel(nn.Module):
    """x [B, N, width] → W_o Σ_j a_ij v_j + W_m Σ_j a_ij (Δη, sin Δφ, d²)_ij, a = softmax_j(q_i·k_j / √C − β d²_ij).

    C = width / heads; β > 0 is one learned number a head; d² = (Δη² + 2 − 2 cos Δφ) / unit² with ``unit`` in rad, which
    is ΔR² for near nodes and smooth all around the detector. All of this is in a few more numbers of each query, key
    and value, so that no [N, N] tensor is kept where torch has a fused attention, and none is made that plain attention
    does not make.
    """

    def __init__(self, width: int, heads: int, unit: float) -> None:
        super().__init__()
        self.unit = unit
        self.projection = HeadProjection(width, heads)
        self.log_fading = nn.Parameter(torch.linspace(math.log(WIDEST), math.log(NARROWEST), heads))
        self.moments = nn.Linear(MOMENTS * heads, width, bias=False)

    def forward(self, x: Tensor, points: Tensor, mask: Tensor) -> Tensor:
        parts = self.projection.split(x)
        with _full_precision(x):
            q, k, v = (part.to(torch.promote_types(part.dtype, torch.float32)) for part in parts)
            here = points.masked_fill(~mask.unsqueeze(-1), 0.0).to(q.dtype)
            at = positions(here, self.unit).unsqueeze(1)  # [B, 1, N, 4]
            found = self._attend(q, k, v, at, mask)
            values, where = found.split([v.shape[-1], at.shape[-1]], dim=-1)
            moments = _moments(at, where, self.unit).transpose(1, 2).flatten(2) * OFFSET_SCALE
        result: Tensor = self.projection.join(values) + self.moments(moments)
        return result

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, at: Tensor, mask: Tensor) -> Tensor:
        """Means over the nodes attended to of v and of ``at``: [B, heads, N, C + 4]."""
        fading = self.log_fading.clamp(max=math.log(LARGEST)).exp().view(1, -1, 1, 1)
        # −β d² but for what is the same for all keys: 2 β u_i·u_j − β η_j², u being the first three positions.
        place = torch.cat([2.0 * fading * at[..., :-1], (-fading).expand(at.shape[0], -1, at.shape[2], 1)], dim=-1)
        there = at.expand(-1, q.shape[1], -1, -1)
        q = torch.cat([q * q.shape[-1] ** -0.5, place], dim=-1)
        k, v = torch.cat([k, there], dim=-1), torch.cat([v, there], dim=-1)
        if torch.compiler.is_exporting():
            # Without the guards against rows that are masked as a whole, as in ``attention``.
            scores = torch.matmul(q, k.transpose(-1, -2)).masked_fill(~mask[:, None, None, :], MASKED)
            return torch.matmul(torch.softmax(scores, dim=-1), v)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=attended(mask)[:, None, None, :], scale=1.0)


def positions(points: Tensor, unit: float) -> Tensor:
    """``points [..., 2]`` (Δη, Δφ) [rad] → η, cos φ, sin φ and η², in units of ``unit`` [rad]: [..., 4]."""
    eta, phi = (points[..., :1] / unit), points[..., 1:]
    return torch.cat([eta, torch.cos(phi) / unit, torch.sin(phi) / unit, eta * eta], dim=-1)


def _moments(at: Tensor, where: Tensor, unit: float) -> Tensor:
    """Means of Δη, sin Δφ and d² from own positions ``at`` [B, 1, N, 4] and mean positions ``where``: [..., 3]."""
    eta, cos, sin, square = at.unbind(-1)
    mean_eta, mean_cos, mean_sin, mean_square = where.unbind(-1)
    along_phi = (mean_sin * cos - mean_cos * sin) * unit
    chord = 2.0 / unit**2 - 2.0 * (mean_cos * cos + mean_sin * sin)
    distance = mean_square - 2.0 * mean_eta * eta + square + chord
    return torch.stack([mean_eta - eta, along_phi, distance], dim=-1)


def _full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Distances are differences of larger numbers: no autocast to half precision here."""
    kind = x.device.type
    return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext()
