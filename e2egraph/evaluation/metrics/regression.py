"""Figures of a regressed quantity such as a mass or a pT, with bootstrap errors."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.bootstrap import RESAMPLES, SEED, draws

Floats = NDArray[np.float64]

# Quantiles that hold the central 68.27% of a normal distribution.
_LOWER, _UPPER = 0.15865525, 0.84134475


@dataclass(frozen=True)
class RegressionFigures:
    """``response``: median of predicted/true. ``resolution``: half the width of the central 68.27% of predicted/true,
    over the response (relative, and the standard deviation for a normal distribution). ``bias``, ``mae``: mean of
    predicted − true and of its absolute value, in the quantity's unit. ``mean_relative_error``: mean of
    |predicted − true| / |true|.
    """

    response: float
    resolution: float
    bias: float
    mae: float
    mean_relative_error: float


@dataclass(frozen=True)
class RegressionMetrics:
    figures: RegressionFigures
    errors: RegressionFigures
    jets: int


@dataclass(frozen=True)
class SampledFigures:
    """Figures of S predictions of the same jets: name → ``values`` [S], and ``samples`` [S, R] in R paired resamples.

    A sample is not finite where a resample has a median response of zero.
    """

    values: dict[str, Floats]
    samples: dict[str, Floats]


def regression_metrics(
    true: NDArray, predicted: NDArray, weight: NDArray | None = None, *, resamples: int = RESAMPLES, seed: int = SEED
) -> RegressionMetrics:
    """Of ``predicted`` [J] against ``true`` [J] (no zeros), by the jets' weights; errors of resampled jets.

    InputError: fewer than two jets, a value that is not finite, a true value of zero, a negative weight or no weight,
    or a median response of zero.
    """
    found = sampled_figures(true, np.asarray(predicted)[None], weight, resamples=resamples, seed=seed)
    values = {name: float(value[0]) for name, value in found.values.items()}
    if not np.isfinite(list(values.values())).all():
        raise InputError("the median of predicted/true is zero, so no relative resolution can be given; train further.")
    samples = np.stack([sample[0] for sample in found.samples.values()], axis=1)
    errors = samples[np.isfinite(samples).all(axis=1)].std(axis=0, ddof=1)
    return RegressionMetrics(
        RegressionFigures(**values),
        RegressionFigures(**dict(zip(values, map(float, errors), strict=True))),
        len(np.asarray(true)),
    )


def sampled_figures(
    true: NDArray,
    predicted: NDArray,
    weight: NDArray | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> SampledFigures:
    """The figures of each of ``predicted`` [S, J] against ``true`` [J]; every prediction sees the same draws.

    InputError as ``regression_metrics``, but for the median.
    """
    true, predicted = np.asarray(true, np.float64), np.asarray(predicted, np.float64)
    weight = np.ones(len(true)) if weight is None else np.asarray(weight, np.float64)
    for row in predicted:
        _check(true, row, weight)
    orders = [np.argsort(row / true, kind="stable") for row in predicted]
    values, samples = [], []
    for row, order in zip(predicted, orders, strict=True):
        values.append(_figures(true[order], row[order], weight[order][None])[0])
        parts = [
            _figures(true[order], row[order], np.multiply(counts, weight, dtype=np.float64)[:, order])
            for counts in draws(np.zeros(len(true), bool), resamples, seed)
        ]
        samples.append(np.concatenate(parts))
    names = [field.name for field in fields(RegressionFigures)]
    return SampledFigures(
        dict(zip(names, np.stack(values, axis=1), strict=True)),
        dict(zip(names, np.stack(samples).transpose(2, 0, 1), strict=True)),
    )


def _figures(true: Floats, predicted: Floats, weight: Floats) -> Floats:
    """The five figures for rows of weights [R, J] of jets sorted by predicted/true, [R, 5]."""
    ratio, difference = predicted / true, predicted - true
    total = weight.sum(axis=1)
    # Each jet stands in the middle of its share of the weight.
    position = (np.cumsum(weight, axis=1) - weight / 2.0) / total[:, None]
    lower, median, upper = (_quantile(q, position, ratio) for q in (_LOWER, 0.5, _UPPER))
    with np.errstate(divide="ignore", invalid="ignore"):
        resolution = (upper - lower) / 2.0 / median
    means = [weight @ values / total for values in (difference, np.abs(difference), np.abs(difference / true))]
    return np.stack([median, resolution, *means], axis=1)


def _quantile(q: float, position: Floats, values: Floats) -> Floats:
    """Rows of rising ``position`` [R, J] → the value at q, linear between jets, [R]."""
    above = np.clip((position < q).sum(axis=1), 1, len(values) - 1)
    row = np.arange(len(position))
    x0, x1 = position[row, above - 1], position[row, above]
    share = np.divide(q - x0, x1 - x0, out=np.zeros_like(x0), where=x1 > x0)
    return values[above - 1] + np.clip(share, 0.0, 1.0) * (values[above] - values[above - 1])


def _check(true: Floats, predicted: Floats, weight: Floats) -> None:
    if len(true) < 2:
        raise InputError("a regression needs at least two jets to be judged by; choose another split or data set.")
    for name, values in (("true value", true), ("prediction", predicted), ("weight", weight)):
        bad = int((~np.isfinite(values)).sum())
        if bad:
            raise InputError(f"{bad} of {len(values)} jets have a {name} that is not finite; leave them out.")
    if (true == 0).any():
        raise InputError(f"{int((true == 0).sum())} jets have a true value of zero, which no ratio can be taken to.")
    if (weight < 0).any() or not weight.sum() > 0:
        raise InputError("a jet weight is negative or all are zero; build the data set again with weights.")
