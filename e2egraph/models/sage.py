"""A stack of PyTorch Geometric's layers on a fixed kNN graph: the peer of the field's open end-to-end graph networks.

The layers are PyG's, unchanged: GraphSAGE (W. Hamilton, R. Ying, J. Leskovec, NeurIPS 2017, arXiv:1706.02216, Alg. 1
with mean aggregation), GATv2 (S. Brody, U. Alon, E. Yahav, ICLR 2022, arXiv:2105.14491, eq. 7) and EdgeConv (Y. Wang et
al., ACM Trans. Graph. 38 (2019) 146, arXiv:1801.07829, §3.1, with max aggregation). Frame, pooling and head are those
of every graph network here, so that kernels are compared and not code bases.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from torch import Tensor, nn
from torch_geometric.nn import EdgeConv, GATv2Conv, SAGEConv

from e2egraph.config import configuration
from e2egraph.models.graph_network import GraphNetwork, GraphOptions
from e2egraph.models.layers.encoder import Encoder
from e2egraph.models.layers.static_graph import StaticGraphEncoder, edge_list, flat_nodes, static_neighbors

LayerName = Literal["sage", "gat", "edgeconv"]


class PygLayer(nn.Module):
    """One PyG layer on a graph of constant degree: x [B, N, width], neighbors [B, N, k] (−1: none) → [B, N, width].

    GAT attends to the node itself as well (the self-loops PyG would add).
    """

    def __init__(self, width: int, layer: LayerName, heads: int) -> None:
        super().__init__()
        self.loops = layer == "gat"
        if layer == "sage":
            self.convolution: nn.Module = SAGEConv(width, width)
        elif layer == "gat":
            self.convolution = GATv2Conv(width, width // heads, heads, add_self_loops=False)
        else:
            edge = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, width))
            self.convolution = EdgeConv(edge, aggr="max")

    def forward(self, x: Tensor, neighbors: Tensor, mask: Tensor) -> Tensor:
        flat: Tensor = self.convolution(flat_nodes(x), edge_list(neighbors, loops=self.loops))
        return flat[:-1].view(x.shape)


class PygKernel(nn.Module):
    """The layer as a kernel, which finds its graph itself: x [B, N, width], points [B, N, 2], mask → [B, N, width]."""

    def __init__(self, layer: PygLayer, neighbors: int, periodic: bool = False) -> None:
        super().__init__()
        self.layer = layer
        self.neighbors, self.periodic = neighbors, periodic

    def forward(self, x: Tensor, points: Tensor, mask: Tensor) -> Tensor:
        result: Tensor = self.layer(x, static_neighbors(x, points, mask, self.neighbors, self.periodic), mask)
        return result


@configuration
class SageOptions(GraphOptions):
    """``heads`` are those of ``gat``, and share the width.

    ``layer``: PyTorch Geometric's layer. ``neighbors``: nearest nodes in (η, φ) that each node sees. ``heads``: of
    the attention of ``gat``, which share the width.
    """

    layer: LayerName = "sage"
    neighbors: Annotated[int, Field(ge=1)] = 16
    heads: Annotated[int, Field(ge=1)] = 4

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.layer == "gat" and self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of heads {self.heads}")
        return self


class Sage(GraphNetwork):
    """Graph network of PyG layers."""

    Options = SageOptions

    def make_encoder(self) -> Encoder:
        o = self.options
        return StaticGraphEncoder(o.width, o.depth, self.make_layer, o.merge, o.neighbors, self.periodic)

    def make_layer(self, block: int) -> PygLayer:
        o = self.options
        return PygLayer(o.width, o.layer, o.heads)

    def make_kernel(self, block: int) -> nn.Module:
        return PygKernel(self.make_layer(block), self.options.neighbors, self.periodic)
