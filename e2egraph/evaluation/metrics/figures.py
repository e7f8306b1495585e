"""The figures quoted of a ROC curve, each for one curve and for the curves of many resamples at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from e2egraph.evaluation.metrics.roc import WORKING_POINT, RocCurve

Floats = NDArray[np.float64]

LOW_MISTAG = 0.001
SIGNAL_EFFICIENCIES = (0.3, 0.5, 0.7)

# With fewer background jets than this beyond a cut, what is measured there is one fluctuation: an efficiency at 0.1%
# mistag or a background rejection is then not quoted.
ENOUGH_PASSING = 10

# With fewer jets than this in all, no p-value is quoted: its normal approximation has nothing to stand on.
ENOUGH_JETS = 100

AUC = "auc"
EFFICIENCY = "signal_efficiency_at_1pct_mistag"
LOW_EFFICIENCY = "signal_efficiency_at_0p1pct_mistag"


@dataclass(frozen=True)
class Figure:
    """``of_curve``: its value for a curve. ``of_rows``: for rows of (mistag, signal efficiency), each [R, K] → [R].

    ``mistag``: the background efficiency of the cut it depends on, None for the area. ``title`` and ``digits`` (after
    the point): for tables.
    """

    name: str
    title: str
    digits: int
    of_curve: Callable[[RocCurve], float]
    of_rows: Callable[[Floats, Floats], Floats]
    mistag: Callable[[RocCurve], float] | None = None


def enough_pass(background: float) -> bool:
    """Whether so many (effective) background jets beyond a cut allow a figure that depends on it."""
    return math.isinf(background) or round(background) >= ENOUGH_PASSING


def too_few(figure: Figure, passing: Mapping[str, float]) -> str:
    """The limit to state where ``enough_pass`` says no; ``passing``: tagger (empty for the only one) → jets."""
    counts = ", ".join(f"{name} {number:.1f}".strip() for name, number in passing.items())
    return f"fewer than {ENOUGH_PASSING} background jets pass for the {figure.title} ({counts})"


def areas(mistag: Floats, efficiency: Floats) -> Floats:
    """Area under each row, by trapezes."""
    return np.einsum("rk,rk->r", np.diff(mistag, axis=1), efficiency[:, 1:] + efficiency[:, :-1]) / 2.0


def efficiencies_at(x: float, mistag: Floats, efficiency: Floats) -> Floats:
    """``RocCurve.efficiency_at`` for each row, [R]."""
    return _line(x, mistag, efficiency, (mistag <= x).sum(axis=1))


def mistags_at(x: float, mistag: Floats, efficiency: Floats) -> Floats:
    """``RocCurve.mistag_at`` for each row, [R]."""
    return _line(x, efficiency, mistag, (efficiency < x).sum(axis=1))


def rejections_at(x: float, mistag: Floats, efficiency: Floats) -> Floats:
    """``RocCurve.rejection_at`` for each row, [R]; infinite where no background passes."""
    passed = mistags_at(x, mistag, efficiency)
    return np.divide(1.0, passed, out=np.full_like(passed, np.inf), where=passed > 0)


def _line(x: float, xs: Floats, ys: Floats, upper: NDArray[np.int64]) -> Floats:
    """ys at x on the line that ends at column ``upper`` of each row."""
    upper = np.clip(upper, 1, xs.shape[1] - 1)
    row = np.arange(len(xs))
    x0, x1, y0, y1 = xs[row, upper - 1], xs[row, upper], ys[row, upper - 1], ys[row, upper]
    share = np.divide(x - x0, x1 - x0, out=np.zeros_like(x0), where=x1 > x0)
    result: Floats = y0 + np.clip(share, 0.0, 1.0) * (y1 - y0)
    return result


def _efficiency(name: str, mistag: float) -> Figure:
    return Figure(
        name,
        f"signal efficiency at {100 * mistag:g}% mistag",
        3,
        lambda curve: curve.efficiency_at(mistag),
        partial(efficiencies_at, mistag),
        lambda curve: mistag,
    )


def rejection_name(efficiency: float) -> str:
    return f"background_rejection_at_{100 * efficiency:.0f}pct_efficiency"


def _rejection(efficiency: float) -> Figure:
    return Figure(
        rejection_name(efficiency),
        f"background rejection at {100 * efficiency:.0f}% efficiency",
        1,
        lambda curve: curve.rejection_at(efficiency),
        partial(rejections_at, efficiency),
        lambda curve: curve.mistag_at(efficiency),
    )


FIGURES: dict[str, Figure] = {
    figure.name: figure
    for figure in (
        Figure(AUC, "AUC", 4, lambda curve: curve.auc, areas),
        _efficiency(EFFICIENCY, WORKING_POINT),
        _efficiency(LOW_EFFICIENCY, LOW_MISTAG),
        *map(_rejection, SIGNAL_EFFICIENCIES),
    )
}
