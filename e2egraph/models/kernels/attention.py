"""Full attention, every node to every node: A. Vaswani et al., NeurIPS 2017, arXiv:1706.03762, §3.2.

The quality reference among the kernels, and the one whose cost is quadratic in the number of nodes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from e2egraph.config import configuration
from e2egraph.models.graph_network import GraphNetwork
from e2egraph.models.kernels.pairwise import PairwiseBias
from e2egraph.models.kernels.projection import AttentionOptions, HeadProjection

# In exported models, in place of −∞ for keys that are masked: its exponential next to that of any other logit is zero,
# and in float32 any logit added to it is lost.
MASKED = -1e30


class AttentionKernel(nn.Module):
    """x [B, N, width] → W_o softmax(q kᵀ / √C + bias) v over the nodes of the jet, C = width / heads; same shape.

    Without ``pairwise`` nothing of size [N, N] is kept for the gradient where torch has a fused attention. With it, a
    learned bias is added for each head and pair of nodes (``PairwiseBias`` with that unit of distances [rad]); memory
    is then O(N²).
    """

    def __init__(self, width: int, heads: int, pairwise: float | None = None) -> None:
        super().__init__()
        self.projection = HeadProjection(width, heads)
        self.bias = None if pairwise is None else PairwiseBias(width, heads, pairwise)

    def forward(self, x: Tensor, points: Tensor, mask: Tensor) -> Tensor:
        q, k, v = self.projection.split(x)
        bias, keys = None, mask[:, None, None, :]
        if self.bias is not None:
            bias = self.bias(x, points.masked_fill(~mask.unsqueeze(-1), 0.0)).to(q.dtype)
        return self.projection.join(attention(q, k, v, keys, bias))


def attention(q: Tensor, k: Tensor, v: Tensor, keys: Tensor, bias: Tensor | None = None) -> Tensor:
    """softmax(q kᵀ / √C + ``bias``) v over the keys that each query sees: [..., Q, C].

    ``q`` [..., Q, C], ``k``, ``v`` [..., K, C], ``keys`` bool and ``bias`` float, both to be broadcast to [..., Q, K].
    What comes out for a query that sees no key is finite and does not matter.
    """
    if not torch.compiler.is_exporting():
        seen = attended(keys)
        mask = seen if bias is None else bias.masked_fill(~seen, float("-inf"))
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    # The same, without the guards against queries that see no key: their softmax is over equal numbers. A sum, as ONNX
    # Runtime takes three times as long to choose between two tensors.
    scores = torch.matmul(q * q.shape[-1] ** -0.5, k.transpose(-1, -2)) + torch.where(keys, 0.0, MASKED).to(q.dtype)
    return torch.matmul(torch.softmax(scores if bias is None else scores + bias, dim=-1), v)


def attended(mask: Tensor) -> Tensor:
    """Keys that may be attended to, for ``mask [..., N]`` (bool): the nodes, or everything where there is none.

    A softmax over no keys at all is undefined; its result stands in padded rows only, where it does not matter.
    """
    return mask | ~mask.any(-1, keepdim=True)


@configuration
class TransformerOptions(AttentionOptions):
    """``pairwise``: add the learned bias from the distance of two nodes; for jets of some hundreds of nodes."""

    pairwise: bool = False


class Transformer(GraphNetwork):
    """Graph network of full attention: the graph transformer."""

    Options = TransformerOptions

    def make_kernel(self, block: int) -> nn.Module:
        o = self.options
        return AttentionKernel(o.width, o.heads, self.inputs.region.half_eta if o.pairwise else None)
