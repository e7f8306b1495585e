"""How far class probabilities can be taken at their word: accuracy, reliability curve, expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.bootstrap import RESAMPLES, SEED, draws
from e2egraph.evaluation.metrics.roc.curve import check, weighted_share

BINS = 15


@dataclass(frozen=True)
class Reliability:
    """One bin of the reliability curve, ``low`` ≤ probability < ``high`` (the last includes 1).

    ``mean_score``, ``signal_fraction`` and its binomial error are None in a bin without weight.
    """

    low: float
    high: float
    jets: int
    mean_score: float | None
    signal_fraction: float | None
    signal_fraction_error: float | None


@dataclass(frozen=True)
class Calibration:
    """``expected_calibration_error``: Σ_b (W_b/W) |signal fraction − mean probability| over bins b of equal width.

    M. Pakdaman Naeini, G. Cooper, M. Hauskrecht, AAAI 2015, for the signal's probability. Never negative, so a finite
    sample lifts it: ``…_if_calibrated`` is what perfectly calibrated probabilities like these would give on average.
    """

    expected_calibration_error: float
    expected_calibration_error_error: float
    expected_calibration_error_if_calibrated: float
    reliability: tuple[Reliability, ...]


def calibration(
    is_signal: NDArray,
    probability: NDArray,
    weight: NDArray | None = None,
    *,
    bins: int = BINS,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Calibration:
    """Of the signal's ``probability`` [J] for the mixture of classes that these jets are; bootstrap error.

    InputError as ``metrics.check``, or for a probability outside [0, 1].
    """
    is_signal, probability = np.asarray(is_signal, bool), np.asarray(probability, np.float64)
    check(is_signal, probability, weight)
    outside = int(((probability < 0) | (probability > 1)).sum())
    if outside:
        raise InputError(f"{outside} of {len(probability)} scores are no probabilities; calibrate softmax outputs.")
    weight = np.ones(len(probability)) if weight is None else np.asarray(weight, np.float64)
    edges = np.linspace(0.0, 1.0, bins + 1)
    bin_of = np.clip(np.digitize(probability, edges) - 1, 0, bins - 1)
    order = np.argsort(bin_of, kind="stable")
    starts = np.flatnonzero(np.diff(bin_of[order], prepend=-1))
    excess = (weight * (is_signal - probability))[order]
    error = [
        np.abs(np.add.reduceat(counts[:, order] * excess, starts, axis=1)).sum(axis=1) / (counts @ weight)
        for counts in draws(is_signal, resamples, seed)
    ]
    variance = np.bincount(bin_of, weight**2 * probability * (1.0 - probability))
    # Mean of |x| for a normal x around zero: σ √(2/π).
    floor = float(np.sqrt(2.0 / np.pi) * np.sqrt(variance).sum() / weight.sum())
    return Calibration(
        expected_calibration_error=float(np.abs(np.add.reduceat(excess, starts)).sum() / weight.sum()),
        expected_calibration_error_error=float(np.concatenate(error).std(ddof=1)),
        expected_calibration_error_if_calibrated=floor,
        reliability=tuple(
            _bin(edges[b], edges[b + 1], *(values[bin_of == b] for values in (is_signal, probability, weight)))
            for b in range(bins)
        ),
    )


def accuracy(label: NDArray, probabilities: NDArray, weight: NDArray | None = None) -> tuple[float, float]:
    """Share of jets whose class [J] has the largest of ``probabilities`` [J, C], and its binomial error."""
    return weighted_share(np.asarray(probabilities).argmax(axis=1) == label, weight)


def _bin(low: float, high: float, is_signal: NDArray, probability: NDArray, weight: NDArray) -> Reliability:
    if weight.sum() <= 0:
        return Reliability(float(low), float(high), len(weight), None, None, None)
    mean = float(np.average(probability, weights=weight))
    return Reliability(float(low), float(high), len(weight), mean, *weighted_share(is_signal, weight))
