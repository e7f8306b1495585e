"""True against predicted values in two dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.evaluation.metrics.enough import ENOUGH_PASSING
from e2egraph.evaluation.metrics.figures.resolution import LOWER, UPPER
from e2egraph.evaluation.metrics.regression.residuals import weighted_quantiles

# Pixels along either axis.
PIXELS = 40


@dataclass(frozen=True)
class TrueAgainstPredicted:
    """``counts`` [true, predicted]: sums of weights between ``edges``, the same [N + 1] for both axes.

    ``column_weight`` [true]: that of all jets with such a true value, predicted beyond the edges or not; ``outside``:
    the share of all weight that lies beyond them. ``median``, ``lower``, ``upper`` [true]: of the predictions, and the
    ends of their central 68.27%; None where fewer than ``ENOUGH_PASSING`` jets have such a true value, or no weight.
    """

    edges: list[float]
    counts: list[list[float]]
    column_weight: list[float]
    outside: float
    median: list[float | None]
    lower: list[float | None]
    upper: list[float | None]

    def column_normalised(self) -> NDArray[np.float64]:
        """Shares of the jets of each true value, [true, predicted]: how predictions spread, whatever the spectrum.

        Rows add up to 1 but for what is predicted beyond the edges; those without weight are zero.
        """
        counts, total = np.asarray(self.counts), np.asarray(self.column_weight)[:, None]
        return np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)


def true_against_predicted(
    true: NDArray, predicted: NDArray, weight: NDArray | None = None, edges: NDArray | None = None
) -> TrueAgainstPredicted:
    """Of jets [J]; without ``edges``, over the range of ``true``, a tenth wider on either side."""
    true, predicted = np.asarray(true, np.float64), np.asarray(predicted, np.float64)
    weight = np.ones(len(true)) if weight is None else np.asarray(weight, np.float64)
    if edges is None:
        low, high = float(np.min(true)), float(np.max(true))
        margin = 0.1 * (high - low) or 1.0
        edges = np.linspace(low - margin, high + margin, PIXELS + 1)
    edges = np.asarray(edges, np.float64)
    counts, _, _ = np.histogram2d(true, predicted, bins=(edges, edges), weights=weight)
    column_weight, _ = np.histogram(true, edges, weights=weight)
    column = np.digitize(true, edges) - 1
    # The last bin holds its upper edge, as those of histograms do.
    column[true == edges[-1]] = len(edges) - 2
    bands: list[list[float | None]] = [[], [], []]
    for number in range(len(edges) - 1):
        members = column == number
        enough = int(members.sum()) >= ENOUGH_PASSING and weight[members].sum() > 0
        found = weighted_quantiles(predicted[members], weight[members], (LOWER, 0.5, UPPER)) if enough else (None,) * 3
        for band, value in zip(bands, found, strict=True):
            band.append(None if value is None else float(value))
    lower, median, upper = bands
    outside = max(float(1.0 - counts.sum() / weight.sum()), 0.0)
    return TrueAgainstPredicted(edges.tolist(), counts.tolist(), column_weight.tolist(), outside, median, lower, upper)
