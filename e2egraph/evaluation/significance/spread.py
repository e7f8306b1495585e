"""How a significance scan scatters over bootstrap resamples of the jets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.evaluation.metrics.bootstrap import draws
from e2egraph.evaluation.significance.counting import Jets
from e2egraph.evaluation.significance.formulas import asimov_z

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """As in ``results``: ``optimum_error``, ``optimism``, and ``ratio_error`` of the efficiencies at equal mistag.

    None: not finite in every resample, or no cuts. ``absent``: number of each class of which some
    resamples hold nothing of weight → their share of all.
    """

    optimum_error: float | None
    optimism: float | None
    ratio_error: float | None
    absent: dict[int, float]


def resampled(
    jets: Jets,
    cuts: Floats,
    used: NDArray[np.bool_],
    best: int,
    uncertainty: float,
    resamples: int,
    seed: int,
) -> Spread:
    """Spread of the scan of the thresholds ``cuts`` [K], ``best`` of which is the optimum among those ``used`` [K].

    Signal and background jets are drawn again, each as often as they are (``bootstrap.draws``); the yields of every
    class stay those of the analysis, since cross-sections are given, not measured.
    """
    thresholds = cuts[used]
    signal, background = _Above(jets, thresholds, jets.is_signal), _Above(jets, thresholds, ~jets.is_signal)
    unit = np.ones((1, len(jets.score)))
    full = _z(signal.of(unit * jets.yields), background.of(unit * jets.yields), uncertainty)[0]
    optimum = int(used[:best].sum())
    at_optimum, optimism, ratio = [], [], []
    absent = dict.fromkeys(np.unique(jets.label).tolist(), 0)
    for counts in draws(jets.is_signal, resamples, seed):
        drawn = _normalised(counts, jets)
        for number in absent:
            absent[number] += int(np.isnan(drawn[:, jets.label == number]).any(axis=1).sum())
        s, b = signal.of(drawn), background.of(drawn)
        z = _z(s, b, uncertainty)
        at_optimum.append(z[:, optimum])
        chosen = np.where(np.isfinite(z), z, -np.inf).argmax(axis=1)
        optimism.append(z[np.arange(len(z)), chosen] - full[chosen])
        if jets.passes is not None:
            ratio.append(_ratios(drawn, jets, s, b))
    errors = [_spread(at_optimum), _spread(ratio)]
    shift = np.concatenate(optimism)
    missing = {number: count / resamples for number, count in absent.items() if count}
    return Spread(errors[0], float(shift.mean()) if np.isfinite(shift).all() else None, errors[1], missing)


class _Above:
    """Sums over the ``members`` at or above each of the falling ``thresholds`` [K]."""

    def __init__(self, jets: Jets, thresholds: Floats, members: NDArray[np.bool_]) -> None:
        numbers = np.flatnonzero(members)
        self._order = numbers[np.argsort(-jets.score[numbers], kind="stable")]
        self._count = np.searchsorted(-jets.score[self._order], -thresholds, side="right")

    def of(self, values: Floats) -> Floats:
        """``values`` [R, J] → [R, K]."""
        sums = np.zeros((len(values), len(self._order) + 1))
        np.cumsum(values[:, self._order], axis=1, out=sums[:, 1:])
        return sums[:, self._count]


def _normalised(counts: NDArray[np.int64], jets: Jets) -> Floats:
    """Yields of jets drawn ``counts`` [R, J] times, those of each class scaled to what the class has."""
    drawn: Floats = counts * jets.yields
    for number in np.unique(jets.label):
        members = np.flatnonzero(jets.label == number)
        total = drawn[:, members].sum(axis=1, keepdims=True)
        scale = np.divide(jets.yields[members].sum(), total, out=np.full_like(total, np.nan), where=total > 0)
        drawn[:, members] *= scale
    return drawn


def _z(signal: Floats, background: Floats, uncertainty: float) -> Floats:
    """``asimov_z``; NaN where a resample has no background, or no jet with weight."""
    known = (background > 0) & np.isfinite(signal)
    z = asimov_z(np.where(known, signal, 0.0), np.where(known, background, 1.0), uncertainty)
    return np.where(known, z, np.nan)


def _ratios(drawn: Floats, jets: Jets, signal: Floats, background: Floats) -> Floats:
    """Signal efficiency of the score, linear between its thresholds, over that of the cuts at their mistag, [R]."""
    assert jets.passes is not None
    kept = drawn * jets.passes
    totals, passed = [], []
    for members in (jets.is_signal, ~jets.is_signal):
        totals.append(drawn[:, members].sum(axis=1))
        passed.append(kept[:, members].sum(axis=1))
    result = np.full(len(drawn), np.nan)
    for row in range(len(drawn)):
        if passed[0][row] > 0:
            mistags = np.concatenate([[0.0], background[row] / totals[1][row], [1.0]])
            efficiencies = np.concatenate([[0.0], signal[row] / totals[0][row], [1.0]])
            reached = np.interp(passed[1][row] / totals[1][row], mistags, efficiencies)
            result[row] = reached / (passed[0][row] / totals[0][row])
    return result


def _spread(parts: list[Floats]) -> float | None:
    values = np.concatenate(parts) if parts else np.empty(0)
    return float(values.std(ddof=1)) if len(values) > 1 and np.isfinite(values).all() else None
