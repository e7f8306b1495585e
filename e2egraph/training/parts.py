"""A batch in parts, which pass through the network one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import torch
from torch import Tensor

from e2egraph.data.loading.batch import JetBatch


def split_batch(batch: JetBatch, parts: int) -> list[JetBatch]:
    """``batch`` in ``parts`` parts, of sizes that differ by one jet at most; as many as jets where those are fewer.

    Of k parts the i-th has jets i, i + k, …: batches are sorted by the sizes of jets, and batch norms see all sizes.
    """
    count = min(parts, len(batch))
    if count <= 1:
        return [batch]
    jets = {field.name for field in fields(batch) if isinstance(getattr(batch, field.name), Tensor)}
    return [replace(batch, **{name: getattr(batch, name)[part::count] for name in jets}) for part in range(count)]


def joined(values: Sequence[Tensor]) -> Tensor:
    """Values of the jets of each part of ``split_batch``, in the order of the whole batch, [B]."""
    whole = torch.empty(sum(map(len, values)), dtype=values[0].dtype, device=values[0].device)
    for part, own in enumerate(values):
        whole[part :: len(values)] = own
    return whole
