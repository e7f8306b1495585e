"""Error bands of ROC curves from bootstrap resamples of the jets."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.evaluation.metrics.bootstrap import RESAMPLES, SEED, resample
from e2egraph.evaluation.metrics.enough import enough_pass
from e2egraph.evaluation.metrics.roc.curve import effective_number, roc_curve

Floats = NDArray[np.float64]

# Shares of the resamples below either end of a band: one standard deviation of a normal distribution, 15.9% and 84.1%.
BAND = (math.erfc(math.sqrt(0.5)) / 2.0, 1.0 - math.erfc(math.sqrt(0.5)) / 2.0)

# Signal efficiencies of the curve of a single tagger.
EFFICIENCIES = np.linspace(0.01, 1.0, 199)


@dataclass(frozen=True)
class RocBand:
    """``mistag`` [K] at signal ``efficiency`` [K], with the central 68% of the resamples from ``low`` to ``high`` [K].

    ``quoted`` [K]: whether enough background jets pass (``enough.enough_pass``).
    """

    auc: float
    efficiency: Floats
    mistag: Floats
    low: Floats
    high: Floats
    quoted: NDArray[np.bool_]


def roc_band(is_signal: NDArray, score: NDArray, weight: NDArray | None = None) -> RocBand:
    """The curve of ``score`` [J] at ``EFFICIENCIES``. InputError as ``metrics.check``."""
    curve = roc_curve(is_signal, score, weight)
    mistag = np.array([curve.mistag_at(float(efficiency)) for efficiency in EFFICIENCIES])
    low, high = interval(mistag_samples(is_signal, np.asarray(score)[None], weight, EFFICIENCIES)[0])
    members = ~np.asarray(is_signal, bool)
    passing = mistag * effective_number(np.ones(int(members.sum())) if weight is None else weight[members])
    quoted = np.array([enough_pass(jets) for jets in passing.tolist()])
    return RocBand(curve.auc, EFFICIENCIES, mistag, low, high, quoted)


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
