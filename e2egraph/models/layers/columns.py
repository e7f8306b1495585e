"""Columns of a tensor by their positions, read as one piece where they stand together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def columns(features: Tensor, index: Sequence[int], dim: int = -1) -> Tensor:
    """What ``features`` has at ``index`` along ``dim``, in its order."""
    first, number = index[0] if index else 0, len(index)
    if list(index) == list(range(first, first + number)):
        return features.narrow(dim, first, number)
    return features.index_select(dim, torch.tensor(list(index), device=features.device))
