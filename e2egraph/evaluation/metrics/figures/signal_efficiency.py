"""The signal efficiency at fixed mistag rates."""

from __future__ import annotations

from functools import partial

from e2egraph.evaluation.metrics.figure import RocFigure, register
from e2egraph.evaluation.metrics.roc.curve import WORKING_POINT
from e2egraph.evaluation.metrics.roc.rows import efficiencies_at

LOW_MISTAG = 0.001

EFFICIENCY = "signal_efficiency_at_1pct_mistag"
LOW_EFFICIENCY = "signal_efficiency_at_0p1pct_mistag"


def efficiency_figure(name: str, mistag: float, place: int) -> RocFigure:
    """The signal efficiency at a background efficiency of ``mistag``."""
    return RocFigure(
        name=name,
        title=f"signal efficiency at {100 * mistag:g}% mistag",
        digits=3,
        highest=True,
        place=place,
        of_curve=lambda curve: curve.efficiency_at(mistag),
        of_rows=partial(efficiencies_at, mistag),
        mistag=lambda curve: mistag,
    )


register(efficiency_figure(EFFICIENCY, WORKING_POINT, 20))
register(efficiency_figure(LOW_EFFICIENCY, LOW_MISTAG, 30))
