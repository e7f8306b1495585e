"""Nodes → one vector a jet: masked mean, maximum and compressed sum, and sums weighted by energy."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
        if not self.flags:
            return features[..., :0]
        rows = features.transpose(1, 2)  # whole rows are read faster than columns
        value = rows[:, self.value].clamp(min=0.0).unsqueeze(1)
        return (rows.index_select(1, torch.tensor(self.flags, device=features.device)) * value).transpose(1, 2)


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

    def forward(self, x: Tensor, energy: Tensor, mask: Tensor) -> Tensor:
        x = self.node(x).masked_fill(~mask.unsqueeze(-1), 0.0)
        counted = mask.unsqueeze(-1).to(x.dtype)
        mean = counted / counted.sum(1, keepdim=True).clamp(min=1.0)
        share = energy / energy.sum(1, keepdim=True).clamp(min=SMALLEST_ENERGY)
        # All weighted sums in one product, [B, 2 + E, D].
        weights = torch.cat([mean, counted / TYPICAL_NODES, share], dim=-1)
        sums = torch.matmul(weights.transpose(1, 2).to(x.dtype), x)
        # Nothing is negative after ReLU: zeros for what is not there do not change a maximum.
        highest = x.amax(1) if torch.compiler.is_exporting() or x.shape[1] else sums[:, 0]
        return torch.cat([sums[:, 0], highest, torch.asinh(sums[:, 1]), sums[:, 2:].flatten(1)], dim=-1)
