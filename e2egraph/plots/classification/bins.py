"""A tagger in bins of jet quantities: AUC, and what one cut that is common to all jets does in each bin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from e2egraph.plots.style import QUANTITY_TITLES, figure_style, save

# Row of panels → (what, its error, title).
_ROWS = (
    ("auc", "auc_error", "AUC"),
    ("signal_efficiency", "signal_efficiency_error", "Signal efficiency"),
    ("mistag", "mistag_error", "Mistag rate"),
)


def plot_bins(bins: Mapping[str, Sequence[Mapping[str, Any]]], stem: Path, label: str, *, mistag: float) -> list[Path]:
    """A column a quantity, its bins as in ``metrics.json``; bins without figures stay empty.

    ``stem``: path without suffix; ``mistag``: what the common cut gives over all jets.
    """
    with figure_style(18):
        figure = Figure(figsize=(5.5 * len(bins) + 1.0, 12), layout="constrained")
        grid = figure.subplots(len(_ROWS), len(bins), sharex="col", sharey="row", squeeze=False)
        for column, (name, of_quantity) in enumerate(bins.items()):
            for row, (what, error, title) in enumerate(_ROWS):
                axes = grid[row, column]
                _points(axes, of_quantity, what, error)
                if column == 0:
                    axes.set_ylabel(title)
            grid[-1, column].axhline(mistag, color="grey", linestyle=":", linewidth=1)
            grid[-1, column].set_xlabel(QUANTITY_TITLES.get(name, name))
        # Once every column has stretched the common axis.
        grid[-1, 0].set_ylim(bottom=0.0)
        cut = f"cut of {100 * mistag:g}% mistag overall"
        figure.suptitle(
            f"{label}: AUC, and efficiency and mistag rate of the {cut}", x=0.02, ha="left", fontsize="small"
        )
        return save(figure, stem)


def _points(axes: Axes, bins: Sequence[Mapping[str, Any]], what: str, error: str) -> None:
    known = [one for one in bins if one[what] is not None]
    # An error that could not be said is no bar.
    low, high, value, spread = (np.array([one[key] for one in known], float) for key in ("low", "high", what, error))
    if known:
        axes.errorbar((low + high) / 2.0, value, xerr=(high - low) / 2.0, yerr=spread, fmt="o", color="C0")
