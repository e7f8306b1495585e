"""Differences between taggers on the same jets, with errors that know that the jets are the same.

Errors have two parts. *Jets*: how the difference would scatter on other test jets, for the networks as they are;
DeLong's for AUCs without weights, else the spread over paired bootstrap resamples (every score sees the same draws).
*Seeds*: how the mean over seeds would scatter with other seeds (``metrics/seeds.py``); known only where both have at
least two. Without the seeds' part the p-value is normal, and holds for these networks only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.evaluation.compare.joined import JoinedScores
from e2egraph.evaluation.compare.paired_result import Contender, Difference, PairedResult, Standing
from e2egraph.evaluation.metrics.bootstrap import SEED, resample
from e2egraph.evaluation.metrics.enough import ENOUGH_JETS, ENOUGH_PASSING, enough_pass, too_few
from e2egraph.evaluation.metrics.figures import AUC
from e2egraph.evaluation.metrics.p_values import student_p_value
from e2egraph.evaluation.metrics.registry import FIGURES
from e2egraph.evaluation.metrics.roc.curve import effective_number, roc_curve
from e2egraph.evaluation.metrics.roc.delong import delong, p_value_of
from e2egraph.evaluation.metrics.seeds import SeedsPart, seeds_part, whole_error
from e2egraph.tasks.objects.naming import ANY_OBJECT, ObjectName

Floats = NDArray[np.float64]

RESAMPLES = 1000


@dataclass(frozen=True)
class Measured:
    """A figure of S scores of the same jets: ``values`` [S], ``samples`` [S, R] in paired bootstrap resamples.

    ``passing`` [S]: background jets beyond the cut it depends on (None: it depends on none), with ``too_few`` (name →
    number) to say that they are too few. ``covariance`` [S, S]: of the values by the analytic ``method``, where there
    is one. ``has_ratio``: whether a ratio of two values says something.
    """

    name: str
    values: Floats
    samples: Floats
    passing: Floats | None = None
    too_few: Callable[[Mapping[str, float]], str] | None = None
    covariance: Floats | None = None
    method: str = "bootstrap"
    has_ratio: bool = True

    def least_passing(self, contender: Contender) -> float:
        """Background jets that pass the cut of the seed with the fewest; infinite for a figure without a cut."""
        return math.inf if self.passing is None else float(self.passing[list(contender.rows)].min())

    def means(self, contender: Contender) -> Floats:
        """The mean over seeds in each resample, [R]."""
        return self.samples[list(contender.rows)].mean(axis=0)

    def analytic_error(self, coefficients: Floats) -> float | None:
        """Standard error of Σ c_s value_s by the analytic method; None without one."""
        if self.covariance is None:
            return None
        # Rounding can take the variance of a difference of equal scores just below zero.
        return math.sqrt(max(float(coefficients @ self.covariance @ coefficients), 0.0))


def paired(
    jets: JoinedScores,
    contenders: Sequence[Contender],
    reference: int = 0,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    objects: ObjectName = ANY_OBJECT,
) -> PairedResult:
    """Every figure of ``registry.FIGURES`` for each contender, and its difference to contender number ``reference``.

    ``objects``: what limits call the jets. InputError as ``metrics.check``, or with fewer than two jets of a class.
    """
    signal, background = int(jets.is_signal.sum()), int((~jets.is_signal).sum())
    if min(signal, background) < 2:
        raise InputError(
            f"errors need at least two signal and two background {objects.many}; evaluate on more {objects.many}."
        )
    measured = _measure(jets, resamples, seed, objects)
    result = paired_figures(
        measured, contenders, reference, jets=signal + background, smaller_class=min(signal, background),
        weighted=jets.weight is not None, resamples=resamples, seed=seed, objects=objects,
    )  # fmt: skip
    return replace(result, signal_jets=signal, background_jets=background)


def paired_figures(
    figures: Sequence[Measured],
    contenders: Sequence[Contender],
    reference: int,
    *,
    jets: int,
    weighted: bool,
    resamples: int,
    seed: int,
    objects: ObjectName = ANY_OBJECT,
    smaller_class: int | None = None,
) -> PairedResult:
    """Every one of ``figures``, of ``jets`` common jets, for each contender, and its difference to the reference's.

    ``smaller_class``: jets of the class with fewer; None without classes.
    """
    limits = []
    enough = jets >= ENOUGH_JETS and (smaller_class is None or smaller_class >= ENOUGH_PASSING)
    if jets < ENOUGH_JETS:
        limits.append(
            f"only {objects.count(jets)}: no p-values below {objects.count(ENOUGH_JETS)}, and errors are rough"
        )
    elif not enough:
        limits.append(
            f"only {objects.count(smaller_class or 0)} of one class: no p-values below {ENOUGH_PASSING}, and errors "
            "are rough"
        )
    for contender in contenders:
        seeds = (len(contender.rows), len(contenders[reference].rows))
        if contender is not contenders[reference] and min(seeds) == 1 < max(seeds):
            limits.append(
                f"{contender.name} against {contenders[reference].name}: errors and p-values of the {objects.many} "
                "alone, since one of them has a single seed"
            )
    standings: dict[tuple[int, str], Standing] = {}
    differences: dict[tuple[int, str], Difference] = {}
    for figure in figures:
        few = {}
        for number, contender in enumerate(contenders):
            passing = figure.least_passing(contender)
            standings[number, figure.name] = _standing(figure, contender, enough_pass(passing))
            if not enough_pass(passing):
                few[contender.name] = passing
        if few and figure.too_few is not None:
            limits.append(figure.too_few(few))
        for number, contender in enumerate(contenders):
            both = (contender, contenders[reference])
            if number != reference and all(enough_pass(figure.least_passing(one)) for one in both):
                found = differences[number, figure.name] = _difference(figure, *both, enough)
                if found.error is None:
                    limits.append(
                        f"{contender.name} against {both[1].name}: no error of {figure.name}, which some resamples of "
                        f"the {objects.many} do not have"
                    )
    order = [(number, figure.name) for number in range(len(contenders)) for figure in figures]
    return PairedResult(
        reference=contenders[reference].name,
        jets=jets,
        signal_jets=None,
        background_jets=None,
        weighted=weighted,
        resamples=resamples,
        seed=seed,
        standings=tuple(standings[key] for key in order),
        differences=tuple(differences[key] for key in order if key in differences),
        limits=tuple(limits),
    )


def _measure(jets: JoinedScores, resamples: int, seed: int, objects: ObjectName) -> list[Measured]:
    curves = [roc_curve(jets.is_signal, score, jets.weight) for score in jets.scores]
    functions = {figure.name: figure.of_rows for figure in FIGURES.values()}
    samples = resample(jets.is_signal, jets.scores, jets.weight, functions, resamples=resamples, seed=seed)
    weight = np.ones(len(jets.is_signal)) if jets.weight is None else jets.weight
    background = effective_number(weight[~jets.is_signal])
    covariance = delong(jets.is_signal, jets.scores).covariance if jets.weight is None else None
    return [
        Measured(
            name,
            np.array([figure.of_curve(curve) for curve in curves]),
            samples[name],
            passing=None
            if figure.mistag is None
            else np.array([figure.mistag(curve) * background for curve in curves]),
            too_few=partial(too_few, figure.title, objects=objects),
            covariance=covariance if name == AUC else None,
            method="DeLong" if name == AUC and covariance is not None else "bootstrap",
            has_ratio=figure.ratio,
        )
        for name, figure in FIGURES.items()
    ]


def _standing(measured: Measured, contender: Contender, quotable: bool) -> Standing:
    name, figure = contender.name, measured.name
    if not quotable:
        return Standing(name, figure, (None,) * len(contender.rows), None, None, None)
    values = measured.values[list(contender.rows)]
    error = measured.analytic_error(_means(len(measured.values), contender))
    if error is None:
        error = _spread(measured.means(contender))
    spread = float(values.std(ddof=1)) if len(values) > 1 else None
    return Standing(name, figure, tuple(map(float, values)), float(values.mean()), spread, error)


def _difference(measured: Measured, one: Contender, other: Contender, enough: bool) -> Difference:
    values = [measured.values[list(contender.rows)] for contender in (one, other)]
    means = [float(v.mean()) for v in values]
    value = means[0] - means[1]
    samples = [measured.means(contender) for contender in (one, other)]
    error_bootstrap = _spread(samples[0] - samples[1])
    analytic = measured.analytic_error(_means(len(measured.values), one) - _means(len(measured.values), other))
    error_jets = error_bootstrap if analytic is None else analytic
    parts = [part for v in values if (part := seeds_part(v)) is not None]
    seeds = parts if len(parts) == len(values) else None
    p_jets = p_value = p_value_of(value, error_jets) if enough and error_jets is not None else None
    error, degrees = error_jets, math.inf
    if seeds is not None and error_jets is not None:
        error, degrees = whole_error(error_jets, seeds)
        if enough:
            p_value = student_p_value(value / error, degrees) if error > 0 else p_value_of(value, error)
    ratio, ratio_error = _ratio(measured, means, samples, seeds)
    return Difference(
        name=one.name,
        reference=other.name,
        figure=measured.name,
        difference=value,
        error=error,
        error_jets=error_jets,
        error_seeds=None if seeds is None else whole_error(0.0, seeds)[0],
        error_bootstrap=error_bootstrap,
        method=measured.method,
        p_value=p_value,
        p_value_jets=p_jets,
        degrees_of_freedom=None if math.isinf(degrees) else degrees,
        opposite_sign=_opposite(samples[0] - samples[1], value),
        ratio=ratio,
        ratio_error=ratio_error,
    )


def _opposite(samples: Floats, value: float) -> float:
    """Share of samples with the other sign than ``value``, zeros counting half; one half for no difference at all."""
    return float(np.mean((1.0 - np.sign(samples) * np.sign(value)) / 2.0))


def _ratio(
    measured: Measured, means: Sequence[float], samples: Sequence[Floats], seeds: Sequence[SeedsPart] | None
) -> tuple[float | None, float | None]:
    """Ratio of two figures and its error, jets and seeds in quadrature; none where it would say nothing.

    ``seeds``: of either mean.
    """
    if not measured.has_ratio or means[1] == 0.0:
        return None, None
    ratio = means[0] / means[1]
    if (samples[1] == 0.0).any():
        return ratio, None
    jets = _spread(samples[0] / samples[1])
    if jets is None or seeds is None:
        return ratio, jets
    return ratio, whole_error(jets, [seeds[0].times(1.0 / means[1]), seeds[1].times(ratio / means[1])])[0]


def _means(scores: int, contender: Contender) -> Floats:
    """Coefficients [S] that make the contender's mean over seeds."""
    coefficients = np.zeros(scores)
    coefficients[list(contender.rows)] = 1.0 / len(contender.rows)
    return coefficients


def _spread(samples: Floats) -> float | None:
    """Standard deviation; None where a resample has no finite value, such as a rejection without background."""
    return float(samples.std(ddof=1)) if np.isfinite(samples).all() else None
