"""Expected significance against the threshold of the score, and the expected jets or events beyond it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from e2egraph.plots.style import figure_style, save

if TYPE_CHECKING:
    from e2egraph.evaluation.significance.results import Significance

# Scores are drawn on a logit axis, which ends before 0 and 1.
_INNERMOST = 1e-6


def plot_significance(
    result: Significance, statistical: NDArray, discovery: float, stem: Path, label: str
) -> list[Path]:
    """Z above, the expected jets or events below; PNG and PDF. ``stem``: the path without suffix; ``label`` as
    ``label_of``.

    ``statistical`` [K]: Z (Asimov) at each threshold of the scan without the background's uncertainty, NaN where too
    few background jets pass; ``discovery``: the Z that counts as one.
    """
    scan = result.scan
    cut, signal, background = (np.array(values) for values in (scan.threshold, scan.signal, scan.background))
    asimov = np.array([np.nan if z is None else z for z in scan.z_asimov])
    exact = np.array([np.nan if z is None else z for z in scan.z_exact])
    x = np.clip(cut, _INNERMOST, 1.0 - _INNERMOST)
    used = np.isfinite(asimov)
    with figure_style():
        figure = Figure(figsize=(10, 11), layout="constrained")
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        percent = f"{100 * result.background_uncertainty:g}%"
        certain = result.background_uncertainty == 0.0
        name = "Asimov" if certain else f"Asimov, {percent} on the background"
        axes.plot(x[used], asimov[used], color="C0", linewidth=2.5, label=name)
        axes.plot(x[used], exact[used], color="C1", linestyle="--", linewidth=2, label="exact")
        if not certain:
            axes.plot(x[used], statistical[used], color="C0", linestyle=":", linewidth=2, label="Asimov, statistical")
        _optimum(axes, result)
        _cuts(axes, result, x, background)
        axes.axhline(discovery, color="grey", linewidth=1)
        if not used.all():
            blind = (x[used].max(), 1.0 - _INNERMOST)
            few = f"too few simulated background {result.counted}"
            axes.axvspan(*blind, color="grey", alpha=0.15, linewidth=0, label=few)
            below.axvspan(*blind, color="grey", alpha=0.15, linewidth=0)
        axes.set(ylabel=r"Expected significance [$\sigma$]", xscale="logit", xlabel="")
        # Room for the legend, and for the line of a discovery where all lies below it.
        highest = float(np.nanmax(statistical)) + (result.optimum_error or 0.0)
        axes.set_ylim(0.0, 1.7 * max(discovery, highest))
        axes.legend(loc="upper left", fontsize="x-small")
        axes.set_title(label, loc="left", fontsize="small")
        axes.set_title(f"{result.luminosity:g} fb$^{{-1}}$", loc="right", fontsize="small")
        below.plot(x, signal, color="C2", linewidth=2, label="signal")
        below.plot(x[background > 0], background[background > 0], color="C3", linewidth=2, label="background")
        below.set(ylabel=result.counted.capitalize(), yscale="log", xlabel="Score threshold")
        if x.min() < x.max():
            below.set_xlim(x.min(), x.max())
        below.legend(fontsize="x-small")
        for one in (axes, below):
            one.minorticks_off()
        return save(figure, stem)


def _optimum(axes: Axes, result: Significance) -> None:
    best = result.optimum
    assert best.threshold is not None and best.z_asimov is not None
    axes.errorbar(
        np.clip(best.threshold, _INNERMOST, 1.0 - _INNERMOST),
        best.z_asimov,
        yerr=result.optimum_error,
        fmt="*",
        color="black",
        markersize=18,
        capsize=5,
        label=f"optimum: {best.z_asimov:.2f}",
    )


def _cuts(axes: Axes, result: Significance, x: NDArray, background: NDArray) -> None:
    """The cuts, at the threshold with their mistag rate."""
    if result.cuts is None or result.cuts.counting.z_asimov is None:
        return
    z = result.cuts.counting.z_asimov
    at = x[int(np.abs(background - result.cuts.counting.background).argmin())]
    axes.plot([at], [z], "s", color="C5", markersize=12, label=f"cuts, at equal mistag rate: {z:.2f}")
