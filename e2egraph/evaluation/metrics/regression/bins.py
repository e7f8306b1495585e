"""Figures of a regressed quantity in bins of its own true value, pT or η."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.bins import quantile_edges
from e2egraph.evaluation.metrics.bootstrap import RESAMPLES, SEED
from e2egraph.evaluation.metrics.enough import ENOUGH_JETS
from e2egraph.evaluation.metrics.regression.summary import regression_metrics

# At most so many bins, and so few that each holds twice the jets that its figures need.
BINS = 8


@dataclass(frozen=True)
class RegressionBin:
    """Jets with ``low`` ≤ quantity < ``high`` (the last bin includes ``high``); ``median``: of the quantity.

    ``figures`` and ``errors`` as in ``RegressionMetrics``, None in a bin without any. ``left_out``: jets without
    relative figures. ``limit`` says what is missing, and why.
    """

    low: float
    high: float
    jets: int
    median: float | None = None
    figures: dict[str, float | None] | None = None
    errors: dict[str, float | None] | None = None
    left_out: int = 0
    limit: str | None = None


def bin_edges(values: NDArray) -> NDArray[np.float64]:
    """Edges of bins of about equal numbers of ``values`` [J], as many as the jets allow up to ``BINS``."""
    return quantile_edges(values, max(1, min(BINS, len(values) // (2 * ENOUGH_JETS))))


def binned_regression(
    true: NDArray,
    predicted: NDArray,
    values: NDArray,
    weight: NDArray | None = None,
    edges: NDArray | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> list[RegressionBin]:
    """Figures of ``predicted`` [J] against ``true`` [J] in bins of ``values`` [J], by ``bin_edges`` without ``edges``.

    Jets beyond given edges are in no bin. A bin with fewer than ``ENOUGH_JETS`` jets or without weight has no figures,
    one with fewer than these whose true value is above zero no relative ones. InputError as ``regression_metrics``, or
    for values that are not finite.
    """
    true, predicted, values = (np.asarray(array, np.float64) for array in (true, predicted, values))
    weight = np.ones(len(true)) if weight is None else np.asarray(weight, np.float64)
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise InputError(f"{bad} of {len(values)} objects have no finite value to bin by; choose another quantity.")
    edges = bin_edges(values) if edges is None else np.asarray(edges, np.float64)
    result = []
    for low, high in pairwise(edges):
        inside = (values >= low) & ((values <= high) if high == edges[-1] else (values < high))
        jets = int(inside.sum())
        few = f"fewer than {ENOUGH_JETS} objects" if jets < ENOUGH_JETS else None
        limit = few or (None if weight[inside].sum() > 0 else "no weight")
        if limit:
            result.append(RegressionBin(float(low), float(high), jets, limit=limit))
            continue
        found = regression_metrics(
            true[inside], predicted[inside], weight[inside], resamples=resamples, seed=seed, fewest=ENOUGH_JETS
        )
        median = float(np.median(values[inside]))
        said = "; ".join(found.limits) or None
        result.append(
            RegressionBin(float(low), float(high), jets, median, found.figures, found.errors, found.left_out, said)
        )
    return result
