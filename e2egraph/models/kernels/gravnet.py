"""GravNet: S. R. Qasim, J. Kieseler, Y. Iiyama, M. Pierini, Eur. Phys. J. C 79 (2019) 608, arXiv:1902.07987, §4.

Each node is placed in a learned space, gathers from its nearest neighbours there, and weights what it gathers by
distance. The neighbour search carries no gradient; the k distances are computed again with gradient, so that memory
is O(N·k).
"""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from e2egraph.config import configuration
from e2egraph.models.graph_network import GraphNetwork, GraphOptions
from e2egraph.models.kernels.potential import gather
from e2egraph.models.kernels.search.neighbors import nearest

# The paper weights by exp(−d²) up to the scale of the learned space; this is the factor of PyG's GravNetConv.
POTENTIAL = 10.0


class GravNetKernel(nn.Module):
    """x [B, N, width] → W₁x + W₂[mean_j w_ij h_j, max_j w_ij h_j] of the same shape.

    s = W_s x and h = W_h x are learned, w_ij = exp(−10 |s_i − s_j|²), and j runs over the ``neighbors`` nearest
    other nodes in s (fewer in a small jet; a lone node gathers zeros; ties as in ``nearest``). ``space`` is the number
    of learned coordinates, ``propagated`` the width of h. With ``fading`` the weight of the nearest node that is no
    neighbour is subtracted, which makes the output continuous (``kernels.potential``); without it this is the paper's.
    """

    def __init__(self, width: int, space: int, propagated: int, neighbors: int, fading: bool = True) -> None:
        super().__init__()
        self.neighbors = neighbors
        self.fading = fading
        self.coordinates = nn.Linear(width, space)
        self.message = nn.Linear(width, propagated)
        self.own = nn.Linear(width, width, bias=False)
        self.gathered = nn.Linear(2 * propagated, width)

    def forward(self, x: Tensor, points: Tensor, mask: Tensor) -> Tensor:
        # Under autocast too, distances and weights are computed in float32 at least.
        s, h = _at_least_float32(self.coordinates(x)), _at_least_float32(self.message(x))
        # One more than the neighbours: the first that is none sets where their weights fade to zero.
        index, found = nearest(s.detach(), mask, self.neighbors + 1)
        if not self.fading:
            found = F.pad(found[..., :-1], (0, 1), value=False)
        gathered = gather(s, h, index, found, POTENTIAL)
        result: Tensor = self.own(x) + self.gathered(gathered)
        return result


def _at_least_float32(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


@configuration
class GravNetOptions(GraphOptions):
    """The paper's own sizes are space 4, propagated 22, neighbors 40.

    ``space``: learned coordinates in which neighbours are sought. ``propagated``: width of what is passed between
    neighbours. ``neighbors``: nearest nodes that each node sees. ``fading``: let the weight of the nearest node
    that is no neighbour be zero, so that no score jumps where two nodes are equally far; false: as published.
    """

    space: Annotated[int, Field(ge=1)] = 4
    propagated: Annotated[int, Field(ge=1)] = 32
    neighbors: Annotated[int, Field(ge=1)] = 16
    fading: bool = True


class GravNet(GraphNetwork):
    """Graph network of GravNet blocks."""

    Options = GravNetOptions

    def make_kernel(self, block: int) -> nn.Module:
        o = self.options
        return GravNetKernel(o.width, o.space, o.propagated, o.neighbors, o.fading)
