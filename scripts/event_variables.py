"""Variables of whole events for ``boosted_tree.py``: the sums over jets that searches for many jets cut on.

Nothing is made of the nodes: what a network finds beyond these variables is what it gains from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from e2egraph.graphs.storage.pointclouds import PointClouds

COLUMNS = ("ht", "n_jets", "n_bjets", "sum_fatjet_mass", "met")
NODE_COLUMNS = ("channel",)

# Channels whose nodes count within the radius.
WITHIN_RADIUS: tuple[str, ...] = ()


def names(channels: Sequence[str]) -> tuple[str, ...]:
    """Names of the variables of ``of_nodes``: none."""
    return ()


def of_nodes(
    clouds: PointClouds, own: Mapping[str, NDArray], numbers: Mapping[str, int], channels: Sequence[str], radius: float
) -> list[NDArray[np.float64]]:
    """Variables of the nodes of the events ``clouds``: none."""
    return []
