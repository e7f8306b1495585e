"""Point clouds of many objects in flat arrays: the one ragged container between events, shards and batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from e2egraph.graphs.storage.columns import NEIGHBORS
from e2egraph.graphs.storage.ragged import Ragged, join, lists_at


@dataclass(frozen=True)
class PointClouds:
    """J objects with S nodes in all.

    ``jets``: plain column → [J]; ``nodes``: node column → [S]; ``offsets`` [J+1]: object i owns nodes
    ``offsets[i]:offsets[i+1]``. ``side``: lists of each object that are none of its nodes, such as true particles.
    """

    jets: dict[str, NDArray]
    nodes: dict[str, NDArray]
    offsets: NDArray[np.int64]
    side: dict[str, Ragged] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def counts(self) -> NDArray[np.int64]:
        """Nodes of each object, [J]."""
        return np.diff(self.offsets)

    @property
    def jet_of_node(self) -> NDArray[np.int64]:
        """Index of the object each node belongs to, [S]."""
        return np.repeat(np.arange(len(self)), self.counts)

    def take(self, index: NDArray) -> PointClouds:
        """The objects at ``index`` (integers, any order, or a boolean mask [J]), nodes along."""
        chosen = lists_at(self.offsets, index)
        return PointClouds(
            jets={name: column[chosen.index] for name, column in self.jets.items()},
            nodes={name: column[chosen.source] for name, column in self.nodes.items()},
            offsets=chosen.offsets,
            side={name: lists.take(chosen.index) for name, lists in self.side.items()},
        )

    def keep_nodes(self, keep: NDArray[np.bool_]) -> PointClouds:
        """The same objects with the nodes where ``keep`` [S] is true."""
        kept_before = np.concatenate([[0], np.cumsum(keep)]).astype(np.int64)
        nodes = {name: column[keep] for name, column in self.nodes.items()}
        return PointClouds(jets=self.jets, nodes=nodes, offsets=kept_before[self.offsets], side=self.side)


def empty(
    objects: Mapping[str, str], nodes: Mapping[str, str], neighbors: int = 0, side: Mapping[str, str] | None = None
) -> PointClouds:
    """No objects, with these plain, node and ``side`` columns (name → NumPy type)."""
    of_nodes: dict[str, NDArray] = {name: np.empty(0, kind) for name, kind in nodes.items()}
    if neighbors:
        of_nodes[NEIGHBORS] = np.empty((0, neighbors), np.int32)
    return PointClouds(
        jets={name: np.empty(0, kind) for name, kind in objects.items()},
        nodes=of_nodes,
        offsets=np.zeros(1, np.int64),
        side={name: Ragged(np.empty(0, kind), np.zeros(1, np.int64)) for name, kind in (side or {}).items()},
    )


def concatenate(parts: Sequence[PointClouds]) -> PointClouds:
    """All objects of ``parts`` (at least one), in order."""
    counts = np.concatenate([part.counts for part in parts])
    return PointClouds(
        jets={name: np.concatenate([part.jets[name] for part in parts]) for name in parts[0].jets},
        nodes={name: np.concatenate([part.nodes[name] for part in parts]) for name in parts[0].nodes},
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        side={name: join([part.side[name] for part in parts]) for name in parts[0].side},
    )
