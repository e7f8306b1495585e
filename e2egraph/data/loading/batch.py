"""``JetBatch``: what a network is given, as tensors; ``RaggedBatch``: the same before it is padded on the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from e2egraph.data.loading.rows import JetRows
from e2egraph.data.padding import DenseArrays
from e2egraph.tasks.inputs import POINT_NAMES


@dataclass(frozen=True)
class JetBatch:
    """B jets padded to N nodes (DESIGN §6).

    ``points`` [B, N, 2]; ``features`` [B, N, V]; ``mask`` [B, N] bool; ``jet`` [B, G]; ``label`` [B] int64;
    ``weight`` [B]; ``target`` [B, T]; ``number`` [B] int64: each jet's place in the data set. Raw physical units.
    ``step_jets``: jets of the whole batch, where this is one process's share of it. ``node_target`` [B, N, T]: what is
    learnt of nodes (``Objective.node_targets``), where that was read; zero in padding.
    """

    points: Tensor
    features: Tensor
    mask: Tensor
    jet: Tensor
    label: Tensor
    weight: Tensor
    target: Tensor
    number: Tensor
    step_jets: int | None = None
    node_target: Tensor | None = None

    @classmethod
    def from_arrays(cls, arrays: DenseArrays, number: NDArray[np.int64] | None = None) -> JetBatch:
        """Wrap padded arrays, without copying; ``number`` counts 0, 1, … when not given."""
        number = np.arange(len(arrays)) if number is None else number
        values = {field.name: getattr(arrays, field.name) for field in fields(arrays)}
        tensors: dict[str, Any] = {name: torch.from_numpy(value) for name, value in values.items() if value is not None}
        return cls(**tensors, number=torch.from_numpy(np.ascontiguousarray(number, np.int64)))

    def __len__(self) -> int:
        return len(self.label)

    @property
    def global_size(self) -> int:
        """Jets of the batch over all processes."""
        return len(self) if self.step_jets is None else self.step_jets

    @property
    def counts(self) -> Tensor:
        """Nodes of each jet, [B] int64."""
        return self.mask.sum(dim=1)

    @property
    def inputs(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The arguments of a network's forward: points, features, mask, jet."""
        return self.points, self.features, self.mask, self.jet

    def to(self, device: torch.device | str, non_blocking: bool = False) -> JetBatch:
        """The batch on another device."""
        return _mapped(self, lambda tensor: tensor.to(device, non_blocking=non_blocking))


@dataclass(frozen=True)
class RaggedBatch:
    """B jets with S nodes in all, without padding: half as much to move to a device as a ``JetBatch``.

    ``nodes`` [S, 2 + V + 1] as ``JetRows``, one jet after the other; ``counts`` [B] int64: nodes of each. ``longest``:
    the largest of them; ``channels``: channels of the inputs; ``node_target`` [S, T]. All else as ``JetBatch``.
    """

    nodes: Tensor
    counts: Tensor
    jet: Tensor
    label: Tensor
    weight: Tensor
    target: Tensor
    number: Tensor
    longest: int
    channels: int
    step_jets: int | None = None
    node_target: Tensor | None = None

    @classmethod
    def from_rows(cls, rows: JetRows) -> RaggedBatch:
        """Wrap jets, without copying."""
        counts = np.diff(rows.offsets)
        return cls(
            nodes=torch.from_numpy(rows.nodes),
            counts=torch.from_numpy(counts),
            jet=torch.from_numpy(rows.jet),
            label=torch.from_numpy(rows.label),
            weight=torch.from_numpy(rows.weight),
            target=torch.from_numpy(rows.target),
            number=torch.from_numpy(rows.numbers),
            longest=int(counts.max(initial=0)),
            channels=len(rows.inputs.channels),
            node_target=None if rows.node_target is None else torch.from_numpy(rows.node_target),
        )

    def __len__(self) -> int:
        return len(self.label)

    @property
    def global_size(self) -> int:
        """Jets of the batch over all processes."""
        return len(self) if self.step_jets is None else self.step_jets

    def to(self, device: torch.device | str, non_blocking: bool = False) -> JetBatch:
        """The batch on another device, padded there."""
        return _mapped(self, lambda tensor: tensor.to(device, non_blocking=non_blocking)).padded()

    def pin_memory(self) -> RaggedBatch:
        """The batch in page-locked memory, from which copies to an accelerator run at the same time as its work."""
        return _mapped(self, lambda tensor: tensor.pin_memory())

    def padded(self) -> JetBatch:
        """The padded batch, made where this one is, without waiting for the device."""
        B, N, P = len(self), self.longest, len(POINT_NAMES)
        device, S = self.nodes.device, len(self.nodes)
        # Row of each node in the padded [B · N] block: that of its place here, and the padding of the jets before.
        before = torch.arange(B, device=device) * N - (self.counts.cumsum(0) - self.counts)
        place = torch.arange(S, device=device) + before.repeat_interleave(self.counts, output_size=S)
        channel = self.nodes[:, -1:] == torch.arange(self.channels, device=device)
        features = torch.cat([self.nodes[:, P:-1], channel.to(self.nodes.dtype)], dim=1)

        def spread(rows: Tensor) -> Tensor:
            width = rows.shape[1]
            return rows.new_zeros(B * N, width).index_copy_(0, place, rows).view(B, N, width)

        return JetBatch(
            points=spread(self.nodes[:, :P]),
            features=spread(features),
            mask=torch.arange(N, device=device) < self.counts[:, None],
            node_target=None if self.node_target is None else spread(self.node_target),
            **{name: getattr(self, name) for name in ("jet", "label", "weight", "target", "number", "step_jets")},
        )


AnyBatch = JetBatch | RaggedBatch
Batch = TypeVar("Batch", JetBatch, RaggedBatch)


def _mapped(batch: Batch, function: Callable[[Tensor], Tensor]) -> Batch:
    values = {field.name: getattr(batch, field.name) for field in fields(batch)}
    tensors: dict[str, Any] = {name: function(value) for name, value in values.items() if isinstance(value, Tensor)}
    return replace(batch, **tensors)
