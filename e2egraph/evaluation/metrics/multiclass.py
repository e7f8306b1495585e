"""Tasks of more than two classes: each class against the rest, and each pair."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.tagging import TaggingMetrics, tagging_metrics


def one_vs_rest(
    label: NDArray, probabilities: NDArray, classes: Sequence[str], weight: NDArray | None = None
) -> dict[str, TaggingMetrics]:
    """Each class's probability against all other classes; ``label`` [J], ``probabilities`` [J, C].

    InputError names the class, as ``metrics.check``.
    """
    return {
        name: _named(name, label == number, probabilities[:, number], weight) for number, name in enumerate(classes)
    }


def pairwise(
    label: NDArray, probabilities: NDArray, classes: Sequence[str], weight: NDArray | None = None
) -> dict[str, TaggingMetrics]:
    """For each pair "a vs b", a as signal, the score p_a/(p_a + p_b) on the jets of these two classes alone.

    One half where both probabilities vanish. InputError as ``one_vs_rest``.
    """
    result = {}
    for first, second in combinations(range(len(classes)), 2):
        members = (label == first) | (label == second)
        a, b = (np.asarray(probabilities[members, number], np.float64) for number in (first, second))
        score = np.divide(a, a + b, out=np.full(len(a), 0.5), where=~(a + b == 0))
        name = f"{classes[first]} vs {classes[second]}"
        result[name] = _named(name, label[members] == first, score, None if weight is None else weight[members])
    return result


def _named(name: str, is_signal: NDArray, score: NDArray, weight: NDArray | None) -> TaggingMetrics:
    try:
        return tagging_metrics(is_signal, score, weight)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
