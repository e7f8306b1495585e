"""``JetBatch``: what a network is given, as tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from e2egraph.data.padding import DenseArrays


@dataclass(frozen=True)
class JetBatch:
    """B jets padded to N nodes (DESIGN §6).

    ``points`` [B, N, 2]; ``features`` [B, N, V]; ``mask`` [B, N] bool; ``jet`` [B, G]; ``label`` [B] int64;
    ``weight`` [B]; ``target`` [B, T]; ``number`` [B] int64: each jet's place in the data set. Raw physical units.
    ``step_jets``: jets of the whole batch, where this is one process's share of it.
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

    @classmethod
    def from_arrays(cls, arrays: DenseArrays, number: NDArray[np.int64] | None = None) -> JetBatch:
        """Wrap padded arrays, without copying; ``number`` counts 0, 1, … when not given."""
        number = np.arange(len(arrays)) if number is None else number
        tensors: dict[str, Any] = {
            field.name: torch.from_numpy(getattr(arrays, field.name)) for field in fields(arrays)
        }
        return cls(**tensors, number=torch.from_numpy(np.ascontiguousarray(number, np.int64)))

    def __len__(self) -> int:
        return len(self.label)

    @property
    def global_size(self) -> int:
        """Jets of the batch over all processes."""
        return len(self) if self.step_jets is None else self.step_jets

    @property
    def inputs(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The arguments of a network's forward: points, features, mask, jet."""
        return self.points, self.features, self.mask, self.jet

    def to(self, device: torch.device | str, non_blocking: bool = False) -> JetBatch:
        """The batch on another device."""
        return self._mapped(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> JetBatch:
        """The batch in page-locked memory, from which copies to an accelerator run at the same time as its work."""
        return self._mapped(lambda tensor: tensor.pin_memory())

    def _mapped(self, function: Callable[[Tensor], Tensor]) -> JetBatch:
        names = [field.name for field in fields(self) if field.name != "step_jets"]
        tensors: dict[str, Any] = {name: function(getattr(self, name)) for name in names}
        return replace(self, **tensors)
