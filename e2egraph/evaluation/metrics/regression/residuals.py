"""True and predicted values as figures of merit see them: sorted once, then weighted by many resamples at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Residuals:
    """``true`` and ``predicted`` [J] by rising predicted/true; the first ``positive`` ones have a true value above 0.

    ``order`` [J]: the places of the objects as they were given. Objects whose true value is zero or negative stand
    last: no ratio is taken to these.
    """

    true: Floats
    predicted: Floats
    order: NDArray[np.int64]
    positive: int

    @classmethod
    def of(cls, true: NDArray, predicted: NDArray) -> Residuals:
        true, predicted = np.asarray(true, np.float64), np.asarray(predicted, np.float64)
        above = true > 0
        ratio = np.divide(predicted, true, out=np.full(len(true), np.inf), where=above)
        # Stable in both: equal ratios in the order given, objects without a ratio after all with one.
        order = np.lexsort((ratio, ~above))
        return cls(true[order], predicted[order], order, int(above.sum()))

    @cached_property
    def difference(self) -> Floats:
        """predicted − true, [J]."""
        return self.predicted - self.true

    @cached_property
    def ratio(self) -> Floats:
        """predicted/true of the positive ones, rising."""
        return self.predicted[: self.positive] / self.true[: self.positive]

    @cached_property
    def relative_difference(self) -> Floats:
        """(predicted − true)/true of the positive ones."""
        return self.difference[: self.positive] / self.true[: self.positive]


@dataclass(frozen=True)
class ResidualRows:
    """``residuals`` with rows of ``weight`` [R, J] in their order: one sample, or many resamples."""

    residuals: Residuals
    weight: Floats

    def mean(self, values: Floats) -> Floats:
        """Weighted mean of ``values`` [J] in each row, [R]."""
        result: Floats = self.weight @ values / self.weight.sum(axis=1)
        return result

    def relative_mean(self, values: Floats) -> Floats:
        """The same of values of the positive ones; not finite in a row where these have no weight."""
        with np.errstate(divide="ignore", invalid="ignore"):
            result: Floats = self._positive @ values / self._total
        return result

    def ratio_quantile(self, q: float) -> Floats:
        """The q-quantile of predicted/true in each row, linear between objects, [R]; finite as ``relative_mean``."""
        return np.where(self._total > 0, quantile(q, self._position, self.residuals.ratio), np.nan)

    @property
    def _positive(self) -> Floats:
        return self.weight[:, : self.residuals.positive]

    @cached_property
    def _total(self) -> Floats:
        total: Floats = self._positive.sum(axis=1)
        return total

    @cached_property
    def _position(self) -> Floats:
        # Each object stands in the middle of its share of the weight.
        with np.errstate(divide="ignore", invalid="ignore"):
            position: Floats = (np.cumsum(self._positive, axis=1) - self._positive / 2.0) / self._total[:, None]
        return position


def quantile(q: float, position: Floats, values: Floats) -> Floats:
    """Rows of rising ``position`` [R, J] → the value of ``values`` [J] (rising) at q, linear between objects, [R]."""
    above = np.clip((position < q).sum(axis=1), 1, len(values) - 1)
    row = np.arange(len(position))
    x0, x1 = position[row, above - 1], position[row, above]
    share = np.divide(q - x0, x1 - x0, out=np.zeros_like(x0), where=x1 > x0)
    result: Floats = values[above - 1] + np.clip(share, 0.0, 1.0) * (values[above] - values[above - 1])
    return result


def weighted_quantiles(values: NDArray, weight: NDArray, at: Sequence[float]) -> Floats:
    """Quantiles ``at`` [Q] of at least two ``values`` [J] of which some weigh anything, [Q]."""
    order = np.argsort(values, kind="stable")
    sorted_weight = np.asarray(weight, np.float64)[order]
    position = (np.cumsum(sorted_weight) - sorted_weight / 2.0) / sorted_weight.sum()
    rising = np.asarray(values, np.float64)[order]
    return np.array([float(quantile(float(q), position[None], rising)[0]) for q in at])
