"""What a paired comparison finds: figures of each tagger, and differences with errors and p-values."""

from __future__ import annotations

from dataclasses import dataclass

from e2egraph.evaluation.metrics.p_values import PValue


@dataclass(frozen=True)
class Contender:
    """A tagger: the rows of ``JoinedScores.scores`` that are its seeds."""

    name: str
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Standing:
    """One figure of one contender: by seed, mean, spread over seeds (None for one), and the mean's error from the jets.

    All None where fewer than ``ENOUGH_PASSING`` background jets pass the cut of one of the seeds.
    """

    name: str
    figure: str
    seeds: tuple[float | None, ...]
    mean: float | None
    spread: float | None
    error: float | None


@dataclass(frozen=True)
class Difference:
    """One figure of ``name`` minus that of ``reference``, both means over seeds; ``ratio`` likewise divided.

    ``error``: of the difference, from ``error_jets`` and, where known, ``error_seeds``; ``error_bootstrap``: the jets'
    part by the bootstrap, whichever ``method`` ("DeLong" or "bootstrap") gave ``error_jets``. ``p_value``: two-sided,
    by ``error`` in Student's or the normal approximation (never counted in resamples, which could not fall below 1/R);
    ``p_value_jets`` by ``error_jets`` alone. ``opposite_sign``: share of resamples whose difference has not the sign
    of the quoted one, zero counting half. None: not quotable, for a reason among ``PairedResult.limits``.
    """

    name: str
    reference: str
    figure: str
    difference: float
    error: float | None
    error_jets: float | None
    error_seeds: float | None
    error_bootstrap: float | None
    method: str
    p_value: PValue | None
    p_value_jets: PValue | None
    degrees_of_freedom: float | None
    opposite_sign: float
    ratio: float | None
    ratio_error: float | None


@dataclass(frozen=True)
class PairedResult:
    """``standings`` of all contenders and ``differences`` of all but the reference, in the order given.

    ``signal_jets``, ``background_jets``: None where there are no such classes. ``limits``: what could not be said, each
    a sentence.
    """

    reference: str
    jets: int
    signal_jets: int | None
    background_jets: int | None
    weighted: bool
    resamples: int
    seed: int
    standings: tuple[Standing, ...]
    differences: tuple[Difference, ...]
    limits: tuple[str, ...]
