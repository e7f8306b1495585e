"""Node values summed pixel by pixel: what every image drawn from points is made of."""

from __future__ import annotations

import torch
from torch import Tensor


def pixel_sums(values: list[Tensor], row: Tensor, column: Tensor, keep: Tensor, rows: int, columns: int) -> Tensor:
    """Each of ``values`` ([B, N]) summed where nodes share a pixel: ``[B, len(values), rows, columns]``.

    ``row``, ``column`` [B, N]: whole numbers of any type, read only where ``keep`` [B, N] (bool) is true; there
    they lie in 0 … rows − 1 and 0 … columns − 1.
    """
    n_jets, n_planes = row.shape[0], len(values)
    place = torch.where(keep, row * columns + column, torch.zeros_like(row)).to(torch.int64)
    first = torch.arange(n_jets * n_planes, device=place.device).view(n_jets, n_planes, 1) * (rows * columns)
    source = torch.stack(values, dim=1).masked_fill(~keep.unsqueeze(1), 0.0)
    image = torch.zeros(n_jets * n_planes * rows * columns, device=place.device, dtype=source.dtype)
    image = image.scatter_add(0, (first + place.unsqueeze(1)).reshape(-1), source.reshape(-1))
    return image.view(n_jets, n_planes, rows, columns)
