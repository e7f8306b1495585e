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
    row, column = (pixel_numbers(points[..., i], *axis) for i, axis in enumerate(pixel_axes(region, granularity)))
    if region.periodic:
        column = column - columns * torch.floor(column / columns)
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    return row.clamp(0, rows - 1).to(torch.int64), column.clamp(0, columns - 1).to(torch.int64), inside


def pixel_axes(region: Region, granularity: int = 1) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """For rows and for columns: what ``pixel_numbers`` needs."""
    rows = _axis(region.rows * granularity, granularity / region.eta_pitch, region.lattice)
    columns = _axis(region.columns * granularity, granularity / region.phi_pitch, region.lattice)
    return rows, columns


def _axis(size: int, per_rad: float, lattice: bool) -> tuple[float, float, float]:
    """Pixels per rad, what is added before they are floored, and the number of the pixel that begins there."""
    if size % 2 == 0 and not lattice:
        return float(np.float32(per_rad)), 0.0, float(size // 2)
    return float(np.float32(per_rad)), 0.5, float((size - 1) // 2)


def pixel_numbers(delta: Tensor, per_rad: float | Tensor, shift: float | Tensor, first: float | Tensor) -> Tensor:
    """Number of the pixel of ``delta`` [rad] along an axis, as float; below 0 or too large outside the region."""
    # The formula of graphs.pixels.pixel_offset (at g = 1), in its order of operations: nodes are stored so that it
    # gives their pixel exactly.
    return torch.floor(delta * per_rad + shift) + first
