"""Batches of which only labels, targets and weights matter."""

from __future__ import annotations

import torch
from torch import Tensor

from e2egraph.data.loading.batch import JetBatch


def batch_of(label: Tensor, target: Tensor | None = None, weight: Tensor | None = None) -> JetBatch:
    """B objects without nodes; ``label`` [B], ``target`` [B, T]."""
    size = len(label)
    return JetBatch(
        points=torch.zeros(size, 0, 2),
        features=torch.zeros(size, 0, 1),
        mask=torch.zeros(size, 0, dtype=torch.bool),
        jet=torch.zeros(size, 0),
        label=label,
        weight=torch.ones(size) if weight is None else weight,
        target=torch.zeros(size, 0) if target is None else target,
        number=torch.arange(size),
    )
