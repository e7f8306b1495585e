"""A batch in parts, which pass through the network one after the other."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise

from torch import Tensor

from e2egraph.data.loading.batch import JetBatch


def split_batch(batch: JetBatch, parts: int) -> list[JetBatch]:
    """``batch`` in ``parts`` parts, of sizes that differ by one jet at most; as many as jets where those are fewer."""
    count = min(parts, len(batch))
    if count <= 1:
        return [batch]
    size = len(batch)
    edges = [size * part // count for part in range(count + 1)]
    jets = {field.name for field in fields(batch) if isinstance(getattr(batch, field.name), Tensor)}
    return [
        replace(batch, **{name: getattr(batch, name)[first:last] for name in jets}) for first, last in pairwise(edges)
    ]
