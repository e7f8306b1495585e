"""Error bands of ROC curves from bootstrap resamples of the jets."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from e2egraph.evaluation.metrics.bootstrap import RESAMPLES, SEED, resample

Floats = NDArray[np.float64]

# Shares of the resamples below either end of a band: one standard deviation of a normal distribution, 15.9% and 84.1%.
BAND = (math.erfc(math.sqrt(0.5)) / 2.0, 1.0 - math.erfc(math.sqrt(0.5)) / 2.0)


def interval(samples: NDArray) -> tuple[Floats, Floats]:
    """Lower and upper end of the central 68% of ``samples`` [R, K] over R, each [K]."""
    low, high = np.quantile(np.asarray(samples, np.float64), BAND, axis=0)
    return low, high


def mistag_samples(
    labels: NDArray,
    scores: NDArray,
    weights: NDArray | None,
    efficiencies: NDArray,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Floats:
    """Mistag rate at signal ``efficiencies`` [K] of S ``scores`` [S, J] in R resamples, [S, R, K].

    ``labels`` [J]: true for signal; ``weights`` [J] or None. Every score sees the same draws, so that ratios and
    differences of two scores' samples have the errors of pairs. InputError as ``metrics.check``.
    """
    at = np.asarray(efficiencies, np.float64)

    def mistags(mistag: Floats, efficiency: Floats) -> Floats:
        # Mirrored, so that level stretches give their left end, as RocCurve.mistag_at does.
        rows = zip(mistag, efficiency, strict=True)
        return np.stack([np.interp(-at, -y[::-1], x[::-1]) for x, y in rows])

    is_signal = np.asarray(labels, bool)
    found = resample(is_signal, np.asarray(scores), weights, {"": mistags}, resamples=resamples, seed=seed)
    return found[""]
