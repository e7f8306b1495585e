"""Jets of a pool in memory with one row for each node, so that a batch is copied jet by jet in whole pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.data.padding import DenseArrays, channel_places, object_features, targets_of
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.tasks.inputs import POINT_NAMES, Inputs

Float32s = NDArray[np.float32]
Integers = NDArray[np.int64]

# Rows that are filled column by column at once: as many as stay in the fastest cache.
_ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class JetRows:
    """J jets with S nodes in all, jet i those from ``offsets[i]`` to ``offsets[i + 1]``.

    ``nodes`` [S, 2 + V + 1]: deta, dphi [rad], the V variables of ``inputs`` in raw physical units, and the place of
    the node's channel among ``inputs.channels``. ``numbers`` [J] are the jets' places in the data set; ``jet`` [J, G],
    ``label`` [J], ``weight`` [J] and ``target`` [J, T] as in ``DenseArrays``; ``node_target`` [S, T]: what is learnt of
    nodes, where that is read.
    """

    inputs: Inputs
    numbers: Integers
    offsets: Integers
    nodes: Float32s
    jet: Float32s
    label: Integers
    weight: Float32s
    target: Float32s
    node_target: Float32s | None = None

    @classmethod
    def empty(cls, inputs: Inputs, targets: int, numbers: Integers, counts: Integers, node_targets: int = 0) -> JetRows:
        """Room for the jets ``numbers`` [J] with ``counts`` [J] nodes each, to be filled."""
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        J, width = len(numbers), len(POINT_NAMES) + len(inputs.variables) + 1
        return cls(
            inputs=inputs,
            numbers=numbers,
            offsets=offsets,
            nodes=np.empty((int(offsets[-1]), width), np.float32),
            jet=np.empty((J, len(inputs.object_names)), np.float32),
            label=np.empty(J, np.int64),
            weight=np.empty(J, np.float32),
            target=np.empty((J, targets), np.float32),
            node_target=np.empty((int(offsets[-1]), node_targets), np.float32) if node_targets else None,
        )

    def __len__(self) -> int:
        return len(self.numbers)

    def fill(self, first: int, clouds: PointClouds, targets: Sequence[str], node_targets: Sequence[str] = ()) -> None:
        """Put the jets of ``clouds`` in the places from ``first`` on. InputError for a channel that is no input."""
        last = first + len(clouds)
        self.jet[first:last] = object_features(clouds, self.inputs)
        self.target[first:last] = targets_of(clouds, targets)
        self.label[first:last], self.weight[first:last] = clouds.jets["label"], clouds.jets["weight"]
        own = slice(self.offsets[first], self.offsets[last])
        if self.node_target is not None:
            for number, name in enumerate(node_targets):
                self.node_target[own, number] = clouds.nodes[name]
        nodes = self.nodes[own]
        columns = [clouds.nodes[name] for name in (*POINT_NAMES, *self.inputs.variable_names)]
        columns.append(channel_places(clouds.nodes["channel"], self.inputs))
        for start in range(0, len(nodes), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            block = nodes[rows]
            for number, column in enumerate(columns):
                block[:, number] = column[rows]

    def copy(self, first: int, other: JetRows, places: Integers) -> None:
        """Put the jets at ``places`` of ``other`` in the places from ``first`` on."""
        own = slice(first, first + len(places))
        for name in ("jet", "label", "weight", "target"):
            getattr(self, name)[own] = getattr(other, name)[places]
        for number, place in enumerate(places.tolist()):
            start, stop = self.offsets[first + number], self.offsets[first + number + 1]
            there = slice(other.offsets[place], other.offsets[place + 1])
            self.nodes[start:stop] = other.nodes[there]
            if self.node_target is not None and other.node_target is not None:
                self.node_target[start:stop] = other.node_target[there]

    def take(self, places: Integers) -> JetRows:
        """The jets at ``places``, in that order."""
        counts = np.diff(self.offsets)[places]
        pieces = list(zip(self.offsets[places].tolist(), self.offsets[places + 1].tolist(), strict=True))
        of_nodes = self.node_target
        return JetRows(
            inputs=self.inputs,
            numbers=self.numbers[places],
            offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            nodes=np.concatenate([self.nodes[start:stop] for start, stop in pieces]),
            jet=self.jet[places],
            label=self.label[places],
            weight=self.weight[places],
            target=self.target[places],
            node_target=None if of_nodes is None else np.concatenate([of_nodes[start:stop] for start, stop in pieces]),
        )

    def padded(self, places: Integers) -> DenseArrays:
        """The jets at ``places`` (at least one), padded to the longest of them."""
        starts, stops = self.offsets[places], self.offsets[places + 1]
        counts = stops - starts
        B, N, P, V = len(places), int(counts.max()), len(POINT_NAMES), len(self.inputs.variables)
        points = np.zeros((B, N, P), np.float32)
        features = np.zeros((B, N, self.inputs.n_features), np.float32)
        flat, width = features.reshape(-1), self.inputs.n_features
        of_nodes = self.node_target
        node_target = None if of_nodes is None else np.zeros((B, N, of_nodes.shape[1]), np.float32)
        for number, (start, stop) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True)):
            nodes, n = self.nodes[start:stop], stop - start
            points[number, :n] = nodes[:, :P]
            features[number, :n, :V] = nodes[:, P:-1]
            begin = number * N * width + V
            flat[np.arange(begin, begin + n * width, width) + nodes[:, -1].astype(np.int64)] = 1.0
            if of_nodes is not None and node_target is not None:
                node_target[number, :n] = of_nodes[start:stop]
        return DenseArrays(
            points=points,
            features=features,
            mask=np.arange(N) < counts[:, None],
            jet=self.jet[places],
            label=self.label[places],
            weight=self.weight[places],
            target=self.target[places],
            node_target=node_target,
        )
