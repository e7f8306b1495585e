"""A fixed graph on the nodes of each jet: nearest neighbours in (Δη, Δφ), searched once for all blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from e2egraph.models.kernels.search.neighbors import nearest
from e2egraph.models.layers.encoder import Encoder
from e2egraph.models.layers.geometry.places import coordinates_of
from e2egraph.models.layers.ordering.serialization import order_code, serialize


@torch.no_grad()
def static_neighbors(x: Tensor, points: Tensor, mask: Tensor, k: int, periodic: bool = False) -> Tensor:
    """The k nearest other nodes of every node in ``points [B, N, 2]``: int64 [B, N, k], −1 where there is none.

    Calorimeter cells are a lattice, where many nodes are equally far. Which of them are neighbours must depend neither
    on the order of the input nor on rounding, as edges have no weights that fade. Distances come from ``points``
    alone, the same bits in torch and in ONNX Runtime, and of equally distant nodes the first along the Z-order curve
    over crystals is taken; ``x [B, N, D]`` orders only nodes of one crystal. ``periodic``: whether φ closes on itself.
    """
    row = serialize(order_code(points, periodic=periodic), x, mask, 1)
    place, found = nearest(row.split(coordinates_of(points, periodic)).squeeze(2), row.mask.squeeze(2), k)
    index = torch.gather(row.node, 1, place.flatten(1)).view_as(place)
    return row.join(index.masked_fill(~found, -1).unsqueeze(2))


def edge_list(neighbors: Tensor, *, loops: bool) -> Tensor:
    """The graph as PyG has it: [2, E], the number of source and target among the B · N nodes of all jets together.

    ``neighbors`` [B, N, k] as ``static_neighbors`` gives them. E = B · N · k whatever they hold, as ONNX needs: where
    there is none, the edge leads from node B · N, a row beyond all jets (``flat_nodes``), to itself. ``loops``: one
    edge more a node, from itself.
    """
    n_jets, n_nodes = neighbors.shape[:2]
    node = torch.arange(n_jets * n_nodes, device=neighbors.device)
    first = torch.arange(n_jets, device=neighbors.device).view(-1, 1, 1) * n_nodes
    found = neighbors >= 0
    source = torch.where(found, neighbors + first, n_jets * n_nodes).flatten()
    target = torch.where(found, node.view(n_jets, n_nodes, 1), n_jets * n_nodes).flatten()
    if loops:
        source, target = torch.cat([source, node]), torch.cat([target, node])
    return torch.stack([source, target])


def flat_nodes(x: Tensor) -> Tensor:
    """``x [B, N, D]`` → [B · N + 1, D]: the nodes of all jets, and the row beyond them."""
    return F.pad(x.reshape(x.shape[0] * x.shape[1], x.shape[2]), (0, 0, 0, 1))


class StaticGraphEncoder(Encoder):
    """An ``Encoder`` whose layers take the graph, ``(x [B, N, D], neighbors [B, N, k], mask) → [B, N, D]``, not points.

    The graph is searched before the first block, and again only after nodes were merged.
    """

    def __init__(
        self,
        width: int,
        depth: int,
        make_layer: Callable[[int], nn.Module],
        merge: Sequence[int],
        neighbors: int,
        periodic: bool = False,
    ) -> None:
        super().__init__(width, depth, make_layer, merge, periodic)
        self.neighbors, self.periodic = neighbors, periodic

    def forward(self, x: Tensor, points: Tensor, energy: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        graph: Tensor | None = None
        for i, block in enumerate(self.blocks):
            if str(i) in self.merges:
                x, points, energy, mask = self.merges[str(i)](x, points, energy, mask)
                graph = None
            if graph is None:
                graph = static_neighbors(x, points, mask, self.neighbors, self.periodic)
            x = block(x, graph, mask)
        return self.norm(x), energy, mask
