"""Statistical errors by the bootstrap (B. Efron, Ann. Statist. 7 (1979) 1), for all resamples at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from e2egraph.evaluation.metrics.ranked import Ranked
from e2egraph.evaluation.metrics.roc.curve import WORKING_POINT, check
from e2egraph.evaluation.metrics.roc.rows import areas, efficiencies_at

Floats = NDArray[np.float64]
RowFunction = Callable[[Floats, Floats], Floats]

RESAMPLES = 400
SEED = 1

# Numbers in one block of resamples: 32 MB in float64.
_BLOCK = 4_000_000


@dataclass(frozen=True)
class BootstrapSamples:
    """``auc`` [R] and ``signal_efficiency`` [R] (at the working point) of R resamples.

    Resample r draws the same jets for every score of the same jets, so that the spread of the *difference* of two
    models' samples is the error of their difference.
    """

    auc: Floats
    signal_efficiency: Floats

    @property
    def auc_error(self) -> float:
        return float(self.auc.std(ddof=1))

    @property
    def signal_efficiency_error(self) -> float:
        return float(self.signal_efficiency.std(ddof=1))


def bootstrap(
    is_signal: NDArray,
    score: NDArray,
    weight: NDArray | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    mistag: float = WORKING_POINT,
) -> BootstrapSamples:
    """``resample`` of one score for its AUC and its signal efficiency at ``mistag``; arguments [J]."""
    functions: dict[str, RowFunction] = {"auc": areas, "signal_efficiency": partial(efficiencies_at, mistag)}
    samples = resample(is_signal, np.asarray(score)[None], weight, functions, resamples=resamples, seed=seed)
    return BootstrapSamples(samples["auc"][0], samples["signal_efficiency"][0])


def resample(
    is_signal: NDArray,
    scores: NDArray,
    weight: NDArray | None,
    functions: Mapping[str, RowFunction],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> dict[str, Floats]:
    """Each of ``functions`` (as ``RocFigure.of_rows``) for R resamples of the jets of ``scores`` [S, J]: name → [S, R].

    Signal and background jets are drawn again with replacement, each class as often as it is there: stratified,
    because their numbers are chosen, not measured. All scores see the same draws. Jets of one event are drawn apart.
    InputError as ``metrics.check``.
    """
    is_signal = np.asarray(is_signal, bool)
    for score in scores:
        check(is_signal, score, weight)
    ranked = [Ranked.of(np.asarray(score)) for score in scores]
    samples: dict[str, list[list[Floats]]] = {name: [[] for _ in ranked] for name in functions}
    for counts in draws(is_signal, resamples, seed):
        drawn: Floats = counts * (np.float64(1.0) if weight is None else np.asarray(weight, np.float64))
        for number, one in enumerate(ranked):
            mistag, efficiency = one.curves(is_signal, drawn)
            for name, function in functions.items():
                samples[name][number].append(function(mistag, efficiency))
    return {name: np.stack([np.concatenate(parts) for parts in of_scores]) for name, of_scores in samples.items()}


def draws(is_signal: NDArray[np.bool_], resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """How often each jet is drawn, [rows, J], in blocks of resamples; a function of the labels and the seed alone."""
    rng = np.random.default_rng(seed)
    jets = len(is_signal)
    rows = max(1, _BLOCK // jets)
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        counts = np.empty((size, jets), np.int64)
        for members in (np.flatnonzero(is_signal), np.flatnonzero(~is_signal)):
            n = len(members)
            if n == 0:
                continue
            drawn = rng.integers(0, n, (size, n)) + np.arange(size)[:, None] * n
            counts[:, members] = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
        yield counts
