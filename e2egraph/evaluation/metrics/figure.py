"""What a figure of merit is, and the table in which each registers itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from e2egraph.evaluation.metrics.roc.curve import RocCurve

if TYPE_CHECKING:
    from e2egraph.evaluation.metrics.regression.residuals import ResidualRows

Floats = NDArray[np.float64]

CLASSIFICATION, REGRESSION = "classification", "regression"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure of merit, whose key in ``metrics.json`` is ``name`` and whose error is ``NAME_error``.

    ``title`` and ``digits`` (after the point): for tables; ``highest``: whether higher is better, None where neither is
    (a bias); ``ratio``: whether a ratio of two values says something; ``place``: tables are in its order.
    """

    objective: str
    name: str
    title: str
    digits: int
    highest: bool | None
    place: int
    ratio: bool = True


@dataclass(frozen=True, kw_only=True)
class RocFigure(Figure):
    """Of a ROC curve. ``of_curve``: for one sample; ``of_rows``: for the curves of many resamples, rows of (mistag,
    signal efficiency), each [R, K] → [R]. ``mistag``: background efficiency of the cut it depends on, None for none.
    """

    objective: str = CLASSIFICATION
    of_curve: Callable[[RocCurve], float]
    of_rows: Callable[[Floats, Floats], Floats]
    mistag: Callable[[RocCurve], float] | None = None


@dataclass(frozen=True, kw_only=True)
class ResidualFigure(Figure):
    """Of true and predicted values. ``of_rows``: for one sample or many resamples, rows of weights → [R].

    ``has_unit``: it has the target's unit, and its ``digits`` are the target's own. ``relative``: it divides by the
    true value, so that objects whose true value is zero or negative do not take part.
    """

    objective: str = REGRESSION
    digits: int = 4
    of_rows: Callable[[ResidualRows], Floats]
    has_unit: bool = False
    relative: bool = False


FigureT = TypeVar("FigureT", bound=Figure)

# Objective → name → figure of merit, in the order of tables.
REGISTERED: dict[str, dict[str, Figure]] = {CLASSIFICATION: {}, REGRESSION: {}}


def register(figure: FigureT) -> FigureT:
    """Make ``figure`` known, and return it. ValueError when its objective has another one of its name."""
    known = REGISTERED.setdefault(figure.objective, {})
    if known.get(figure.name, figure) != figure:
        raise ValueError(f"figure of merit {figure.name} exists already; choose another name")
    both: dict[str, Figure] = {**known, figure.name: figure}
    found = sorted(both.values(), key=lambda one: one.place)
    # In place: others hold this dictionary.
    known.clear()
    known.update({one.name: one for one in found})
    return figure
