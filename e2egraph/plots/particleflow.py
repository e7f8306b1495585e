"""Figures of particle flow: response and resolution of jets against pT, a line for each column."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FixedLocator, NullFormatter, ScalarFormatter
from numpy.typing import NDArray

from e2egraph.plots.style import label_of, one_panel, save

if TYPE_CHECKING:
    from e2egraph.evaluation.particleflow.figures import Comparison

_RATIO = r"$p_\mathrm{T}^\mathrm{reco}/p_\mathrm{T}^\mathrm{gen}$"


@dataclass(frozen=True)
class _Shown:
    """A figure: ``part`` and ``quantity`` against pT, in the file ``stem``; a ``band`` of so much around 1."""

    part: str
    quantity: str
    stem: str
    title: str
    caption: str
    band: float | None = None


_SHOWN = (
    _Shown("jets", "resolution", "jet_resolution", f"half width of {_RATIO} over its median", "Resolution of jets"),
    _Shown("jets", "median response", "jet_response", f"median of {_RATIO}", "Response of jets; band: 3% around 1",
           0.03),
    _Shown("jets", "efficiency", "jet_efficiency", "share of generated jets found", "Efficiency of jets"),
    _Shown("jets", "fake rate", "jet_fakes", "share of jets without a generated one", "Fake rate of jets"),
    _Shown("calibration of jets", "median response after", "jet_response_calibrated", f"median of calibrated {_RATIO}",
           "Response of jets after calibration; band: 1% around 1", 0.01),
    _Shown("calibration of jets", "resolution after", "jet_resolution_calibrated",
           f"half width of calibrated {_RATIO} over its median", "Resolution of jets after calibration"),
)  # fmt: skip


def jet_figures(folder: Path, comparison: Comparison, runs: NDArray) -> dict[str, dict[str, tuple[str, str]]]:
    """One figure for each quantity of jets that there is: part → file without suffix → caption and what it shows."""
    drawn: dict[str, dict[str, tuple[str, str]]] = {}
    for shown in _SHOWN:
        figures = [each for each in comparison.figures if (each.part, each.quantity) == (shown.part, shown.quantity)]
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
                r"generated jet $p_\mathrm{T}$ [GeV]" if shown.quantity != "fake rate" else r"jet $p_\mathrm{T}$ [GeV]"
            )
            axes.set_ylabel(shown.title)
            if shown.band is not None:
                axes.axhspan(1 - shown.band, 1 + shown.band, color="0.9", zorder=0)
            low, high = axes.get_ylim()
            axes.set_ylim(low, high + (0.09 + 0.055 * len(comparison.columns)) * (high - low) * 1.4)
            axes.legend(title=label_of(runs), loc="upper right")
            save(figure, folder / shown.stem)
        said = (
            shown.caption,
            f"{shown.quantity} against pT of jets, a line for each of {', '.join(comparison.columns)}",
        )
        drawn.setdefault(shown.part, {})[shown.stem] = said
    return drawn
