"""Nodes → one vector a jet: masked mean, maximum and compressed sum, and sums weighted by energy."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from e2egraph.models.layers.node_wise import node_wise
from e2egraph.tasks.inputs import Inputs

# A typical jet has some hundreds of nodes (kernels.md): with this unit the compressed sum is of order one for it.
TYPICAL_NODES = 100.0

# GeV, far below any deposit kept: a jet without deposits of a kind has shares of zero.
SMALLEST_ENERGY = 1e-6


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``x [B, N, D]`` over the nodes of ``mask [B, N]`` (bool), [B, D]; zero for a jet without nodes."""
    return masked_sum(x, mask) / mask.sum(1, keepdim=True).clamp(min=1).to(x.dtype)


def masked_sum(x: Tensor, mask: Tensor) -> Tensor:
    """Sum of ``x [B, N, D]`` over the nodes of ``mask [B, N]`` (bool), [B, D]."""
    return x.masked_fill(~mask.unsqueeze(-1), 0.0).sum(1)


def masked_max(x: Tensor, mask: Tensor) -> Tensor:
    """Maximum of ``x [B, N, D]`` over the nodes of ``mask [B, N]`` (bool), [B, D]; zero for a jet without nodes."""
    filled = x.masked_fill(~mask.unsqueeze(-1), float("-inf"))
    # One row more: the maximum over no nodes at all is an error in ONNX Runtime.
    top = F.pad(filled, (0, 0, 0, 1), value=float("-inf")).amax(1)
    return torch.where(mask.any(1, keepdim=True), top, torch.zeros_like(top))


class Energies(nn.Module):
    """Raw ``features [B, N, V]`` → value of nodes by channel, for the channels whose value is a momentum or an energy:
    [B, N, E].

    In GeV; zero for other nodes, and for negative energies (noise), so that shares lie between 0 and 1. ``channels``:
    their names, none where networks do not read ``value``.
    """

    def __init__(self, inputs: Inputs) -> None:
        super().__init__()
        has_value = inputs.has("value")
        self.channels = tuple(channel.name for channel in inputs.channels if channel.energy and has_value)
        self.flags = [inputs.index(f"is_{name}") for name in self.channels]
        self.value = inputs.index("value") if has_value else 0

    def forward(self, features: Tensor) -> Tensor:
        return self.rows(features.transpose(1, 2)).transpose(1, 2)

    def rows(self, features: Tensor) -> Tensor:
        """The same channels first, ``[B, V, N]`` → ``[B, E, N]``: whole rows are read faster than columns."""
        if not self.flags:
            return features[:, :0]
        value = features[:, self.value : self.value + 1].clamp(min=0.0)
        return features.index_select(1, torch.tensor(self.flags, device=features.device)) * value


class Pooling(nn.Module):
    """``x [B, N, D]`` → ``[B, (3 + E) D]``: each node through one more layer, then summaries of the object.

    Mean, maximum and asinh of the sum: shapes, single hard deposits, and multiplicities (compressed, as they grow with
    the number of nodes). Then, for each of E channels, Σ z_i x_i with z_i the node's share of the object's pT or energy
    in it: the energy flow of P. Komiske, E. Metodiev, J. Thaler, JHEP 01 (2019) 121, arXiv:1810.05165, §2, of which jet
    width and mass are members. ``energy`` [B, N, E] as ``Energies`` gives it, zero in padding.
    """

    def __init__(self, width: int, energies: int) -> None:
        super().__init__()
        self.node = nn.Sequential(nn.Linear(width, width), nn.ReLU())
        self.out_width = (3 + energies) * width
        # One node, or hardly any energy.
        self.register_buffer("smallest", torch.tensor([1.0] + [SMALLEST_ENERGY] * energies), persistent=False)

    smallest: Tensor

    def forward(self, x: Tensor, energy: Tensor, mask: Tensor) -> Tensor:
        found = mask.unsqueeze(-1)
        x = torch.where(found, node_wise(self.node, x), 0.0)
        weights = torch.cat([found.to(energy.dtype), energy], dim=-1)
        total = torch.maximum(weights.sum(1, keepdim=True), self.smallest)
        # All weighted means in one product, [B, 1 + E, D].
        means = torch.matmul((weights / total).transpose(1, 2).to(x.dtype), x)
        mean, shares = means[:, 0], means[:, 1:].flatten(1)
        # Nothing is negative after ReLU: zeros for what is not there do not change a maximum.
        highest = x.amax(1) if torch.compiler.is_exporting() or x.shape[1] else mean
        multiplicity = torch.asinh(mean * (total[:, 0, :1] / TYPICAL_NODES))
        return torch.cat([mean, highest, multiplicity, shares], dim=-1)
