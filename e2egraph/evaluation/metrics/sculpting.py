"""Sculpting: how a cut on the score bends the jet-mass spectrum of the background that passes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.bootstrap import RESAMPLES, SEED, draws
from e2egraph.evaluation.metrics.common_cut import cut_at
from e2egraph.evaluation.metrics.enough import ENOUGH_JETS
from e2egraph.evaluation.metrics.ranked import Ranked
from e2egraph.tasks.objects.naming import ANY_OBJECT, ObjectName

Floats = NDArray[np.float64]

BACKGROUND_EFFICIENCY = 0.1

# [GeV]; 30 bins of 10 GeV and one of all jets above, the last edge infinite. Jets below zero count in the first bin.
MASS_EDGES = np.append(np.linspace(0.0, 300.0, 31), np.inf)


@dataclass(frozen=True)
class MassSculpting:
    """Background jets' ``variable`` [GeV] before and after the cut that ``background_efficiency`` of them pass.

    ``before``, ``after`` [K]: shares of 1 in bins ``edges`` [K + 1] (None: infinity), with errors √Σw² as shares.
    ``jensen_shannon_bits``: the Jensen–Shannon divergence of the two, base 2 (J. Lin, IEEE Trans. Inf. Theory 37 (1991)
    145), 0 for no sculpting; jets that pass are in both, so that it stays below 1. ``…_error``: bootstrap, the cut made
    again in each resample (None where that leaves no jet). A finite sample lifts the divergence: ``…_unsculpted`` and
    ``…_unsculpted_spread`` are mean and scatter of what cuts that know nothing of the mass give. ``limit``: a
    shortcoming as a sentence.
    """

    variable: str
    background_efficiency: float
    background_jets: int
    passing_jets: int
    edges: tuple[float | None, ...]
    before: tuple[float, ...]
    before_error: tuple[float, ...]
    after: tuple[float, ...]
    after_error: tuple[float, ...]
    jensen_shannon_bits: float
    jensen_shannon_bits_error: float | None
    jensen_shannon_bits_unsculpted: float
    jensen_shannon_bits_unsculpted_spread: float
    limit: str | None


def mass_sculpting(
    mass: NDArray,
    score: NDArray,
    weight: NDArray | None = None,
    *,
    variable: str = "softdrop_mass",
    efficiency: float = BACKGROUND_EFFICIENCY,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    objects: ObjectName = ANY_OBJECT,
) -> MassSculpting:
    """Sculpting of the masses [J] of background jets with ``score`` [J]; at most a share ``efficiency`` passes.
    ``objects``: what a limit calls the jets.

    InputError: no jets, a mass, score or weight that is not finite, a negative weight, no weight, or more than
    ``efficiency`` of the jets sharing the highest score, or too few jets for that.
    """
    mass, score = np.asarray(mass, np.float64), np.asarray(score, np.float64)
    weight = np.ones(len(mass)) if weight is None else np.asarray(weight, np.float64)
    _check(mass, score, weight, variable)
    cut = cut_at(efficiency, score, weight)
    passing = score >= cut
    if not weight[passing].sum() > 0:
        highest = weight[score == score.max()]
        if len(highest) == 1:
            raise InputError(
                f"{objects.count(len(mass))} of background are too few to let {100 * efficiency:g}% of them pass: the "
                "one of highest score alone is more; evaluate more."
            )
        raise InputError(
            f"no cut on the score leaves at most {100 * efficiency:g}% of the background: its highest score is shared "
            "by more; train further, or with another seed."
        )
    bin_of = np.clip(np.digitize(mass, MASS_EDGES) - 1, 0, len(MASS_EDGES) - 2)
    before, before_error = _shares(bin_of, weight)
    after, after_error = _shares(bin_of[passing], weight[passing])
    resampled = _resampled(bin_of, score, weight, efficiency, resamples, seed)
    unsculpted = _of_blind_cuts(bin_of, weight, passing, resamples, seed)
    few = int(passing.sum())
    return MassSculpting(
        variable=variable,
        background_efficiency=float(weight[passing].sum() / weight.sum()),
        background_jets=len(mass),
        passing_jets=few,
        # Infinity is no JSON.
        edges=tuple(float(edge) if np.isfinite(edge) else None for edge in MASS_EDGES),
        before=tuple(before),
        before_error=tuple(before_error),
        after=tuple(after),
        after_error=tuple(after_error),
        jensen_shannon_bits=float(divergence(before, after)),
        jensen_shannon_bits_error=None if resampled is None else float(resampled.std(ddof=1)),
        jensen_shannon_bits_unsculpted=float(unsculpted.mean()),
        jensen_shannon_bits_unsculpted_spread=float(unsculpted.std(ddof=1)),
        limit=None
        if few >= ENOUGH_JETS
        else f"only {few} background {objects.many} pass the cut of the {variable} spectrum",
    )


def divergence(p: Floats, q: Floats) -> Floats:
    """Jensen–Shannon divergence [bits] of shares p and q over their last axis, H((p+q)/2) − (H(p)+H(q))/2."""
    result: Floats = _entropy((p + q) / 2.0) - (_entropy(p) + _entropy(q)) / 2.0
    # Rounding can take that of equal shares below zero.
    return np.maximum(result, 0.0)


def _entropy(p: Floats) -> Floats:
    return -np.sum(p * np.log2(p, out=np.zeros_like(p), where=p > 0), axis=-1)


def _shares(bin_of: NDArray[np.int64], weight: Floats) -> tuple[Floats, Floats]:
    bins = len(MASS_EDGES) - 1
    total = weight.sum()
    squares = np.bincount(bin_of, weight**2, bins)
    return np.bincount(bin_of, weight, bins) / total, np.sqrt(squares) / total


def _resampled(
    bin_of: NDArray[np.int64], score: Floats, weight: Floats, efficiency: float, resamples: int, seed: int
) -> Floats | None:
    """Divergence of each resample, [R]; None if one of them has no jet of weight that passes."""
    ranked = Ranked.of(score)
    in_bin = np.eye(len(MASS_EDGES) - 1)[bin_of[ranked.order]]
    result = []
    for counts in draws(np.zeros(len(score), bool), resamples, seed):
        drawn = (counts * weight)[:, ranked.order]
        passes = np.arange(len(score)) < ranked.passing(drawn, efficiency)[:, None]
        before, after = drawn @ in_bin, (drawn * passes) @ in_bin
        total, left = before.sum(axis=1, keepdims=True), after.sum(axis=1, keepdims=True)
        if not (left > 0).all():
            return None
        result.append(divergence(before / total, after / left))
    return np.concatenate(result)


def _of_blind_cuts(
    bin_of: NDArray[np.int64], weight: Floats, passing: NDArray[np.bool_], resamples: int, seed: int
) -> Floats:
    """Divergence of as many jets chosen at random, [R]."""
    rng = np.random.default_rng(seed)
    before, _ = _shares(bin_of, weight)
    result = []
    for _ in range(resamples):
        chosen = rng.permutation(passing)
        after = _shares(bin_of[chosen], weight[chosen])[0] if weight[chosen].sum() > 0 else before
        result.append(divergence(before, after))
    return np.array(result)


def _check(mass: Floats, score: Floats, weight: Floats, variable: str) -> None:
    if len(mass) == 0:
        raise InputError(
            "there are no background objects to find a mass sculpted of; choose another split or data set."
        )
    for name, values in ((variable, mass), ("score", score), ("weight", weight)):
        bad = int((~np.isfinite(values)).sum())
        if bad:
            raise InputError(
                f"{bad} of {len(values)} background objects have a {name} that is not finite; correct them."
            )
    if (weight < 0).any() or not weight.sum() > 0:
        raise InputError("a background weight is negative or all are zero; correct the weights of the data set.")
