"""ROC curves of several taggers on the same jets: background rejection with error bands, and ratios to one of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from e2egraph.plots.style import figure_style, save

if TYPE_CHECKING:
    from e2egraph.evaluation.compare.roc_overlay import OverlayBands

# Colours of the CMS style; with more curves than these, text and bands give way to them.
COLORS, MANY_CURVES = 6, 4
_LINES = ("-", "--", ":")


def plot_roc_overlay(panels: Sequence[tuple[str, OverlayBands]], stem: Path, label: str) -> list[Path]:
    """Side by side for ``panels`` (title of the legend, curves): rejection above, ratios to the reference below.

    ``label`` as ``style.label_of`` gives it; ``stem``: the path without suffix.
    """
    with figure_style():
        figure = Figure(figsize=(9 * len(panels), 10), layout="constrained")
        above, below = figure.subplots(2, len(panels), sharex=True, sharey="row", height_ratios=(3, 1), squeeze=False)
        for place, (title, bands) in enumerate(panels):
            _draw(above[place], below[place], bands, title)
        above[0].set(ylabel="Background rejection", yscale="log", xlim=(0.0, 1.0))
        above[0].set_ylim(bottom=1.0)
        below[0].set(ylabel="Ratio")
        above[0].set_title(label, loc="left", fontsize="small")
        return save(figure, stem)


def _draw(axes: Axes, ratio: Axes, bands: OverlayBands, title: str) -> None:
    x, many = bands.efficiency, len(bands.curves) > MANY_CURVES
    for number, curve in enumerate(bands.curves):
        # After the last colour the same again with broken lines.
        color, line = f"C{number}", _LINES[number // COLORS % len(_LINES)]
        shade = 0.1 if many else 0.25
        axes.plot(x, curve.rejection, line, label=f"{curve.name} (AUC {curve.auc:.4f})", color=color, linewidth=2)
        axes.fill_between(x, curve.rejection_low, curve.rejection_high, color=color, alpha=shade, linewidth=0)
        if number:
            ratio.plot(x, curve.ratio, line, color=color, linewidth=2)
            ratio.fill_between(x, curve.ratio_low, curve.ratio_high, color=color, alpha=shade, linewidth=0)
    ratio.axhline(1.0, color="C0", linestyle=":", linewidth=1.5)
    ratio.set(xlabel="Signal efficiency")
    axes.legend(
        loc="lower left", title=title or None, title_fontsize="x-small", fontsize="xx-small" if many else "small"
    )
