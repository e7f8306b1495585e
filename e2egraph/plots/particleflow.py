"""Figures of particle flow: response and resolution of jets against pT, a line for each column."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FixedLocator, NullFormatter, ScalarFormatter
from numpy.typing import NDArray

from e2egraph.plots.style import label_of, one_panel, save

if TYPE_CHECKING:
    from e2egraph.evaluation.particleflow.compare import Comparison

# Quantity of jets → name of the file, title of the axis.
_SHOWN = {
    "resolution": (
        "jet_resolution",
        r"half width of $p_\mathrm{T}^\mathrm{reco}/p_\mathrm{T}^\mathrm{gen}$ over its median",
    ),
    "median response": ("jet_response", r"median of $p_\mathrm{T}^\mathrm{reco}/p_\mathrm{T}^\mathrm{gen}$"),
    "efficiency": ("jet_efficiency", "share of generated jets found"),
    "fake rate": ("jet_fakes", "share of jets without a generated one"),
}


def jet_figures(folder: Path, comparison: Comparison, runs: NDArray) -> list[Path]:
    """One figure for each quantity of jets; their paths."""
    written = []
    for quantity, (name, title) in _SHOWN.items():
        figures = [each for each in comparison.figures if (each.part, each.quantity) == ("jets", quantity)]
        bins = list(dict.fromkeys(each.bin for each in figures))
        if not bins:
            continue
        edges = np.array([[float(edge) for edge in where.removesuffix(" GeV").split("-")] for where in bins])
        centres = np.sqrt(edges[:, 0] * edges[:, 1])
        with one_panel() as (figure, axes):
            for shift, column in enumerate(comparison.columns):
                own = {each.bin: each for each in figures if each.column == column}
                values = [own[where].value if where in own else np.nan for where in bins]
                errors = [own[where].error if where in own else np.nan for where in bins]
                # Side by side, so that error bars do not hide one another.
                places = centres * 1.02 ** (shift - 0.5 * len(comparison.columns))
                axes.errorbar(places, values, yerr=errors, fmt="o-", capsize=3, label=column)
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(FixedLocator([20, 30, 50, 100, 200, 500, 1000]))
            axes.xaxis.set_major_formatter(ScalarFormatter())
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set_xlabel(
                r"generated jet $p_\mathrm{T}$ [GeV]" if quantity != "fake rate" else r"jet $p_\mathrm{T}$ [GeV]"
            )
            axes.set_ylabel(title)
            axes.legend(title=label_of(runs))
            written += save(figure, folder / name)
    return written
