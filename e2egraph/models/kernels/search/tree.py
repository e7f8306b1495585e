"""Nearest neighbours by a k-d tree on a CPU: those that a search of all distances finds, in some N log N steps.

The tree (SciPy's) measures in float64 and knows nothing of ties, so it only proposes candidates. Their keys are
computed as they are for all pairs, and a row is done once its k-th key is certain to lie below that of every node which
was not proposed. Rows with too many equal distances (a lattice, copies) get more candidates, and in the end all nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from scipy.spatial import KDTree
from torch import Tensor

# Where the tree is quicker than all distances: measured with 17 neighbours, from two to sixteen dimensions.
FEWEST_NODES = 512
MOST_DIMENSIONS = 8

LEAF = 24

# Candidates in addition to the k neighbours and the node itself, and by what they grow for rows that are not certain.
SPARE = 2
GROWTH = 3
ROUNDS = 3


class Metric(Protocol):
    """How the n nodes of one jet, ``x [n, S]``, are compared. Of two keys of one row the smaller is nearer."""

    @property
    def x(self) -> Tensor: ...

    def keys(self, rows: Tensor, candidates: Tensor) -> Tensor:
        """Of ``candidates [R, M]`` (int64) as seen from the nodes ``rows [R]``: float64 [R, M], no two the same."""

    def least_key(self, square: Tensor) -> Tensor:
        """What no key of a node at squared distances ``square`` (float64) or beyond is below."""

    def compare_all(self, rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """The k smallest keys of ``rows [R]`` among all nodes but itself, and whose they are: [R, k]."""


def tree_pays(x: Tensor, k: int) -> bool:
    """Whether ``search_tree`` is the quicker way for ``x [B, N, S]``, and one that all its numbers allow."""
    n_nodes, dimensions = x.shape[1:]
    if x.device.type != "cpu" or n_nodes < max(FEWEST_NODES, 8 * k) or dimensions > MOST_DIMENSIONS:
        return False
    return bool(x.isfinite().all())


def search_trees(x: Tensor, mask: Tensor, k: int, metric: Callable[[Tensor], Metric]) -> tuple[Tensor, Tensor]:
    """The k smallest keys of every node of ``x [B, N, S]`` with ``mask [B, N]``, rising, and whose they are.

    Float64 and int64 [B, N, k]; infinity where a jet has fewer. A node's own key is not among them.
    """
    keys = torch.full((*mask.shape, k), float("inf"), dtype=torch.float64)
    index = torch.zeros((*mask.shape, k), dtype=torch.int64)
    for jet, valid in enumerate(mask):
        nodes = valid.nonzero().squeeze(1)
        if len(nodes) > 1:
            keys[jet, nodes], near = _search_tree(metric(x[jet, nodes]), k)
            index[jet, nodes] = nodes[near]
    return keys, index


def _search_tree(metric: Metric, k: int) -> tuple[Tensor, Tensor]:
    """``search_trees`` of the n > 1 nodes of one jet: [n, k]."""
    points = metric.x.double().numpy()
    n = len(points)
    tree = KDTree(points, leafsize=LEAF)
    keys, index = torch.full((n, k), float("inf"), dtype=torch.float64), torch.zeros((n, k), dtype=torch.int64)
    # In the order of the tree: rows that follow each other then read the same leaves.
    rows = torch.from_numpy(tree.indices.astype("int64"))
    wanted = k + 1 + SPARE
    for _ in range(ROUNDS):
        wanted = min(wanted, n)
        far, near = tree.query(points[rows.numpy()], k=wanted, workers=torch.get_num_threads())
        found, candidates = _ordered(metric, rows, torch.from_numpy(near))
        certain = torch.ones(len(rows), dtype=torch.bool)
        if wanted < n:
            certain = found[:, k - 1] < metric.least_key(torch.from_numpy(far[:, -1]).square())
        some, done = min(k, wanted), rows[certain]
        keys[done, :some], index[done, :some] = found[certain, :some], candidates[certain, :some]
        rows = rows[~certain]
        if len(rows) == 0:
            return keys, index
        wanted *= GROWTH
    keys[rows], index[rows] = metric.compare_all(rows, k)
    return keys, index


def _ordered(metric: Metric, rows: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
    """Keys of ``candidates [R, M]`` but the node itself, rising, and whose they are; infinite keys last."""
    keys = metric.keys(rows, candidates).masked_fill_(candidates == rows.unsqueeze(1), float("inf"))
    # The tree's order is the order of keys in most rows: the node itself, then by distance.
    keys, candidates = torch.cat([keys[:, 1:], keys[:, :1]], 1), torch.cat([candidates[:, 1:], candidates[:, :1]], 1)
    wrong = (keys[:, 1:] < keys[:, :-1]).any(1).nonzero().squeeze(1)
    if len(wrong):
        keys[wrong], order = torch.sort(keys[wrong], dim=1)
        candidates[wrong] = torch.gather(candidates[wrong], 1, order)
    return keys, candidates
