"""Variance of a ROC area and covariance of areas on the same jets, without resampling.

E. DeLong, D. DeLong, D. Clarke-Pearson, Biometrics 44 (1988) 837, in the mid-rank form of X. Sun, W. Xu, IEEE Signal
Process. Lett. 21 (2014) 1389. For jets without weights only: with weights, ``bootstrap`` gives the errors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.p_values import PValue, normal_p_value
from e2egraph.evaluation.metrics.roc.curve import check

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DeLong:
    """``auc`` [S] of S scores and their ``covariance`` [S, S]."""

    auc: Floats
    covariance: Floats

    @property
    def error(self) -> Floats:
        """Standard error of each area, [S]."""
        return np.sqrt(self.covariance.diagonal())

    def contrast(self, coefficients: NDArray) -> tuple[float, float]:
        """Σ c_s AUC_s and its standard error for ``coefficients`` c [S]."""
        c = np.asarray(coefficients, np.float64)
        # Rounding can take the variance of a difference of equal scores just below zero.
        return float(c @ self.auc), math.sqrt(max(float(c @ self.covariance @ c), 0.0))

    def difference(self, first: int, second: int) -> tuple[float, float, PValue | None]:
        """AUC of ``first`` minus AUC of ``second``, its error and two-sided p-value.

        No p-value where the error is zero and the difference is not (one score separates the classes wholly and the
        other is constant): the normal approximation then says nothing.
        """
        c = np.zeros(len(self.auc))
        c[first] += 1.0
        c[second] -= 1.0
        value, error = self.contrast(c)
        return value, error, p_value_of(value, error)


def p_value_of(value: float, error: float) -> PValue | None:
    """Two-sided normal p-value of a difference; 1 for no difference, None for a difference without an error."""
    if value == 0.0:
        return PValue(1.0, 0.0)
    return normal_p_value(value / error) if error > 0.0 else None


def delong(is_signal: NDArray, scores: NDArray) -> DeLong:
    """Areas of ``scores`` [S, J] (or [J]) against ``is_signal`` [J], with their covariance.

    InputError as ``metrics.check``, or with fewer than two jets of a class.
    """
    from scipy.stats import rankdata

    is_signal = np.asarray(is_signal, bool)
    scores = np.atleast_2d(np.asarray(scores, np.float64))
    for score in scores:
        check(is_signal, score, None)
    signal, background = scores[:, is_signal], scores[:, ~is_signal]
    m, n = signal.shape[1], background.shape[1]
    if min(m, n) < 2:
        raise InputError("the error of an AUC needs at least two signal and two background objects; evaluate more.")
    # A mid-rank among all jets minus that among the own class counts the jets of the other class below, ties half.
    both = rankdata(np.concatenate([signal, background], axis=1), axis=1)
    above_background = (both[:, :m] - rankdata(signal, axis=1)) / n
    below_signal = 1.0 - (both[:, m:] - rankdata(background, axis=1)) / m
    covariance = np.cov(above_background) / m + np.cov(below_signal) / n
    return DeLong(above_background.mean(axis=1), np.atleast_2d(covariance))
