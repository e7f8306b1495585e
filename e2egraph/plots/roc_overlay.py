"""ROC curves of several taggers on the same jets: background rejection with error bands, and ratios to one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mplhep
import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.evaluation.compare.joined import JoinedScores
from e2egraph.evaluation.compare.paired import Contender
from e2egraph.evaluation.metrics.bootstrap import RESAMPLES, SEED
from e2egraph.evaluation.metrics.figures import enough_pass
from e2egraph.evaluation.metrics.roc import effective_number, roc_curve
from e2egraph.plots.roc_band import interval, mistag_samples
from e2egraph.plots.scores import save

Floats = NDArray[np.float64]

# Colours of the CMS style; with more curves than these, text and bands give way to them.
COLORS, MANY_CURVES = 6, 4
_LINES = ("-", "--", ":")

# Signal efficiencies drawn.
GRID = np.linspace(0.05, 1.0, 96)


@dataclass(frozen=True)
class OverlayCurve:
    """One tagger at the signal efficiencies ``OverlayBands.efficiency``, each [K].

    ``rejection``: 1 / mistag of the mean over seeds; ``ratio``: divided by that of the reference. ``…_low``,
    ``…_high``: central 68% of the resamples, which draw the same jets for every tagger. NaN where too few background
    jets pass (``figures.enough_pass``), of the tagger or, for ratios, of either.
    """

    name: str
    auc: float
    rejection: Floats
    rejection_low: Floats
    rejection_high: Floats
    ratio: Floats
    ratio_low: Floats
    ratio_high: Floats


@dataclass(frozen=True)
class OverlayBands:
    """``curves``: the reference first."""

    efficiency: Floats
    curves: tuple[OverlayCurve, ...]


def overlay_bands(
    jets: JoinedScores,
    contenders: Sequence[Contender],
    reference: int = 0,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> OverlayBands:
    """Curves of ``contenders`` (each the mean over its seeds, of the mistag at equal signal efficiency) with bands.

    InputError: no contenders, or as ``metrics.check``.
    """
    if not contenders:
        raise InputError("there are no curves to draw; name at least one run.")
    weight = np.ones(len(jets.is_signal)) if jets.weight is None else jets.weight
    background = effective_number(weight[~jets.is_signal])
    drawn = mistag_samples(jets.is_signal, jets.scores, jets.weight, GRID, resamples, seed)
    curves = [roc_curve(jets.is_signal, score, jets.weight) for score in jets.scores]
    values = np.array([[curve.mistag_at(float(x)) for x in GRID] for curve in curves])
    means = [values[list(one.rows)].mean(axis=0) for one in contenders]
    samples = [drawn[list(one.rows)].mean(axis=0) for one in contenders]
    enough = [np.array([enough_pass(jets) for jets in (mean * background).tolist()]) for mean in means]
    order = [reference, *(number for number in range(len(contenders)) if number != reference)]
    made = []
    for number in order:
        both = enough[number] & enough[reference]
        rejection = _with_band(np.ones_like(GRID), means[number], np.ones((1, 1)), samples[number], enough[number])
        ratio = _with_band(means[reference], means[number], samples[reference], samples[number], both)
        auc = float(np.mean([curves[row].auc for row in contenders[number].rows]))
        made.append(OverlayCurve(contenders[number].name, auc, *rejection, *ratio))
    return OverlayBands(GRID, tuple(made))


def plot_roc_overlay(panels: Sequence[tuple[str, OverlayBands]], stem: Path, label: str) -> list[Path]:
    """Beside each other for ``panels`` (title of the legend, curves): rejection above, ratios to the reference below.

    ``label`` as ``plots.label_of`` gives it; ``stem``: the path without suffix.
    """
    with style.context(mplhep.style.CMS):
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


def _with_band(
    above: Floats, below: Floats, above_samples: Floats, below_samples: Floats, enough: NDArray[np.bool_]
) -> tuple[Floats, Floats, Floats]:
    """above / below [K] with the interval of the same of the samples [R, K]; NaN where not ``enough``."""
    safe = np.where(enough & (below > 0), below, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        samples = np.broadcast_to(above_samples, below_samples.shape) / below_samples
    # A resample may leave no background at all; it then counts as the largest ratio there is.
    low, high = interval(np.nan_to_num(samples, nan=1.0, posinf=np.finfo(np.float64).max))
    value: Floats = above / safe
    return value, np.where(np.isnan(value), np.nan, low), np.where(np.isnan(value), np.nan, high)
