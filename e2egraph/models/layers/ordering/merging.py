"""Pooling between stages: neighbours along the curve become one node, so that depth costs a fraction of the nodes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from e2egraph.models.kernels.search.neighbors import gather_nodes
from e2egraph.models.layers.geometry.places import wrapped
from e2egraph.models.layers.ordering.serialization import order_code, serialize


class Merge(nn.Module):
    """Every ``factor`` nodes that follow each other along the space-filling curve become one.

    Serialised pooling after X. Wu et al., Point Transformer V3, CVPR 2024, arXiv:2312.10035, §4.1, with groups of equal
    size: the new vector is W [mean, max] of the group's vectors, the new place the mean of its places, and energies add
    up. ``x [B, N, D], points [B, N, 2], energy [B, N, E], mask [B, N]`` → the same with ⌈N / factor⌉ nodes.
    Where φ is ``periodic``, the mean is that of the arc the group lies on.
    """

    def __init__(self, width: int, factor: int, periodic: bool = False) -> None:
        super().__init__()
        self.factor, self.periodic = factor, periodic
        self.combine = nn.Linear(2 * width, width)

    def extra_repr(self) -> str:
        return f"factor={self.factor}"

    def forward(self, x: Tensor, points: Tensor, energy: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        groups = serialize(order_code(points, periodic=self.periodic), x, mask, self.factor)
        merged = groups.mask.any(2)
        count = groups.mask.sum(2, keepdim=True).clamp(min=1)
        share = groups.mask / count  # [B, M, factor]
        # A missing member of a group is played by its first: the mean gives it no weight, the maximum does not see it,
        # and no copy of all vectors is needed to hide it.
        node = groups.node.view_as(groups.mask)
        members = gather_nodes(x, torch.where(groups.mask, node, node[..., :1]))
        mean = torch.matmul(share.to(x.dtype).unsqueeze(2), members).squeeze(2)
        x = self.combine(torch.cat([mean, members.max(2).values], dim=-1))
        # Sums of float32 are exact in float64, in any order: merged places and energies are the same bits in torch and
        # in ONNX Runtime, and equal distances on a lattice stay equal.
        places = groups.split(points).double()
        points = (self._sum(places, groups.mask) / count.double()).to(points.dtype)
        if self.periodic:
            points = torch.stack([points[..., 0], wrapped(points[..., 1])], dim=-1)
        energy = groups.split(energy).double().sum(2).to(energy.dtype)
        return x.masked_fill(~merged.unsqueeze(-1), 0.0), points, energy, merged

    def _sum(self, places: Tensor, mask: Tensor) -> Tensor:
        """The sum of ``places`` [B, M, factor, 2] of the members ``mask``, each φ taken on the side of the first's."""
        if not self.periodic:
            return places.sum(2)
        eta, phi = places.unbind(-1)
        first = phi[..., :1]
        near = (first + wrapped(phi - first)).masked_fill(~mask, 0.0)
        return torch.stack([eta.sum(2), near.sum(2)], dim=-1)
