"""ROC curve, its area, and the signal efficiency at a fixed mistag rate, each as its definition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError

# The working point of the end-to-end papers: 1% of background jets pass.
WORKING_POINT = 0.01

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RocCurve:
    """Points of a ROC curve from (0, 0) to (1, 1): ``mistag`` (background efficiency) and ``signal_efficiency``."""

    mistag: Floats
    signal_efficiency: Floats

    @property
    def auc(self) -> float:
        """Area under the curve: the chance that a signal jet scores above a background jet, ties counting half."""
        from sklearn.metrics import auc

        return float(auc(self.mistag, self.signal_efficiency))

    def efficiency_at(self, mistag: float) -> float:
        """Signal efficiency where the background efficiency is ``mistag``, linear between points of the curve.

        Where the curve rises vertically at ``mistag``, the upper end: the loosest cut with that mistag rate.
        """
        return float(np.interp(mistag, self.mistag, self.signal_efficiency))


def roc_curve(is_signal: NDArray, score: NDArray, weight: NDArray | None = None) -> RocCurve:
    """The weighted ROC curve of ``score`` (larger is more signal-like), every distinct score a point; each [J].

    InputError: no jets, signal or background missing, a score or weight that is not finite, a negative weight, or no
    weight in a class.
    """
    from sklearn.metrics import roc_curve as points

    check(is_signal, score, weight)
    mistag, efficiency, _ = points(is_signal, score, sample_weight=weight, drop_intermediate=False)
    return RocCurve(mistag, efficiency)


def check(is_signal: NDArray, score: NDArray, weight: NDArray | None) -> None:
    """InputError as in ``roc_curve``."""
    is_signal = np.asarray(is_signal, bool)
    if len(is_signal) == 0:
        raise InputError("there are no jets to evaluate; choose another split or data set.")
    if is_signal.all() or not is_signal.any():
        absent = "background" if is_signal.all() else "signal"
        raise InputError(f"there are no {absent} jets to evaluate; choose a split or data set that has both.")
    bad = int((~np.isfinite(score)).sum())
    if bad:
        raise InputError(f"{bad} of {len(score)} scores are not finite; train again with a lower learning rate.")
    if weight is None:
        return
    if not np.isfinite(weight).all() or (np.asarray(weight) < 0).any():
        raise InputError("a jet weight is negative or not finite; mend the weights of the data set.")
    if weight[is_signal].sum() == 0 or weight[~is_signal].sum() == 0:
        raise InputError("all weights of signal or of background are zero; mend the weights of the data set.")
