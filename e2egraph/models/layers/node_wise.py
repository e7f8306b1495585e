"""Layers that work on each node by itself, on all nodes of all jets as the rows of one matrix."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


def node_wise(layers: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """``layers`` on every vector of ``x [B, N, D]``: ``[B, N, out]``.

    The same numbers as without this; but ONNX Runtime joins a product, its bias and a ReLU to one operation only where
    the product has two dimensions.
    """
    n_jets, n_nodes, width = x.shape
    result = layers(x.reshape(n_jets * n_nodes, width))
    return result.view(n_jets, n_nodes, result.shape[-1])
