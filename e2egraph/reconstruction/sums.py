"""Sums over groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.geometry import Floats, Integers


def sums(group: Integers, values: NDArray, size: int) -> Floats:
    """Σ of ``values`` [N] by ``group`` [N], [size]; in float64, of nothing as well."""
    return np.asarray(np.bincount(group, values, size), dtype=np.float64)
