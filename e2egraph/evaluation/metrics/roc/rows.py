"""Figures of many ROC curves at once, such as those of bootstrap resamples: rows of (mistag, signal efficiency)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def areas(mistag: Floats, efficiency: Floats) -> Floats:
    """Area under each row, by trapezes."""
    return np.einsum("rk,rk->r", np.diff(mistag, axis=1), efficiency[:, 1:] + efficiency[:, :-1]) / 2.0


def efficiencies_at(x: float, mistag: Floats, efficiency: Floats) -> Floats:
    """``RocCurve.efficiency_at`` for each row, [R]."""
    return _line(x, mistag, efficiency, (mistag <= x).sum(axis=1))


def mistags_at(x: float, mistag: Floats, efficiency: Floats) -> Floats:
    """``RocCurve.mistag_at`` for each row, [R]."""
    return _line(x, efficiency, mistag, (efficiency < x).sum(axis=1))


def rejections_at(x: float, mistag: Floats, efficiency: Floats) -> Floats:
    """``RocCurve.rejection_at`` for each row, [R]; infinite where no background passes."""
    passed = mistags_at(x, mistag, efficiency)
    return np.divide(1.0, passed, out=np.full_like(passed, np.inf), where=passed > 0)


def _line(x: float, xs: Floats, ys: Floats, upper: NDArray[np.int64]) -> Floats:
    """ys at x on the line that ends at column ``upper`` of each row."""
    upper = np.clip(upper, 1, xs.shape[1] - 1)
    row = np.arange(len(xs))
    x0, x1, y0, y1 = xs[row, upper - 1], xs[row, upper], ys[row, upper - 1], ys[row, upper]
    share = np.divide(x - x0, x1 - x0, out=np.zeros_like(x0), where=x1 > x0)
    result: Floats = y0 + np.clip(share, 0.0, 1.0) * (y1 - y0)
    return result
