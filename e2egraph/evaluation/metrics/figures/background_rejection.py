"""The background rejection, 1 / mistag, at fixed signal efficiencies."""

from __future__ import annotations

from functools import partial

from e2egraph.evaluation.metrics.figure import RocFigure, register
from e2egraph.evaluation.metrics.roc.rows import rejections_at

SIGNAL_EFFICIENCIES = (0.3, 0.5, 0.7)


def rejection_name(efficiency: float) -> str:
    return f"background_rejection_at_{100 * efficiency:.0f}pct_efficiency"


def rejection_figure(efficiency: float, place: int) -> RocFigure:
    """1 / mistag at a signal ``efficiency``."""
    return RocFigure(
        name=rejection_name(efficiency),
        title=f"background rejection at {100 * efficiency:.0f}% efficiency",
        digits=1,
        highest=True,
        place=place,
        of_curve=lambda curve: curve.rejection_at(efficiency),
        of_rows=partial(rejections_at, efficiency),
        mistag=lambda curve: curve.mistag_at(efficiency),
    )


for _number, _efficiency in enumerate(SIGNAL_EFFICIENCIES):
    register(rejection_figure(_efficiency, 40 + _number))
