"""Node values summed pixel by pixel: what every image drawn from points is made of."""

from __future__ import annotations

import torch
from torch import Tensor


def pixel_sums(values: list[Tensor], row: Tensor, column: Tensor, keep: Tensor, size: int) -> Tensor:
    """Each of ``values`` ([B, N]) summed where nodes share a pixel: ``[B, len(values), size, size]``.

    ``row``, ``column`` [B, N]: whole numbers of any type, of account only where ``keep`` [B, N] (bool); there they lie
    in 0 … size − 1.
    """
    n_jets, n_planes = row.shape[0], len(values)
    place = torch.where(keep, row * size + column, torch.zeros_like(row)).to(torch.int64)
    first = torch.arange(n_jets * n_planes, device=place.device).view(n_jets, n_planes, 1) * (size * size)
    source = torch.stack(values, dim=1).masked_fill(~keep.unsqueeze(1), 0.0)
    image = torch.zeros(n_jets * n_planes * size * size, device=place.device, dtype=source.dtype)
    image = image.scatter_add(0, (first + place.unsqueeze(1)).reshape(-1), source.reshape(-1))
    return image.view(n_jets, n_planes, size, size)
