"""EdgeConv: ParticleNet (H. Qu, L. Gouskos, Phys. Rev. D 101 (2020) 056019, arXiv:1902.08570, §2.1) after DGCNN
(Y. Wang et al., ACM TOG 38 (2019) 146, arXiv:1801.07829, §3.1).

Each node is joined to its nearest neighbours, a perceptron works on every edge, and the node takes the mean. In the
first block neighbours are near in (Δη, Δφ), in later ones in the learned vectors, so that the graph is rebuilt.
"""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from e2egraph.config import configuration
from e2egraph.detector.geometry import ETA_PITCH
from e2egraph.models.graph_network import GraphNetwork, GraphOptions
from e2egraph.models.kernels.search.feature_neighbors import nearest_in_features
from e2egraph.models.kernels.search.neighbors import gather_nodes, nearest
from e2egraph.models.layers.geometry.places import coordinates_of

# Squared distances far below which nodes count as coincident and their weights fade out together: a tenth of a crystal
# in (Δη, Δφ) [rad²]; a tenth in learned vectors, which the normalisation before the kernel holds at length ≈ √width.
COINCIDENT_POINTS = (0.1 * ETA_PITCH) ** 2
COINCIDENT_FEATURES = 0.1**2


class EdgeConvKernel(nn.Module):
    """x [B, N, width] → Σ_j u_ij MLP[x_i, x_j − x_i] of the same shape, j over the ``neighbors`` nearest other nodes.

    They are nearest in ``points`` when ``dynamic`` is false (``periodic``: φ closes on itself), in x when it is true
    (fewer in a small jet; a lone node gathers zeros). The perceptron has ``layers`` linear layers of ``hidden`` outputs
    with ReLU, and a last one to ``width`` that is linear and therefore applied after the sum. Its first layer,
    W_a x_i + W_b (x_j − x_i), acts on nodes: (W_a − W_b) x_i once and W_b x_j once, then gathered. The published
    networks have batch normalisation in it; here the block normalises what comes in (``models.encoder``), and adds the
    shortcut.

    Without ``fading`` u_ij = 1/n_i with n_i the number of neighbours: the publications' mean. With it
    u_ij = w_ij / max(1, Σ_j w_ij), w_ij = (d₊² − d_ij²) / (d₊² + ε), where d₊ is the distance of the nearest node that
    is no neighbour (w = 1 when there is none): weights fall to zero where neighbours change places, so that the output
    is continuous in the coordinates (why that matters: ``kernels.potential``), and equally distant nodes need no order.
    As the choice of neighbours in the publications, the weights carry no gradient.
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        layers: int,
        neighbors: int,
        *,
        dynamic: bool,
        fading: bool = True,
        periodic: bool = False,
    ) -> None:
        super().__init__()
        self.neighbors, self.periodic = neighbors, periodic
        self.dynamic = dynamic
        self.fading = fading
        self.first = nn.Linear(2 * width, hidden)
        self.middle = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(layers - 1))
        self.last = nn.Linear(hidden, width)

    def extra_repr(self) -> str:
        return f"neighbors={self.neighbors}, dynamic={self.dynamic}, fading={self.fading}"

    def forward(self, x: Tensor, points: Tensor, mask: Tensor) -> Tensor:
        index, share = self.edges(x, points, mask)
        own, difference = self.first.weight[:, : x.shape[-1]], self.first.weight[:, x.shape[-1] :]
        center = F.linear(x, own - difference, self.first.bias)
        # In place: an edge tensor is by far the largest here, and ReLU's gradient reads what comes out of it.
        edge = (center.unsqueeze(2) + gather_nodes(F.linear(x, difference), index)).relu_()
        for layer in self.middle:
            edge = layer(edge).relu_()
        share = share.to(edge.dtype)
        total = torch.matmul(share.unsqueeze(2), edge).squeeze(2)
        # Linear in the edge, so the bias counts as often as there is weight: never for a lone node.
        result: Tensor = F.linear(total, self.last.weight) + self.last.bias * share.sum(-1, keepdim=True)
        return result

    @torch.no_grad()
    def edges(self, x: Tensor, points: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Neighbours [B, N, k] (int64, 0 where there is none) and what each counts, u_ij [B, N, k], 0 for none."""
        # One more than the neighbours: the first that is none sets where their weights fade to zero.
        k, softening = self.neighbors, COINCIDENT_FEATURES if self.dynamic else COINCIDENT_POINTS
        if self.dynamic:
            index, found, square = nearest_in_features(x, mask, k + 1)
        else:
            # Padded points may be NaN, and absent neighbours point at node 0, which may be padding.
            points = coordinates_of(points.masked_fill(~mask.unsqueeze(-1), 0.0), self.periodic)
            index, found = nearest(points, mask, k + 1)
            square = (points.unsqueeze(2) - gather_nodes(points, index)).square().sum(-1)
        weight = found[..., :-1].to(square.dtype)
        if self.fading:
            edge = square[..., -1:]
            faded = (edge - square[..., :-1]).clamp(min=0.0) / (edge + softening)
            weight = weight * torch.where(found[..., -1:], faded, torch.ones_like(faded))
        return index[..., :-1], weight / weight.sum(-1, keepdim=True).clamp(min=1.0)


@configuration
class EdgeConvOptions(GraphOptions):
    """ParticleNet has three blocks of widths 64, 128 and 256, three layers each, neighbors 16 (ParticleNet-Lite: 7).

    ``hidden``: width of the layers inside a block. ``layers``: of each block. ``neighbors``: nearest nodes that
    each node sees. ``fading``: give the farthest neighbours less weight, so that no score jumps where two nodes are
    equally far; false: a mean, as published.
    """

    hidden: Annotated[int, Field(ge=1)] = 64
    layers: Annotated[int, Field(ge=1)] = 2
    neighbors: Annotated[int, Field(ge=1)] = 16
    fading: bool = True


class EdgeConv(GraphNetwork):
    """Graph network of EdgeConv blocks; the first looks for neighbours in (Δη, Δφ), the others in learned vectors."""

    Options = EdgeConvOptions

    def make_kernel(self, block: int) -> nn.Module:
        o = self.options
        return EdgeConvKernel(
            o.width, o.hidden, o.layers, o.neighbors, dynamic=block > 0, fading=o.fading, periodic=self.periodic
        )
