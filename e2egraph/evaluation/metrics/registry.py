"""Every figure of merit by the objective that it belongs to: a new one is a file in ``figures/`` that registers it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import e2egraph.evaluation.metrics.figures  # noqa: F401  (figures register themselves when their files are imported)
from e2egraph.evaluation.metrics.figure import CLASSIFICATION, REGISTERED, REGRESSION, Figure, ResidualFigure, RocFigure


def figures_of(objective: str) -> Mapping[str, Figure]:
    """Name → figure of merit of a kind of objective, in the order of tables; empty for an unknown kind."""
    return REGISTERED.get(objective, {})


def roc_figures() -> Mapping[str, RocFigure]:
    """Those of a classification."""
    return cast(Mapping[str, RocFigure], figures_of(CLASSIFICATION))


def residual_figures() -> Mapping[str, ResidualFigure]:
    """Those of a regression."""
    return cast(Mapping[str, ResidualFigure], figures_of(REGRESSION))


# Those of a classification, by name; figures that are registered later are among them.
FIGURES = roc_figures()
