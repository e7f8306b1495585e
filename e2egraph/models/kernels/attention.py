"""Full attention, every node to every node: A. Vaswani et al., NeurIPS 2017, arXiv:1706.03762, §3.2.

The quality reference among the kernels, and the one whose cost is quadratic in the number of nodes.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from e2egraph.config import configuration
from e2egraph.detector import ETA_PITCH
from e2egraph.models.graph_network import GraphNetwork
from e2egraph.models.kernels.projection import AttentionOptions, HeadProjection
from e2egraph.models.scaling import HALF_WINDOW

# Numbers in the hidden layer of the pairwise bias.
BIAS_WIDTH = 16

# Two nodes within a tenth of a crystal are at the same place: it keeps the logarithm of their distance finite.
SAME_PLACE = 0.1 * ETA_PITCH


class AttentionKernel(nn.Module):
    """x [B, N, width] → W_o softmax(q kᵀ / √C + bias) v over the nodes of the jet, C = width / heads; same shape.

    Without ``pairwise`` nothing of size [N, N] is kept for the gradient where torch has a fused attention. With it, a
    learned bias is added for each head and pair of nodes (``PairwiseBias``); memory is then O(N²).
    """

    def __init__(self, width: int, heads: int, pairwise: bool = False) -> None:
        super().__init__()
        self.projection = HeadProjection(width, heads)
        self.bias = PairwiseBias(heads) if pairwise else None

    def forward(self, x: Tensor, points: Tensor, mask: Tensor) -> Tensor:
        q, k, v = self.projection.split(x)
        keys = attended(mask)[:, None, None, :]
        if self.bias is not None:
            keys = self.bias(points.masked_fill(~mask.unsqueeze(-1), 0.0)).to(q.dtype).masked_fill(~keys, float("-inf"))
        return self.projection.join(F.scaled_dot_product_attention(q, k, v, attn_mask=keys))


def attended(mask: Tensor) -> Tensor:
    """Keys that may be attended to, for ``mask [..., N]`` (bool): the nodes, or everything where there is none.

    A softmax over no keys at all is undefined; its result stands in padded rows only, where it is of no account.
    """
    return mask | ~mask.any(-1, keepdim=True)


class PairwiseBias(nn.Module):
    """``points [B, N, 2]`` (Δη, Δφ in rad) → ``[B, heads, N, N]``, added to the logits of attention of i to j.

    A perceptron of (ln ΔR², Δη, Δφ) between i and j, after the interaction matrix of Particle Transformer (H. Qu,
    C. Li, S. Qian, ICML 2022, arXiv:2202.03772, §3). There: ln of Δ, k_T, z and m² of two particles, one
    perceptron of width 64 for all blocks. Hits have no four-momenta, so here it is geometry alone, with signs; each
    block has its own, narrower one. No bias of the last layer: the softmax over j would not feel it.
    """

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, BIAS_WIDTH), nn.ReLU(), nn.Linear(BIAS_WIDTH, heads, bias=False))

    def forward(self, points: Tensor) -> Tensor:
        difference = points.unsqueeze(2) - points.unsqueeze(1)
        eta, phi = difference[..., 0], difference[..., 1]
        # Exactly phi wherever |phi| < π, as in every jet.
        phi = phi - 2.0 * math.pi * torch.round(phi / (2.0 * math.pi))
        square = eta * eta + phi * phi
        closeness = torch.log((square + SAME_PLACE**2) / HALF_WINDOW**2)
        pair = torch.stack([closeness, eta / HALF_WINDOW, phi / HALF_WINDOW], dim=-1)
        bias: Tensor = self.layers(pair)
        return bias.permute(0, 3, 1, 2)


@configuration
class TransformerOptions(AttentionOptions):
    """``pairwise``: add the learned bias from the distance of two nodes; for jets of some hundreds of nodes."""

    pairwise: bool = False


class Transformer(GraphNetwork):
    """Graph network of full attention: the graph transformer."""

    Options = TransformerOptions

    def make_kernel(self, block: int) -> nn.Module:
        o = self.options
        return AttentionKernel(o.width, o.heads, o.pairwise)
