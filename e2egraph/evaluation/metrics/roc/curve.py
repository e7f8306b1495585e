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

    def mistag_at(self, efficiency: float) -> float:
        """Background efficiency where the signal efficiency is ``efficiency``, linear between points of the curve.

        Where the curve runs level at ``efficiency``, its left end: the tightest cut with that signal efficiency.
        """
        # From the right, and mirrored, because np.interp takes the last of equal abscissae.
        return float(np.interp(-efficiency, -self.signal_efficiency[::-1], self.mistag[::-1]))

    def rejection_at(self, efficiency: float) -> float:
        """Background rejection, 1/mistag, at a signal efficiency; infinite where no background passes."""
        mistag = self.mistag_at(efficiency)
        return 1.0 / mistag if mistag > 0 else float("inf")


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
        raise InputError("there are no objects to evaluate; choose another split or data set.")
    if is_signal.all() or not is_signal.any():
        absent = "background" if is_signal.all() else "signal"
        raise InputError(f"there are no {absent} objects to evaluate; choose a split or data set that has both.")
    bad = int((~np.isfinite(score)).sum())
    if bad:
        raise InputError(f"{bad} of {len(score)} scores are not finite; train again with a lower learning rate.")
    if weight is None:
        return
    if not np.isfinite(weight).all() or (np.asarray(weight) < 0).any():
        raise InputError("an object weight is negative or not finite; correct the weights of the data set.")
    if weight[is_signal].sum() == 0 or weight[~is_signal].sum() == 0:
        raise InputError("all weights of signal or of background are zero; correct the weights of the data set.")


def effective_number(weight: NDArray) -> float:
    """How many jets of weight one scatter like these: (Σw)²/Σw² (0 for no weight at all)."""
    weight = np.asarray(weight, np.float64)
    squares = float(np.sum(weight**2))
    return float(np.sum(weight)) ** 2 / squares if squares > 0 else 0.0


def weighted_share(chosen: NDArray, weight: NDArray | None = None) -> tuple[float, float]:
    """Share of jets [J] that are ``chosen`` (of their weight), and its binomial error, √Σw²(c − share)² / Σw.

    InputError without any weight.
    """
    chosen = np.asarray(chosen, np.float64)
    weight = np.ones(len(chosen)) if weight is None else np.asarray(weight, np.float64)
    total = float(weight.sum())
    if total <= 0:
        raise InputError("there are no objects with weight to take a share of; choose another split or data set.")
    share = float(np.sum(weight * chosen)) / total
    return share, float(np.sqrt(np.sum((weight * (chosen - share)) ** 2))) / total
