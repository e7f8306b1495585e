"""Which pixel of the region a node lies in: one formula for images and for cells."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from e2egraph.tasks.region import Region


def region_pixels(points: Tensor, region: Region, granularity: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Row and column (int64 [B, N]) of ``points [B, N, 2]`` among the region's pixels, and whether inside.

    In a lattice of crystals pixel (size − 1) // 2 lies at 0 along either axis; elsewhere the middle of all pixels does.
    Outside the region row and column are those of the nearest pixel; where columns close in φ, all φ are inside.
    ``granularity`` g: pixels a crystal's side, odd.
    """
    rows, columns = region.rows * granularity, region.columns * granularity
    row = _index(points[..., 0], region.eta_pitch, rows, granularity, region.lattice)
    column = _index(points[..., 1], region.phi_pitch, columns, granularity, region.lattice)
    if region.periodic:
        column = column - columns * torch.floor(column / columns)
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    return row.clamp(0, rows - 1).to(torch.int64), column.clamp(0, columns - 1).to(torch.int64), inside


def _index(delta: Tensor, pitch: float, size: int, granularity: int, lattice: bool) -> Tensor:
    steps = delta * float(np.float32(granularity / pitch))
    if size % 2 == 0 and not lattice:
        return torch.floor(steps) + size // 2
    # The formula of graphs.pixels.pixel_offset (at g = 1), in its order of operations: nodes are stored so that it
    # gives their pixel exactly.
    return torch.floor(steps + 0.5) + (size - 1) // 2
