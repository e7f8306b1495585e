"""Static kNN in (η, φ): the neighbours of each node, stored with the jet when the task asks for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from e2egraph.graphs.storage.pointclouds import PointClouds

# Jets laid this far apart along a third axis cannot be each other's neighbours: a window's diagonal is 3.1, that of
# whole events some 10.
JET_SPACING = 100.0
# Pairs of nodes that are looked at together: some 100 MB.
PAIRS_AT_ONCE = 1 << 21


def nearest_neighbors(clouds: PointClouds, k: int, *, periodic: bool = False) -> NDArray[np.int32]:
    """The ``k`` nearest other nodes of the same jet in (Δη, Δφ), [S, k], as indices in the jet, nearest first.

    −1 where a jet has fewer. Of equally near nodes, lower indices come first: the result does not depend on which jets
    are searched together. ``periodic``: φ closes at ±π, as in whole events.
    """
    size = len(clouds.nodes["deta"])
    if size == 0:
        return np.empty((0, k), np.int32)
    owner = clouds.jet_of_node
    # One tree for all jets.
    tree = _tree(clouds.nodes["deta"].astype(float), clouds.nodes["dphi"].astype(float), owner, periodic)
    found = np.empty((size, k), np.int32)
    open_nodes, reach = np.arange(size), k + 2
    while len(open_nodes):
        further = []
        for nodes in np.array_split(open_nodes, -(-len(open_nodes) * reach // PAIRS_AT_ONCE)):
            nearest, settled = _search(tree, nodes, k, reach)
            first = clouds.offsets[:-1][owner[nodes]][:, None]
            found[nodes] = np.where(nearest >= 0, nearest - first, -1)
            further.append(nodes[~settled])
        # A tie at the edge of what the search returned may hide a lower index: look further there.
        open_nodes, reach = np.concatenate(further), 2 * reach
    return found


def _tree(deta: NDArray, dphi: NDArray, owner: NDArray[np.int64], periodic: bool) -> KDTree:
    """The nodes [S] along Δη, Δφ and their jet's number, the second of which may close."""
    if not periodic:
        return KDTree(np.column_stack([deta, dphi, owner * JET_SPACING]))
    # A box takes what lies in [0, its size); one of size 0 does not close.
    around = np.mod(dphi, 2 * np.pi)
    around[around >= 2 * np.pi] = 0.0
    return KDTree(np.column_stack([deta, around, owner * JET_SPACING]), boxsize=[0.0, 2 * np.pi, 0.0])


def _search(tree: KDTree, nodes: NDArray[np.int64], k: int, reach: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The k nearest others of ``nodes``, −1 for none, and which of them no tie beyond ``reach`` can change."""
    distance, found = tree.query(tree.data[nodes], k=np.arange(1, reach + 1), distance_upper_bound=JET_SPACING / 2)
    itself = found == nodes[:, None]
    distance = np.where(itself, np.inf, distance)
    order = np.lexsort((found, distance), axis=1)
    found, distance = np.take_along_axis(found, order, axis=1), np.take_along_axis(distance, order, axis=1)
    # With itself (if found) sorted last, column −2 holds the furthest of the others.
    furthest = np.where(itself.any(axis=1), distance[:, -2], distance[:, -1])
    settled = np.isinf(furthest) | (distance[:, k - 1] < furthest)
    return np.where(np.isinf(distance), -1, found)[:, :k], settled
