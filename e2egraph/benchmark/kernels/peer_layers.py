"""The layers of other libraries that ours are measured against, each with our layer that does the same work.

Width, neighbours, heads and random features are equal; what only a peer has, such as weaver's batch norms, it keeps.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import Tensor, nn

from e2egraph.models.kernels.attention import AttentionKernel
from e2egraph.models.kernels.edgeconv import EdgeConvKernel
from e2egraph.models.kernels.gravnet import GravNetKernel
from e2egraph.models.kernels.performer import PerformerKernel

NEIGHBORS = 16
SPACE, PROPAGATED = 4, 32
HEAD = 8
FEATURES = 64


class NotInstalledError(Exception):
    """A peer that cannot be measured here; the message says why, and how to install it."""


@dataclass(frozen=True)
class Peer:
    """``name`` of the layer, ``package`` it comes from; ``ours``: the kernel next to it.

    ``make``: the layer of a width, or NotInstalledError. ``most_nodes`` of a jet: beyond, one of the two takes minutes
    or many gigabytes.
    """

    name: str
    package: str
    ours: str
    make: Callable[[int], nn.Module]
    most_nodes: int = 4096

    def version(self) -> str:
        try:
            return f"{self.package} {version(self.package)}"
        except PackageNotFoundError:
            return self.package


class _OfNodes(nn.Module):
    """One of our kernels as a layer of full jets, x [B, N, width] → the same shape, as all layers here."""

    def __init__(self, kernel: nn.Module) -> None:
        super().__init__()
        self.kernel = kernel

    def forward(self, x: Tensor) -> Tensor:
        mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        result: Tensor = self.kernel(x, x[..., :2], mask)
        return result


OURS: dict[str, Callable[[int], nn.Module]] = {
    "gravnet": lambda width: _OfNodes(GravNetKernel(width, SPACE, PROPAGATED, NEIGHBORS)),
    "edgeconv": lambda width: _OfNodes(EdgeConvKernel(width, width, 2, NEIGHBORS, dynamic=True)),
    "performer": lambda width: _OfNodes(PerformerKernel(width, max(1, width // HEAD), FEATURES, redraw=1000)),
    "transformer": lambda width: _OfNodes(AttentionKernel(width, max(1, width // HEAD))),
}


class _Flat(nn.Module):
    """A layer of PyG, whose jets are rows with a number each."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        n_jets, n_nodes, width = x.shape
        jet = torch.arange(n_jets, device=x.device).repeat_interleave(n_nodes)
        result: Tensor = self.layer(x.reshape(-1, width), jet)
        return result.view(n_jets, n_nodes, -1)


def _pyg_gravnet(width: int) -> nn.Module:
    _require_knn()
    from torch_geometric.nn import GravNetConv

    return _Flat(GravNetConv(width, width, SPACE, PROPAGATED, NEIGHBORS))


def _pyg_edgeconv(width: int) -> nn.Module:
    _require_knn()
    from torch_geometric.nn import DynamicEdgeConv

    return _Flat(DynamicEdgeConv(_perceptron(width), NEIGHBORS, aggr="mean"))


class _GivenGraph(nn.Module):
    """PyG's EdgeConv on the graph that our search finds."""

    def __init__(self, width: int) -> None:
        super().__init__()
        from torch_geometric.nn import EdgeConv

        self.layer = EdgeConv(_perceptron(width), aggr="mean")

    def forward(self, x: Tensor) -> Tensor:
        from e2egraph.models.kernels.search.feature_neighbors import nearest_in_features

        n_jets, n_nodes, width = x.shape
        mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        near = nearest_in_features(x.detach(), mask, NEIGHBORS)[0]
        target = torch.arange(n_jets * n_nodes, device=x.device)
        first = torch.arange(n_jets, device=x.device).view(-1, 1, 1) * n_nodes
        edges = torch.stack([(near + first).flatten(), target.repeat_interleave(NEIGHBORS)])
        result: Tensor = self.layer(x.reshape(-1, width), edges)
        return result.view(n_jets, n_nodes, -1)


def _perceptron(width: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)
    )


class _ChannelsFirst(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        rows = x.transpose(1, 2)
        result: Tensor = self.layer(rows, rows)
        return result.transpose(1, 2)


def _weaver_edgeconv(width: int) -> nn.Module:
    module = _imported("weaver.nn.model.ParticleNet", "weaver-core")
    return _ChannelsFirst(module.EdgeConvBlock(NEIGHBORS, width, [width] * 3, cpu_mode=not torch.cuda.is_available()))


def _lucidrains_performer(width: int) -> nn.Module:
    module = _imported("performer_pytorch", "performer-pytorch")
    layer: nn.Module = module.SelfAttention(width, heads=max(1, width // HEAD), dim_head=HEAD, nb_features=FEATURES)
    return layer


class _SelfAttention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.MultiheadAttention(width, max(1, width // HEAD), batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layer(x, x, x, need_weights=False)[0]
        return result


PEERS = (
    Peer("PyG GravNetConv", "torch-geometric", "gravnet", _pyg_gravnet, most_nodes=16384),
    Peer("PyG DynamicEdgeConv", "torch-geometric", "edgeconv", _pyg_edgeconv),
    Peer("PyG EdgeConv, our graph", "torch-geometric", "edgeconv", _GivenGraph),
    Peer("weaver EdgeConvBlock", "weaver-core", "edgeconv", _weaver_edgeconv),
    Peer("performer-pytorch SelfAttention", "performer-pytorch", "performer", _lucidrains_performer),
    Peer("nn.MultiheadAttention", "torch", "transformer", _SelfAttention),
)


def _require_knn() -> None:
    """PyG's neighbour search: of pyg-lib, or else of torch-cluster, which stands in. NotInstalledError: neither is."""
    try:
        importlib.import_module("pyg_lib")
        return
    except ImportError:
        pass
    import torch_geometric.typing

    cluster = _imported("torch_cluster", "torch-cluster or pyg-lib")
    torch_geometric.typing.WITH_KNN = True  # by torch-cluster, of which it does not know
    if hasattr(torch.ops.pyg, "knn"):
        return

    def knn(
        x: Tensor, y: Tensor, x_first: Tensor | None, y_first: Tensor | None, k: int, cosine: bool, workers: int
    ) -> Any:
        return cluster.knn(x, y, k, _numbers(x_first), _numbers(y_first), cosine=cosine, num_workers=workers)

    library = torch.library.Library("pyg", "FRAGMENT")
    library.define(
        "knn(Tensor x, Tensor y, Tensor? x_ptr, Tensor? y_ptr, int k, bool cosine, int num_workers) -> Tensor"
    )
    library.impl("knn", knn, "CompositeExplicitAutograd")
    _KEPT.append(library)


# What is defined in a library lives as long as it.
_KEPT: list[Any] = []


def _numbers(first: Tensor | None) -> Tensor | None:
    """First rows [jets + 1] → the jet of each row."""
    if first is None:
        return None
    return torch.arange(len(first) - 1, device=first.device).repeat_interleave(first.diff())


def _imported(module: str, package: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(module)
    except (ImportError, OSError) as error:
        raise NotInstalledError(f"{package} cannot be imported ({error}); pip install 'e2egraph[peers]'") from error
