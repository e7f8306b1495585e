"""Figures of a model as means over its seeds, with one error for the test objects and the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from e2egraph.evaluation.compare.paired_result import Standing
from e2egraph.evaluation.metrics.seeds import seeds_part, whole_error
from e2egraph.evaluation.objectives.evaluation import Evaluation


@dataclass(frozen=True)
class MeanFigure:
    """One figure of a model: its mean over seeds.

    ``spread``: standard deviation over seeds, None for one. ``error_jets``: from the test jets, of the mean.
    ``error``: √(error_jets² + spread²/seeds); for one seed that of its ``metrics.json``. None: cannot be quoted.
    """

    mean: float | None
    error: float | None
    error_jets: float | None
    spread: float | None


NOT_QUOTED = MeanFigure(None, None, None, None)


def mean_figure(standing: Standing, first: Mapping[str, Any]) -> MeanFigure:
    """The figure of ``standing``; of a single run as its evaluation gave it: ``first`` is that ``metrics.json``."""
    values = [value for value in standing.seeds if value is not None]
    if len(standing.seeds) == 1:
        return single_figure(standing.figure, first)
    part = seeds_part(values) if standing.mean is not None else None
    if part is None or standing.error is None:
        return MeanFigure(standing.mean, None, standing.error, standing.spread)
    return MeanFigure(standing.mean, whole_error(standing.error, [part])[0], standing.error, standing.spread)


def single_figure(name: str, report: Mapping[str, Any]) -> MeanFigure:
    """A figure of one run, from its ``metrics.json``."""
    error = report.get(f"{name}_error")
    return MeanFigure(report.get(name), error, error, None)


def reported_figure(name: str, reports: Sequence[Mapping[str, Any]], judge: Evaluation) -> MeanFigure:
    """A figure from what the ``metrics.json`` of one model's runs say alone.

    Of several seeds there is then no error, since what the same test objects do to all of them is not known.
    """
    if len(reports) == 1:
        return single_figure(name, reports[0])
    values = [judge.in_a_mean(name, report) for report in reports]
    known = [float(value) for value in values if value is not None]
    if len(known) < len(values):
        return NOT_QUOTED
    return MeanFigure(float(np.mean(known)), None, None, float(np.std(known, ddof=1)))
