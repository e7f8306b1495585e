"""Which pixel of the jet window a node lies in: one formula for images and for cells."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from e2egraph.detector.geometry import ETA_PITCH, PHI_PITCH, WINDOW_SIZE


def window_pixels(points: Tensor, granularity: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Row and column (int64 [B, N]) of ``points [B, N, 2]`` in a window of 125 g × 125 g pixels, and whether inside.

    Outside the window row and column are those of the nearest pixel. ``granularity`` g: pixels a crystal's side, odd.
    """
    size = WINDOW_SIZE * granularity
    row, column = (_index(points[..., i], pitch, granularity) for i, pitch in enumerate((ETA_PITCH, PHI_PITCH)))
    inside = (row >= 0) & (row < size) & (column >= 0) & (column < size)
    return row.clamp(0, size - 1).to(torch.int64), column.clamp(0, size - 1).to(torch.int64), inside


def _index(delta: Tensor, pitch: float, granularity: int) -> Tensor:
    # The formula of graphs.pixels.pixel_offset (at g = 1), in its order of operations: nodes are stored so that it
    # gives their pixel exactly.
    return torch.floor(delta * float(np.float32(granularity / pitch)) + 0.5) + (WINDOW_SIZE * granularity - 1) // 2
