"""ROC curves of several taggers on the same jets: rejections with error bands, and ratios to one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.evaluation.compare.joined import JoinedScores
from e2egraph.evaluation.compare.paired_result import Contender
from e2egraph.evaluation.metrics.bootstrap import RESAMPLES, SEED
from e2egraph.evaluation.metrics.enough import enough_pass
from e2egraph.evaluation.metrics.roc.band import interval, mistag_samples
from e2egraph.evaluation.metrics.roc.curve import effective_number, roc_curve

Floats = NDArray[np.float64]

# Signal efficiencies of the curves.
GRID = np.linspace(0.05, 1.0, 96)


@dataclass(frozen=True)
class OverlayCurve:
    """One tagger at the signal efficiencies ``OverlayBands.efficiency``, each [K].

    ``rejection``: 1 / mistag of the mean over seeds; ``ratio``: divided by that of the reference. ``…_low``,
    ``…_high``: central 68% of the resamples, which draw the same jets for every tagger. NaN where too few background
    jets pass (``enough.enough_pass``), of the tagger or, for ratios, of either.
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
