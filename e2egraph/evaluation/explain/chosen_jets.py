"""Which jets a report shows: the best, the most wrong, and random ones, the same for the same scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BEST, WORST, RANDOM = "best", "worst", "random"

# Of signal and of background each.
BEST_JETS = 4
WORST_JETS = 4
RANDOM_JETS = 4
SEED = 1


@dataclass(frozen=True)
class ChosenJet:
    """``place``: among the scored jets; ``group``: why it was chosen, BEST, WORST or RANDOM."""

    place: int
    group: str


def choose_jets(is_signal: NDArray, score: NDArray) -> list[ChosenJet]:
    """Up to 24 different jets, signal before background in each group, of jets with ``score`` [J].

    Best: signal of highest and background of lowest score; worst: the other way round; of equal scores the jet that
    comes first. Random ones are drawn from those left. Fewer where a class has few jets.
    """
    is_signal, score = np.asarray(is_signal, bool), np.asarray(score, np.float64)
    signal, background = np.flatnonzero(is_signal), np.flatnonzero(~is_signal)
    rising = {True: _by(signal, score), False: _by(background, score)}
    falling = {True: _by(signal, -score), False: _by(background, -score)}
    rng = np.random.default_rng(SEED)
    wanted = [
        (BEST, falling[True], BEST_JETS),
        (BEST, rising[False], BEST_JETS),
        (WORST, rising[True], WORST_JETS),
        (WORST, falling[False], WORST_JETS),
        (RANDOM, rng.permutation(signal), RANDOM_JETS),
        (RANDOM, rng.permutation(background), RANDOM_JETS),
    ]
    return _first_left(wanted)


def choose_by_error(error: NDArray) -> list[ChosenJet]:
    """Up to 24 different jets of J with an ``error`` [J]: those of the smallest, those of the largest, random ones."""
    error = np.asarray(error, np.float64)
    everyone = np.arange(len(error))
    rng = np.random.default_rng(SEED)
    wanted = [
        (BEST, _by(everyone, error), 2 * BEST_JETS),
        (WORST, _by(everyone, -error), 2 * WORST_JETS),
        (RANDOM, rng.permutation(everyone), 2 * RANDOM_JETS),
    ]
    return _first_left(wanted)


def _first_left(wanted: list[tuple[str, NDArray[np.int64], int]]) -> list[ChosenJet]:
    """Of each (group, places in order, number) the first that are not chosen yet."""
    chosen: list[ChosenJet] = []
    for group, places, count in wanted:
        taken = {jet.place for jet in chosen}
        left = [place for place in places.tolist() if place not in taken]
        chosen += [ChosenJet(place, group) for place in left[:count]]
    return chosen


def _by(places: NDArray[np.int64], key: NDArray[np.float64]) -> NDArray[np.int64]:
    return places[np.argsort(key[places], kind="stable")]
