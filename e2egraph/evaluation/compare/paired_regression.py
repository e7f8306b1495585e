"""Paired differences of the figures of regressions, with the errors and p-values of ``paired``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.evaluation.compare.paired import RESAMPLES, Measured, paired_figures
from e2egraph.evaluation.compare.paired_result import Contender, PairedResult
from e2egraph.evaluation.metrics.bootstrap import SEED
from e2egraph.evaluation.metrics.registry import residual_figures
from e2egraph.evaluation.metrics.regression.summary import sampled_figures
from e2egraph.tasks.objects.naming import ANY_OBJECT, ObjectName


@dataclass(frozen=True)
class PairedTarget:
    """One quantity: its ``true`` values [J] and S predictions of them, ``predicted`` [S, J].

    ``suffix``: what is added to the names of its figures; ``title``: of the quantity, for sentences.
    """

    true: NDArray
    predicted: NDArray
    suffix: str = ""
    title: str = ""


def paired_regression(
    targets: Sequence[PairedTarget],
    weight: NDArray | None,
    contenders: Sequence[Contender],
    reference: int = 0,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    objects: ObjectName = ANY_OBJECT,
) -> PairedResult:
    """Every figure of ``registry.residual_figures`` of each target for each contender, and its difference to contender
    number ``reference``; every prediction of every target sees the same draws of the jets.

    A contender's ``rows`` are those of ``predicted``. Figures that some prediction has not (relative ones without jets
    of a true value above zero) are left out, with a limit. ``objects``: what limits call the jets. InputError as
    ``regression_metrics``, or for targets of different jets.
    """
    lengths = {np.shape(target.predicted)[1] for target in targets} | {len(target.true) for target in targets}
    if len(lengths) != 1:
        raise InputError(
            f"targets of {' and '.join(map(str, sorted(lengths)))} objects; compare values of the same objects."
        )
    figures, limits = residual_figures(), []
    measured: list[Measured] = []
    for target in targets:
        of = f" of {target.title}" if target.title else ""
        found = sampled_figures(target.true, target.predicted, weight, resamples=resamples, seed=seed)
        if found.left_out:
            limits.append(
                f"relative figures{of} leave out {found.left_out} of {objects.count(len(target.true))}: their true "
                "value is not above zero"
            )
        for name, figure in figures.items():
            values = found.values[name]
            if np.isfinite(values).all():
                measured.append(Measured(name + target.suffix, values, found.samples[name], has_ratio=figure.ratio))
            else:
                limits.append(f"no {figure.title}{of}: some prediction has none")
    result = paired_figures(
        measured,
        contenders,
        reference,
        jets=lengths.pop(),
        weighted=weight is not None,
        resamples=resamples,
        seed=seed,
        objects=objects,
    )
    return replace(result, limits=(*result.limits, *limits))
