"""Quantiles and their errors over resamples of events: all columns see the same draws, so that differences are
paired."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.geometry import Floats, Integers

SEED = 1

# (part, quantity, bin, values over resamples, number)
Add = Callable[[str, str, str, np.ndarray, int], None]

# Half the central 68%, of a Gaussian its standard deviation.
LOW, MIDDLE, HIGH = 0.16, 0.5, 0.84


def event_draws(events: int, resamples: int, seed: int = SEED) -> NDArray[np.int32]:
    """How often each event is drawn, [1 + R, E]; the first row is the sample itself, each event once."""
    rng = np.random.default_rng(seed)
    counts = np.ones((1 + resamples, events), np.int32)
    for row in range(resamples):
        counts[1 + row] = np.bincount(rng.integers(0, events, events), minlength=events)
    return counts


def quantiles(values: Floats, event: Integers, draws: NDArray[np.int32]) -> Floats:
    """The quantiles ``LOW``, ``MIDDLE`` and ``HIGH`` [1 + R, 3] of ``values`` [N] of the events ``event`` [N]; NaN
    where a resample has none."""
    if len(values) == 0:
        return np.full((len(draws), 3), np.nan)
    order = np.argsort(values, kind="stable")
    ranked, of_event = values[order], event[order]
    found = np.full((len(draws), 3), np.nan)
    at = np.array([LOW, MIDDLE, HIGH])
    for row, drawn in enumerate(draws):
        below = np.cumsum(drawn[of_event], dtype=np.int64)
        if not (total := below[-1]):
            continue
        # Of the resample written out, NumPy's "hazen": linear between the values around rank q n + 1/2.
        rank = np.clip(at * total + 0.5, 1.0, total)
        first = np.floor(rank)
        lower, upper = (ranked[np.searchsorted(below, np.minimum(each, total))] for each in (first, first + 1.0))
        found[row] = lower + (rank - first) * (upper - lower)
    return found


def relative_width(found: Floats) -> Floats:
    """Half the central 68% over the median, of ``quantiles`` [..., 3]."""
    return 0.5 * (found[..., 2] - found[..., 0]) / found[..., 1]


def half_width(found: Floats) -> Floats:
    """Half the central 68%."""
    return 0.5 * (found[..., 2] - found[..., 0])


def shares(passed: NDArray[np.bool_], event: Integers, draws: NDArray[np.int32]) -> Floats:
    """Share [1 + R] of members (``event`` [N]) that ``passed`` [N]; NaN where a resample has none."""
    size = draws.shape[1]
    total = draws @ np.bincount(event, minlength=size)
    good = draws @ np.bincount(event[passed], minlength=size)
    return np.where(total > 0, good / np.maximum(total, 1), np.nan)


def error(samples: Floats) -> float:
    """Spread over the resamples of a figure [1 + R]; NaN with fewer than two."""
    drawn = samples[1:][np.isfinite(samples[1:])]
    return float(drawn.std(ddof=1)) if len(drawn) > 1 else float("nan")


def finite(value: Any) -> Any:
    """``value``, or None where it is a number that is not finite, which JSON does not have."""
    return None if isinstance(value, float) and not np.isfinite(value) else value
