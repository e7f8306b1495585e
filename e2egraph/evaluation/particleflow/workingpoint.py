"""Efficiency where as many candidates are fakes as of another column, by a cut on their probability."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.geometry import Booleans, Floats, Integers


def efficiency_at(
    fake_rate: Floats,
    candidates: tuple[Floats, Booleans, Integers],
    sought: tuple[Floats, Integers],
    draws: NDArray[np.int32],
) -> Floats:
    """Share [1 + R] of what is sought that is found with the lowest cut on the probability at which no larger share of
    the candidates are fakes than ``fake_rate`` [1 + R]; the cut is found again in each resample.

    ``candidates``: probability, whether a fake, and event of each [C]; ``sought``: probability of the candidate at each
    [S], −1 for none, and its event. Without a cut where the fake rate of all candidates is not above ``fake_rate``, or
    where there are none; 0 where no cut reaches it, NaN where nothing is sought or ``fake_rate`` is not finite.
    """
    probability, fake, event = candidates
    order = np.argsort(-probability, kind="stable")
    ranked, fake, event = probability[order], fake[order], event[order]
    # A cut takes all of one probability.
    last = np.append(ranked[1:] != ranked[:-1], True) if len(ranked) else np.empty(0, bool)
    at, at_event = sought
    found = np.full(len(draws), np.nan)
    for row in np.flatnonzero(np.isfinite(fake_rate)):
        drawn = draws[row]
        weight = drawn[event].astype(np.float64)
        taken, wrong = np.cumsum(weight)[last], np.cumsum(weight * fake)[last]
        passes = (wrong <= fake_rate[row] * taken * (1 + 1e-12)) & (taken > 0)
        allowed = np.flatnonzero(passes)
        cut = ranked[last][allowed[-1]] if len(allowed) else np.inf
        if not weight.any() or passes[-1]:
            cut = 0.0
        wanted = drawn[at_event]
        if wanted.any():
            found[row] = wanted[at >= cut].sum() / wanted.sum()
    return found
