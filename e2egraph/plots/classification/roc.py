"""A ROC curve with its error band."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from e2egraph.plots.style import save_titled, with_ratio

if TYPE_CHECKING:
    from e2egraph.evaluation.metrics.roc.band import RocBand


def plot_roc(band: RocBand, name: str, stem: Path, label: str, *, marked: float) -> list[Path]:
    """Background rejection (1/mistag) against signal efficiency with its 68% band, also as a ratio.

    Dotted, and without a band, where too few background jets pass. ``name``: the tagger's; ``marked``: the mistag rate
    of the working point; ``stem``: the path without suffix; ``label`` as ``label_of`` gives it.
    """
    x, mistag, known, drawn = band.efficiency, band.mistag, band.quoted, band.mistag > 0
    with with_ratio() as (figure, axes, ratio):
        rejection = np.divide(1.0, mistag, out=np.full_like(mistag, np.nan), where=drawn)
        (line,) = axes.plot(x[known], rejection[known], label=f"{name} (AUC {band.auc:.4f})", linewidth=2)
        # From the last known point on, so that the two meet.
        rest = drawn & (x <= (x[known].min() if known.any() else 1.0))
        axes.plot(x[rest], rejection[rest], color=line.get_color(), linestyle=":", linewidth=2)
        banded = known & (band.low > 0)
        low, high, middle = band.low[banded], band.high[banded], mistag[banded]
        axes.fill_between(x[banded], 1.0 / high, 1.0 / low, alpha=0.3, linewidth=0, label="68%, bootstrap")
        axes.axhline(1.0 / marked, color="grey", linestyle=":", linewidth=1)
        top = 2.0 * float(np.nanmax(rejection)) if drawn.any() else 10.0
        axes.set(ylabel="Background rejection (1 / mistag rate)", yscale="log", ylim=(1.0, max(top, 10.0)), xlabel="")
        axes.legend(loc="upper right")
        ratio.fill_between(x[banded], middle / high, middle / low, alpha=0.3, linewidth=0)
        ratio.axhline(1.0, color=line.get_color(), linewidth=2)
        ratio.set(xlabel="Signal efficiency", ylabel="Band / curve", xlim=(0.0, 1.0), ylim=(0.5, 1.5))
        return save_titled(figure, axes, stem, label)
