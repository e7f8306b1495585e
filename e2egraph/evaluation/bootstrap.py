"""Statistical errors by the bootstrap (B. Efron, Ann. Statist. 7 (1979) 1), for all resamples at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.evaluation.metrics import WORKING_POINT, check

Floats = NDArray[np.float64]

RESAMPLES = 400
SEED = 1

# Numbers in one block of resamples: 32 MB in float64.
_BLOCK = 4_000_000


@dataclass(frozen=True)
class BootstrapSamples:
    """``auc`` [R] and ``signal_efficiency`` [R] (at the working point) of R resamples.

    Resample r draws the same jets for every score of the same jets, so that the spread of the *difference* of two
    models' samples is the error of their difference.
    """

    auc: Floats
    signal_efficiency: Floats

    @property
    def auc_error(self) -> float:
        return float(self.auc.std(ddof=1))

    @property
    def signal_efficiency_error(self) -> float:
        return float(self.signal_efficiency.std(ddof=1))


def bootstrap(
    is_signal: NDArray,
    score: NDArray,
    weight: NDArray | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    mistag: float = WORKING_POINT,
) -> BootstrapSamples:
    """Draw signal and background jets again with replacement, each class as often as it is there; arguments [J].

    Stratified, because the numbers of signal and background jets are chosen, not measured. InputError as ``roc_curve``.
    """
    is_signal = np.asarray(is_signal, bool)
    check(is_signal, score, weight)
    weight = np.ones(len(score)) if weight is None else np.asarray(weight, np.float64)
    order = np.argsort(-np.asarray(score, np.float64), kind="stable")
    ranked = np.asarray(score)[order]
    # Jets of equal score pass a cut together: they are one step of the curve.
    steps = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    auc, efficiency = [], []
    for counts in _draws(is_signal, resamples, seed):
        drawn = (counts * weight)[:, order]
        signal = _curve(np.where(is_signal[order], drawn, 0.0), steps)
        background = _curve(np.where(is_signal[order], 0.0, drawn), steps)
        auc.append(np.sum(np.diff(background, axis=1) * (signal[:, 1:] + signal[:, :-1]) / 2.0, axis=1))
        efficiency.append(_interpolate(mistag, background, signal))
    return BootstrapSamples(np.concatenate(auc), np.concatenate(efficiency))


def _draws(is_signal: NDArray[np.bool_], resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """How often each jet is drawn, [rows, J], in blocks of resamples; a function of the labels and the seed alone."""
    rng = np.random.default_rng(seed)
    jets = len(is_signal)
    rows = max(1, _BLOCK // jets)
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        counts = np.empty((size, jets), np.int64)
        for members in (np.flatnonzero(is_signal), np.flatnonzero(~is_signal)):
            n = len(members)
            drawn = rng.integers(0, n, (size, n)) + np.arange(size)[:, None] * n
            counts[:, members] = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
        yield counts


def _curve(weights: Floats, steps: NDArray[np.int64]) -> Floats:
    """Efficiency after each step, beginning with 0, [rows, steps + 1]. NaN-free only if every row has weight."""
    passed = np.cumsum(np.add.reduceat(weights, steps, axis=1), axis=1)
    total = passed[:, -1:]
    # A resample can draw weightless jets only; such a row says nothing and its efficiency is taken as 0.
    efficiency = np.divide(passed, total, out=np.zeros_like(passed), where=total > 0)
    return np.pad(efficiency, ((0, 0), (1, 0)))


def _interpolate(x: float, xs: Floats, ys: Floats) -> Floats:
    """``np.interp(x, xs[r], ys[r])`` for each row of non-decreasing xs, the upper end on vertical steps, [rows]."""
    last = np.minimum((xs <= x).sum(axis=1) - 1, xs.shape[1] - 2)
    row = np.arange(len(xs))
    x0, x1, y0, y1 = xs[row, last], xs[row, last + 1], ys[row, last], ys[row, last + 1]
    share = np.divide(x - x0, x1 - x0, out=np.zeros_like(x0), where=x1 > x0)
    result: Floats = y0 + share * (y1 - y0)
    return result
