"""Order-free randomness: a hash of an event's or jet's identity decides its split and whether resampling keeps it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_INCREMENT = np.uint64(0x9E3779B97F4A7C15)
_FACTOR_1 = np.uint64(0xBF58476D1CE4E5B9)
_FACTOR_2 = np.uint64(0x94D049BB133111EB)


def hash_unit(salt: int, *identity: ArrayLike) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1) that depend on ``salt`` and the integers of ``identity`` (each [J]) alone.

    SplitMix64's finaliser (Steele, Lea, Flood, OOPSLA 2014, §4.3), chained over the integers; the top 53 bits fill a
    float64.
    """
    state: NDArray[np.uint64] = np.asarray(salt, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for integers in identity:
            state = _mix(state + _INCREMENT + np.asarray(integers).astype(np.uint64))
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * _FACTOR_1
    state = (state ^ (state >> np.uint64(27))) * _FACTOR_2
    return state ^ (state >> np.uint64(31))
