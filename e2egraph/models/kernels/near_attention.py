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

from e2egraph.models.kernels.projection import HeadProjection

# Fading β of the first and of the last head before training, the others between them on a logarithmic scale: reaches
# 1/√(2β) from one unit, half of the region, to a tenth of it, the size of a subjet in a jet.
WIDEST, NARROWEST = 0.5, 60.0

# β is never more, whatever is learned: a reach of 0.07 units. It bounds the logits, and what rounding does to them.
LARGEST = 100.0

# Offsets and distances within a head's reach become of order one.
OFFSET_SCALE = 4.0

# What a node that is none adds to its logits as a key: its share is zero next to that of any node. Half precision holds
# it, since it goes through products and gradients.
NO_KEY = -1e4

# Positions in what ``geometry`` gives.
ETA, COS, SIN, SQUARE, NO_NODE = range(5)
GEOMETRY = 5

QUERIES, KEYS, VALUES = range(3)

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
        self.heads = heads
        self.projection = HeadProjection(width, heads)
        self.log_fading = nn.Parameter(torch.linspace(math.log(WIDEST), math.log(NARROWEST), heads))
        self.moments = nn.Linear(MOMENTS * heads, width, bias=False)
        # The four last numbers of queries, keys and values, of what ``geometry`` gives [3, 1, 4, 5]: what is the same
        # for all heads, what a head's β multiplies, and what is added.
        same, faded, added = torch.zeros(3, 1, 4, GEOMETRY), torch.zeros(3, 1, 4, GEOMETRY), torch.zeros(3, 1, 4)
        direction, position = torch.eye(GEOMETRY)[[ETA, COS, SIN]], torch.eye(GEOMETRY)[[ETA, COS, SIN, SQUARE]]
        same[KEYS, :, :3], same[KEYS, :, 3, NO_NODE], same[VALUES] = direction, 1.0, position
        faded[QUERIES, :, :3], faded[KEYS, :, 3, SQUARE] = 2.0 * direction / unit**2, -1.0 / unit**2
        added[QUERIES, :, 3] = 1.0
        scale = torch.tensor([(width // heads) ** -0.5, 1.0, 1.0]).view(3, 1, 1)
        of_moments = OFFSET_SCALE / torch.tensor([unit, unit, unit**2])
        # The factors of the products that moments are made of, out of what is found and what is own.
        factors = torch.eye(4)[:, [ETA, COS, SIN, SIN, COS]]
        of_found = torch.block_diag(*[F.pad(factors, (0, 0, width // heads, 0))] * heads)
        of_own = torch.eye(GEOMETRY)[:, [ETA, COS, SIN, COS, SIN] * heads]
        constants = {"same": same, "faded": faded, "added": added, "scale": scale, "of_moments": of_moments}
        for name, values in (constants | {"of_found": of_found, "of_own": of_own}).items():
            self.register_buffer(name, values, persistent=False)

    same: Tensor
    faded: Tensor
    added: Tensor
    scale: Tensor
    of_moments: Tensor
    of_found: Tensor
    of_own: Tensor

    def forward(self, x: Tensor, points: Tensor, mask: Tensor) -> Tensor:
        n_jets, n_nodes, width = x.shape
        with _full_precision(x):
            x = x.to(torch.promote_types(x.dtype, torch.float32))
            own = geometry(points.to(x.dtype), mask)
            q, k, v = self._split(torch.cat([x, own], dim=-1))
            found = _attention(q, k, v).transpose(1, 2).reshape(n_jets * n_nodes, -1)
            result = self._join(found, own.view(n_jets * n_nodes, GEOMETRY))
        return result.view(n_jets, n_nodes, width)

    def _split(self, content: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Vectors and geometry ``[B, N, width + 5]`` → queries, keys and values, each ``[B, heads, N, C + 4]``.

        All by one product. q·k is q_i·k_j / √C − β d²_ij but for what is the same for all keys: 2 β u_i·u_j − β u_j².
        """
        qkv, heads = self.projection.qkv, self.heads
        size = qkv.in_features // heads
        fading = self.log_fading.clamp(max=math.log(LARGEST)).exp().view(1, heads, 1, 1)
        of_vector = F.pad(qkv.weight.view(3, heads, size, -1) * self.scale.unsqueeze(-1), (0, 0, 0, 4))
        of_geometry = F.pad(self.same + fading * self.faded, (0, 0, size, 0))
        weight = torch.cat([of_vector, of_geometry], dim=-1).transpose(0, 1).flatten(1, 2)
        added = self.added.expand(-1, heads, -1)
        bias = torch.cat([qkv.bias.view(3, heads, size) * self.scale, added], dim=-1).transpose(0, 1).flatten(1)
        if torch.compiler.is_exporting():
            # A product for each head: its rows need not be brought into the order that attention reads.
            rows = torch.matmul(content.unsqueeze(1), weight.transpose(1, 2)) + bias.unsqueeze(1)
        else:
            rows = F.linear(content, weight.flatten(0, 1), bias.flatten()).unflatten(-1, bias.shape).transpose(1, 2)
        q, k, v = rows.split(size + 4, dim=-1)
        return q, k, v

    def _join(self, found: Tensor, own: Tensor) -> Tensor:
        """Means over the nodes attended to, of values and positions ``[R, heads · (C + 4)]``, and own geometry
        ``[R, 5]`` → ``[R, width]``.

        The moments are linear in the means, in what is own, and in products of both: ⟨η⟩ − η, ⟨s⟩ − s + ⟨s⟩ c − ⟨c⟩ s,
        and ⟨u²⟩ + u² − 2 ⟨u⟩·u, where u = (η, c, s).
        """
        output, heads = self.projection.output, self.heads
        size = output.in_features // heads
        eta, phi, distance = (self.moments.weight.view(-1, heads, MOMENTS) * self.of_moments).unbind(-1)
        nothing = torch.zeros_like(eta)
        of_positions = torch.stack([eta, nothing, phi, distance], dim=-1)
        of_means = torch.cat([output.weight.view(-1, heads, size), of_positions], dim=-1).flatten(1)
        of_products = torch.stack([-2.0 * distance, -2.0 * distance, -2.0 * distance, phi, -phi], dim=-1).flatten(1)
        of_own = torch.stack([-eta, nothing, -phi, distance], dim=-1).sum(1)
        of_rest = torch.cat([of_products, of_own], dim=-1)
        products = torch.mm(found, self.of_found) * torch.mm(own, self.of_own)
        rest = torch.cat([products, own[:, : SQUARE + 1]], dim=-1)
        joined = torch.addmm(output.bias, found, of_means.T)
        return torch.addmm(joined, rest, of_rest.T)


def _attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if not torch.compiler.is_exporting():
        return F.scaled_dot_product_attention(q, k, v, scale=1.0)
    return torch.matmul(torch.softmax(torch.matmul(q, k.transpose(-1, -2)), dim=-1), v)


def geometry(points: Tensor, mask: Tensor) -> Tensor:
    """u = (η, cos φ − 1, sin φ) and u² of ``points [B, N, 2]`` (Δη, Δφ), and what a node, or none, adds as a key to
    logits: [B, N, 5].

    Δη² + 2 − 2 cos Δφ is the square of the distance of two u: numbers that are small wherever points are near 0.
    """
    here = torch.where(mask.unsqueeze(-1), points, 0.0)
    eta, phi = here[..., :1], here[..., 1:]
    cos = torch.cos(phi) - 1.0
    no_node = torch.where(mask.unsqueeze(-1), 0.0, NO_KEY).to(points.dtype)
    return torch.cat([eta, cos, torch.sin(phi), eta * eta - 2.0 * cos, no_node], dim=-1)


def _full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Distances are differences of larger numbers: no autocast to half precision here."""
    kind = x.device.type
    return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext()
