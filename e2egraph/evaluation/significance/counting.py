"""Expected jets beyond thresholds of a score, and how many simulated jets each number rests on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.evaluation.metrics.roc.curve import check

Floats = NDArray[np.float64]

# Signal efficiencies that thresholds are taken at. Finer steps would only find fluctuations.
STEPS = 1000


@dataclass(frozen=True)
class Jets:
    """The evaluated jets: ``score``, expected ``yields`` (jets), ``label`` (class) and whether ``is_signal``, all [J].

    ``passes``: which the cuts keep, None without cuts.
    """

    score: Floats
    yields: Floats
    label: NDArray[np.int64]
    is_signal: NDArray[np.bool_]
    passes: NDArray[np.bool_] | None

    def __post_init__(self) -> None:
        """InputError as ``metrics.check``."""
        check(self.is_signal, self.score, self.yields)


@dataclass(frozen=True)
class Yields:
    """Expected ``signal`` and ``background`` jets of K selections, and the background's effective number of jets."""

    signal: Floats
    background: Floats
    effective: Floats


def thresholds(jets: Jets) -> Floats:
    """Scores [K ≤ ``STEPS``], falling, that a first, second, … thousandth of the signal is at or above."""
    order = np.argsort(-jets.score[jets.is_signal], kind="stable")
    score, passed = jets.score[jets.is_signal][order], np.cumsum(jets.yields[jets.is_signal][order])
    wanted = np.arange(1, STEPS + 1) / STEPS * passed[-1] * (1.0 - 1e-12)
    return np.unique(score[np.minimum(np.searchsorted(passed, wanted), len(score) - 1)])[::-1]


def yields_above(jets: Jets, cuts: Floats) -> Yields:
    """Yields of the jets with score ≥ each of the falling ``cuts`` [K]."""
    # The number of a jet's first cut; jets below all of them fall into one more bin, which is dropped.
    first = np.searchsorted(-cuts, -jets.score)

    def beyond(weight: Floats) -> Floats:
        return np.cumsum(np.bincount(first, weight, len(cuts) + 1).astype(np.float64))[:-1]

    return _yields(jets, beyond)


def yields_of(jets: Jets, chosen: NDArray[np.bool_]) -> Yields:
    """Yields of the ``chosen`` jets [J], with K = 1."""
    return _yields(jets, lambda weight: np.array([weight[chosen].sum()]))


def _yields(jets: Jets, total: Callable[[Floats], Floats]) -> Yields:
    """``total``: values [J] of the jets → their sums over each selection [K]."""
    background = jets.yields * ~jets.is_signal
    sums = total(background)
    squares = total(background**2)
    for number in np.unique(jets.label[~jets.is_signal]):
        members = (jets.label == number) & (background > 0)
        if members.any():
            # A class of which no jet passes is not known to be absent: one jet of it belongs to the error.
            squares += np.where(total(members.astype(np.float64)) > 0, 0.0, background[members].mean() ** 2)
    effective = np.divide(sums**2, squares, out=np.zeros_like(sums), where=squares > 0)
    return Yields(total(jets.yields * jets.is_signal), sums, effective)
