"""Ragged point clouds → the dense, padded arrays that networks read. NumPy alone, so that inference needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.channels import LARGEST_NUMBER
from e2egraph.errors import InputError
from e2egraph.graphs.storage.columns import TARGET_PREFIX
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.tasks.inputs import POINT_NAMES, Inputs

Float32s = NDArray[np.float32]


@dataclass(frozen=True)
class DenseArrays:
    """B jets padded to N nodes (DESIGN §6); everything is zero where ``mask`` is False.

    ``points`` [B, N, 2] (deta, dphi) [rad]; ``features`` [B, N, V] in the order of ``Inputs.feature_names``, raw
    physical units; ``mask`` [B, N] bool; ``jet`` [B, G] in the order of ``Inputs.object``; ``label`` [B] int64;
    ``weight`` [B] float32; ``target`` [B, T] float32; ``node_target`` [B, N, T] float32 where nodes are learnt
    (``Objective.node_targets``).
    """

    points: Float32s
    features: Float32s
    mask: NDArray[np.bool_]
    jet: Float32s
    label: NDArray[np.int64]
    weight: Float32s
    target: Float32s
    node_target: Float32s | None = None

    def __len__(self) -> int:
        return len(self.label)


def node_columns(inputs: Inputs) -> tuple[str, ...]:
    """Node columns of a shard that ``pad`` reads."""
    return (*POINT_NAMES, "channel", *inputs.variable_names)


def node_features(clouds: PointClouds, inputs: Inputs) -> Float32s:
    """The features of every node, [S, V], without padding."""
    features = np.zeros((int(clouds.offsets[-1]), inputs.n_features), np.float32)
    for column, name in enumerate(inputs.variable_names):
        features[:, column] = clouds.nodes[name]
    _set_channel(features, np.arange(len(features)), clouds.nodes["channel"], inputs)
    return features


def object_features(clouds: PointClouds, inputs: Inputs) -> Float32s:
    """The object quantities a network may read, [J, G]."""
    return _columns(clouds, inputs.object_names)


def targets_of(clouds: PointClouds, targets: Sequence[str]) -> Float32s:
    """Regression targets by their names without prefix, [J, T]."""
    return _columns(clouds, [TARGET_PREFIX + name for name in targets])


def pad(clouds: PointClouds, inputs: Inputs, targets: Sequence[str] = (), n_nodes: int | None = None) -> DenseArrays:
    """All jets of ``clouds`` side by side in the order of ``inputs``, padded with zeros to the longest, or to
    ``n_nodes``.

    ``targets`` names regression targets without their prefix. Label and weight are 0 and 1 where ``clouds`` has no
    such column. Raises InputError when a jet has more than ``n_nodes`` nodes, ValueError when a needed column is
    absent.
    """
    counts = clouds.counts
    longest = int(counts.max(initial=0))
    if n_nodes is not None and n_nodes < longest:
        raise InputError(f"an object has {longest} nodes, more than the {n_nodes} asked for; raise that number.")
    B, N = len(clouds), longest if n_nodes is None else n_nodes
    # Flat position of every node in the [B·N] block: its jet's row and its rank in the jet.
    place = np.arange(clouds.offsets[-1]) + np.repeat(np.arange(B) * N - clouds.offsets[:-1], counts)

    points = np.zeros((B * N, len(POINT_NAMES)), np.float32)
    features = np.zeros((B * N, inputs.n_features), np.float32)
    for block, names in ((points, POINT_NAMES), (features, inputs.variable_names)):
        for column, name in enumerate(names):
            block[place, column] = _column(clouds.nodes, name)
    _set_channel(features, place, _column(clouds.nodes, "channel"), inputs)
    return DenseArrays(
        points=points.reshape(B, N, len(POINT_NAMES)),
        features=features.reshape(B, N, inputs.n_features),
        mask=np.arange(N) < counts[:, None],
        jet=object_features(clouds, inputs),
        label=clouds.jets["label"].astype(np.int64) if "label" in clouds.jets else np.zeros(B, np.int64),
        weight=clouds.jets["weight"].astype(np.float32) if "weight" in clouds.jets else np.ones(B, np.float32),
        target=targets_of(clouds, targets),
    )


def channel_places(channel: NDArray, inputs: Inputs) -> NDArray[np.int16]:
    """The place of every node's channel (as shards store it, [S]) among ``inputs.channels``, [S].

    InputError when it is none of them.
    """
    place = np.full(LARGEST_NUMBER + 1, -1, np.int16)
    for position, known in enumerate(inputs.channels):
        place[known.number] = position
    found = place[channel]
    if found.min(initial=0) < 0:
        number = int(channel[found < 0][0])
        raise InputError(
            f"nodes of channel {number} are none of the inputs {', '.join(inputs.channel_names)}; choose the channels "
            "with data.nodes.channels."
        )
    return found


def _set_channel(features: Float32s, rows: NDArray, channel: NDArray, inputs: Inputs) -> None:
    features[rows, len(inputs.variables) + channel_places(channel, inputs)] = 1.0


def _columns(clouds: PointClouds, names: Sequence[str]) -> Float32s:
    result = np.zeros((len(clouds), len(names)), np.float32)
    for column, name in enumerate(names):
        result[:, column] = _column(clouds.jets, name)
    return result


def _column(columns: dict[str, NDArray], name: str) -> NDArray:
    if name not in columns:
        raise ValueError(f"column '{name}' was not read from the shards")
    return columns[name]
