"""Which pixel of the window a node falls in, from its float32 Δη or Δφ: the one formula that all image makers share."""

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector import geometry

# A coordinate this close to a pixel's edge (in pixels) is moved inside when the graph is built. It covers float32
# rounding at 62 pixels (4e-6) with room for fused multiply-adds, and is far below any detector resolution.
EDGE_MARGIN = 2e-5


def pixel_offset(delta: NDArray[np.float32], pitch: float) -> NDArray[np.int64]:
    """Pixels between the window's centre and a node: floor(Δ · (1/pitch) + ½) in float32, 0 for the centre pixel."""
    return np.floor(delta * np.float32(1.0 / pitch) + np.float32(0.5)).astype(np.int64)


def inside_pixel(delta: NDArray[np.floating], offset: NDArray[np.int64], pitch: float) -> NDArray[np.float32]:
    """Δ [rad] as float32, moved by at most a rounding so that ``pixel_offset`` gives back exactly ``offset``.

    The offset is known from the detector's own rows and columns; without this a node on an edge could change pixel
    when its coordinate is rounded to float32, and image and ntuple would differ.
    """
    half = 0.5 - EDGE_MARGIN
    return np.clip(delta, (offset - half) * pitch, (offset + half) * pitch).astype(np.float32)


def inside_crystal_row(eta: NDArray[np.floating], row: NDArray[np.int64]) -> NDArray[np.float64]:
    """η of whole events, moved by at most a rounding to lie inside its crystal row also as float32.

    Twice the margin of windows, as rows are counted from the detector's middle, up to 140 and more.
    """
    half = (0.5 - 2.0 * EDGE_MARGIN) * geometry.ETA_PITCH
    middle = geometry.ecal_eta(row)
    return np.clip(eta, middle - half, middle + half)
