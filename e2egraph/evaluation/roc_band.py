"""Error bands of ROC curves from bootstrap resamples of the jets."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.evaluation.bootstrap import RESAMPLES, SEED, resample
from e2egraph.evaluation.metrics import roc_curve

Floats = NDArray[np.float64]

# Shares of the resamples below either end of a band: one standard deviation of a normal distribution, 15.9% and 84.1%.
BAND = (math.erfc(math.sqrt(0.5)) / 2.0, 1.0 - math.erfc(math.sqrt(0.5)) / 2.0)


@dataclass(frozen=True)
class Band:
    """``efficiency`` of signal at background efficiencies ``mistag``, each [K]; ``low``, ``high``: its central 68%."""

    mistag: Floats
    efficiency: Floats
    low: Floats
    high: Floats


def roc_band(
    labels: NDArray,
    scores: NDArray,
    weights: NDArray | None,
    grid: NDArray,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Band:
    """The ROC curve of ``scores`` [J] at the mistag rates ``grid`` [K], with its band from ``resamples`` of the jets.

    ``labels`` [J]: true for signal; ``weights`` [J] or None. At every point the band holds the central 68% of the
    resampled curves; it is pointwise, not a band for the whole curve. InputError as ``metrics.check``.
    """
    grid = np.asarray(grid, np.float64)
    curve = roc_curve(np.asarray(labels, bool), scores, weights)
    samples = efficiency_samples(labels, np.asarray(scores)[None], weights, grid, resamples, seed)[0]
    low, high = interval(samples)
    return Band(grid, np.interp(grid, curve.mistag, curve.signal_efficiency), low, high)


def interval(samples: NDArray) -> tuple[Floats, Floats]:
    """Lower and upper end of the central 68% of ``samples`` [R, K] over R, each [K]."""
    low, high = np.quantile(np.asarray(samples, np.float64), BAND, axis=0)
    return low, high


def efficiency_samples(
    labels: NDArray,
    scores: NDArray,
    weights: NDArray | None,
    mistags: NDArray,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Floats:
    """Signal efficiency at ``mistags`` [K] of S ``scores`` [S, J] in R resamples, [S, R, K].

    Every score sees the same draws, so that ratios and differences of two scores' samples have the errors of pairs.
    InputError as ``metrics.check``.
    """
    at = np.asarray(mistags, np.float64)

    def efficiencies(mistag: Floats, efficiency: Floats) -> Floats:
        return np.stack([np.interp(at, x, y) for x, y in zip(mistag, efficiency, strict=True)])

    return _samples(labels, scores, weights, efficiencies, resamples, seed)


def mistag_samples(
    labels: NDArray,
    scores: NDArray,
    weights: NDArray | None,
    efficiencies: NDArray,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Floats:
    """Mistag rate at signal ``efficiencies`` [K] of S ``scores`` [S, J] in R resamples, [S, R, K]; as above."""
    at = np.asarray(efficiencies, np.float64)

    def mistags(mistag: Floats, efficiency: Floats) -> Floats:
        # Mirrored, so that level stretches give their left end, as RocCurve.mistag_at does.
        rows = zip(mistag, efficiency, strict=True)
        return np.stack([np.interp(-at, -y[::-1], x[::-1]) for x, y in rows])

    return _samples(labels, scores, weights, mistags, resamples, seed)


def _samples(
    labels: NDArray,
    scores: NDArray,
    weights: NDArray | None,
    function: Callable[[Floats, Floats], Floats],
    resamples: int,
    seed: int,
) -> Floats:
    is_signal = np.asarray(labels, bool)
    found = resample(is_signal, np.asarray(scores), weights, {"": function}, resamples=resamples, seed=seed)
    return found[""]
