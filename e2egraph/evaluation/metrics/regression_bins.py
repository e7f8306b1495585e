"""Figures of a regressed quantity in bins of true value, pT or η, and true against predicted in two dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from e2egraph.evaluation.metrics.bins import quantile_edges
from e2egraph.evaluation.metrics.figures import ENOUGH_JETS
from e2egraph.evaluation.metrics.regression import RegressionFigures, regression_metrics

# Pixels along either axis of the two-dimensional histogram.
PIXELS = 40


@dataclass(frozen=True)
class RegressionBin:
    """Jets with ``low`` ≤ quantity < ``high`` (the last bin includes ``high``); without ``figures``, ``limit`` says
    why."""

    low: float
    high: float
    jets: int
    figures: RegressionFigures | None = None
    errors: RegressionFigures | None = None
    limit: str | None = None


@dataclass(frozen=True)
class TrueAgainstPredicted:
    """``counts`` [true, predicted]: sums of weights between ``edges`` of both axes; ``outside``: share of the weight
    whose prediction lies beyond them."""

    edges: list[float]
    counts: list[list[float]]
    outside: float


def binned_regression(
    true: NDArray, predicted: NDArray, values: NDArray, weight: NDArray, edges: NDArray | None = None
) -> list[RegressionBin]:
    """Figures of ``predicted`` [J] in bins of ``values`` [J], quartiles if no ``edges`` are given.

    A bin with fewer than ``ENOUGH_JETS`` jets or without weight has none. InputError as ``regression_metrics``.
    """
    edges = quantile_edges(values) if edges is None else np.asarray(edges, np.float64)
    result = []
    for low, high in pairwise(edges):
        inside = (values >= low) & ((values <= high) if high == edges[-1] else (values < high))
        head = (float(low), float(high), int(inside.sum()))
        if head[2] < ENOUGH_JETS or not weight[inside].sum() > 0:
            few = f"fewer than {ENOUGH_JETS} jets" if head[2] < ENOUGH_JETS else "no weight"
            result.append(RegressionBin(*head, limit=few))
            continue
        found = regression_metrics(true[inside], predicted[inside], weight[inside])
        result.append(RegressionBin(*head, found.figures, found.errors))
    return result


def true_against_predicted(true: NDArray, predicted: NDArray, weight: NDArray) -> TrueAgainstPredicted:
    """The two-dimensional histogram over the range of ``true`` [J], a tenth wider on either side."""
    low, high = float(np.min(true)), float(np.max(true))
    margin = 0.1 * (high - low) or 1.0
    edges = np.linspace(low - margin, high + margin, PIXELS + 1)
    counts, _, _ = np.histogram2d(true, predicted, bins=(edges, edges), weights=weight)
    outside = 1.0 - counts.sum() / np.sum(weight)
    return TrueAgainstPredicted(edges.tolist(), counts.tolist(), max(float(outside), 0.0))
