"""Figures of a regressed quantity such as a mass or a pT, with bootstrap errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.bootstrap import RESAMPLES, SEED, draws
from e2egraph.evaluation.metrics.figure import ResidualFigure
from e2egraph.evaluation.metrics.registry import residual_figures
from e2egraph.evaluation.metrics.regression.residuals import ResidualRows, Residuals

Floats = NDArray[np.float64]

# The least number of jets that any figure is worked out from.
FEWEST = 2


@dataclass(frozen=True)
class RegressionMetrics:
    """``figures`` and ``errors`` by name (``registry.residual_figures``) of ``jets`` jets.

    ``left_out``: jets whose true value is zero or negative, which take no part in relative figures. None: ``limits``
    say why, each a sentence.
    """

    figures: dict[str, float | None]
    errors: dict[str, float | None]
    jets: int
    left_out: int
    limits: tuple[str, ...]


@dataclass(frozen=True)
class SampledFigures:
    """Figures of S predictions of the same jets: name → ``values`` [S], and ``samples`` [S, R] in R paired resamples.

    Values and samples that could not be worked out are not finite; ``left_out`` as in ``RegressionMetrics``.
    """

    values: dict[str, Floats]
    samples: dict[str, Floats]
    left_out: int


def regression_metrics(
    true: NDArray,
    predicted: NDArray,
    weight: NDArray | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    fewest: int = FEWEST,
) -> RegressionMetrics:
    """Of ``predicted`` [J] against ``true`` [J], by the jets' weights; errors of resampled jets.

    Relative figures are those of the jets with a true value above zero, where these are at least ``fewest``.
    InputError: fewer than two jets, a value that is not finite, a negative weight or no weight.
    """
    found = sampled_figures(true, np.asarray(predicted)[None], weight, resamples=resamples, seed=seed)
    jets = len(np.asarray(true))
    above = jets - found.left_out
    limits = []
    if found.left_out:
        limits.append(
            f"relative figures leave out {found.left_out} of {jets} objects: their true value is not above zero"
        )
    figures: dict[str, float | None] = {}
    errors: dict[str, float | None] = {}
    for name, figure in residual_figures().items():
        value, samples = float(found.values[name][0]), found.samples[name][0]
        figures[name] = errors[name] = None
        if figure.relative and above < fewest:
            limits.append(f"no {figure.title}: {above} objects have a true value above zero, fewer than {fewest}")
        elif not np.isfinite(value):
            limits.append(f"no {figure.title}: {_why(figure)}")
        else:
            known = samples[np.isfinite(samples)]
            figures[name] = value
            errors[name] = float(known.std(ddof=1)) if len(known) > 1 else None
    return RegressionMetrics(figures, errors, jets, found.left_out, tuple(limits))


def sampled_figures(
    true: NDArray,
    predicted: NDArray,
    weight: NDArray | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> SampledFigures:
    """The figures of each of ``predicted`` [S, J] against ``true`` [J]; every prediction sees the same draws.

    InputError as ``regression_metrics``.
    """
    true, predicted = np.asarray(true, np.float64), np.asarray(predicted, np.float64)
    weight = np.ones(len(true)) if weight is None else np.asarray(weight, np.float64)
    for row in predicted:
        check(true, row, weight)
    figures = residual_figures()
    residuals = [Residuals.of(true, row) for row in predicted]
    values = [_figures(figures, ResidualRows(one, weight[one.order][None])) for one in residuals]
    samples: list[dict[str, list[Floats]]] = [{name: [] for name in figures} for _ in residuals]
    for counts in draws(np.zeros(len(true), bool), resamples, seed):
        drawn = np.multiply(counts, weight, dtype=np.float64)
        for one, parts in zip(residuals, samples, strict=True):
            for name, found in _figures(figures, ResidualRows(one, drawn[:, one.order])).items():
                parts[name].append(found)
    return SampledFigures(
        {name: np.array([float(one[name][0]) for one in values]) for name in figures},
        {name: np.stack([np.concatenate(parts[name]) for parts in samples]) for name in figures},
        len(true) - residuals[0].positive,
    )


def check(true: NDArray, predicted: NDArray, weight: NDArray) -> None:
    """InputError as in ``regression_metrics``."""
    if len(true) < FEWEST:
        raise InputError("a regression needs at least two objects to be judged by; choose another split or data set.")
    for name, values in (("true value", true), ("prediction", predicted), ("weight", weight)):
        bad = int((~np.isfinite(values)).sum())
        if bad:
            raise InputError(f"{bad} of {len(values)} objects have a {name} that is not finite; leave them out.")
    if (weight < 0).any() or not weight.sum() > 0:
        raise InputError("an object weight is negative or all are zero; build the data set again with weights.")


def _figures(figures: Mapping[str, ResidualFigure], rows: ResidualRows) -> dict[str, Floats]:
    """Every figure for each row of weights, [R]; not finite for a relative one where no jet has a ratio."""
    none = np.full(len(rows.weight), np.nan)
    enough = rows.residuals.positive >= FEWEST
    return {name: figure.of_rows(rows) if enough or not figure.relative else none for name, figure in figures.items()}


def _why(figure: ResidualFigure) -> str:
    if figure.relative:
        return (
            "the median of predicted/true is not above zero, or no object with a true value above zero weighs anything"
        )
    return "it is not finite"
