"""Background mass spectra before and after a cut on the score, with their ratio."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from e2egraph.plots.style import QUANTITY_TITLES, draw_banded, outside, save_titled, with_ratio

if TYPE_CHECKING:
    from e2egraph.evaluation.metrics.sculpting import MassSculpting


def plot_sculpting(sculpting: MassSculpting, stem: Path, label: str) -> list[Path]:
    """Shares by mass above, after/before below; of jets beyond the last edge the legend tells. ``stem``: without
    suffix."""
    edges = np.array([edge for edge in sculpting.edges if edge is not None])
    before, before_error, after, after_error = (
        np.array(values)[: len(edges) - 1]
        for values in (sculpting.before, sculpting.before_error, sculpting.after, sculpting.after_error)
    )
    with with_ratio() as (figure, axes, ratio):
        draw_banded(axes, before, before_error, edges, "All background" + outside(1.0 - float(before.sum())))
        share = f"Highest scores, {100 * sculpting.background_efficiency:.2g}%"
        draw_banded(axes, after, after_error, edges, share + outside(1.0 - float(after.sum())))
        axes.set(ylabel="Entries (normalised)", xlabel="")
        axes.set_ylim(bottom=0.0)
        error = "" if sculpting.jensen_shannon_bits_error is None else f" ± {sculpting.jensen_shannon_bits_error:.3f}"
        axes.legend(title=f"JS divergence {sculpting.jensen_shannon_bits:.3f}{error} bits", title_fontsize="x-small")
        drawn = before > 0
        centres, half = (edges[1:] + edges[:-1]) / 2.0, np.diff(edges) / 2.0
        ratio.errorbar(
            centres[drawn],
            after[drawn] / before[drawn],
            yerr=after_error[drawn] / before[drawn],
            xerr=half[drawn],
            fmt="o",
            color="C1",
        )
        ratio.axhline(1.0, color="grey", linestyle=":", linewidth=1)
        ratio.set(
            xlabel=QUANTITY_TITLES.get(sculpting.variable, sculpting.variable), ylabel="Ratio", xlim=edges[[0, -1]]
        )
        ratio.set_ylim(bottom=0.0)
        return save_titled(figure, axes, stem, label)
