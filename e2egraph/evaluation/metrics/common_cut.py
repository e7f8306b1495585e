"""One cut on the score that a given share of the objects passes, and what it does when the sample is drawn again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from e2egraph.evaluation.metrics.bootstrap import RESAMPLES, SEED, draws
from e2egraph.evaluation.metrics.ranked import ROUNDING, Ranked

Floats = NDArray[np.float64]


def cut_at(efficiency: float, score: NDArray, weight: NDArray) -> float:
    """The loosest cut (score ≥ cut) that at most a share ``efficiency`` of the jets' weight passes; each [J].

    Infinite where the highest score alone is shared by more.
    """
    ranked = Ranked.of(score)
    passed = np.cumsum(np.asarray(weight, np.float64)[ranked.order])
    allowed = np.flatnonzero(passed[ranked.ends] <= efficiency * passed[-1] * ROUNDING)
    return float(ranked.falling[ranked.ends[allowed[-1]]]) if len(allowed) else float("inf")


def resampled_shares(
    is_signal: NDArray[np.bool_],
    score: NDArray,
    weight: Floats,
    members: NDArray[np.bool_],
    efficiency: float,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> tuple[Floats, Floats]:
    """Shares of the signal and of the background of each group that pass the cut which at most a share ``efficiency``
    of all background passes, [R, K] each, with the cut made again in each of R resamples (``bootstrap.draws``).

    ``is_signal``, ``score``, ``weight`` [J]; ``members`` [J, K]: whether an object is in a group. NaN where a resample
    has no weight of a class in a group.
    """
    signal, background = np.flatnonzero(is_signal), np.flatnonzero(~is_signal)
    ranked = {True: Ranked.of(score[signal]), False: Ranked.of(score[background])}
    places = {True: signal[ranked[True].order], False: background[ranked[False].order]}
    groups = {of: members[order].astype(np.float64) for of, order in places.items()}
    weights = {of: np.asarray(weight, np.float64)[order] for of, order in places.items()}
    found: dict[bool, list[Floats]] = {True: [], False: []}
    for counts in draws(is_signal, resamples, seed):
        drawn = {of: counts[:, order] * weights[of] for of, order in places.items()}
        passing = {False: ranked[False].passing(drawn[False], efficiency)}
        # The cut is the score of a background object; signal of that score passes.
        cut = np.append(np.inf, ranked[False].falling)[passing[False]]
        passing[True] = np.searchsorted(-ranked[True].falling, -cut, side="right")
        for of, count in passing.items():
            most = int(count.max(initial=0))
            kept = np.where(np.arange(most) < count[:, None], drawn[of][:, :most], 0.0)
            with np.errstate(invalid="ignore"):
                found[of].append((kept @ groups[of][:most]) / (drawn[of] @ groups[of]))
    return np.concatenate(found[True]), np.concatenate(found[False])
