"""The figures quoted of a tagger, with their errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from e2egraph.evaluation.compare.joined import equal_as_none
from e2egraph.evaluation.metrics.bootstrap import resample
from e2egraph.evaluation.metrics.enough import ENOUGH_JETS, enough_pass, too_few
from e2egraph.evaluation.metrics.figures import AUC, EFFICIENCY, LOW_MISTAG
from e2egraph.evaluation.metrics.registry import roc_figures
from e2egraph.evaluation.metrics.roc.curve import WORKING_POINT, effective_number, roc_curve
from e2egraph.evaluation.metrics.roc.delong import delong
from e2egraph.tasks.objects.naming import ANY_OBJECT, ObjectName


@dataclass(frozen=True)
class TaggingMetrics:
    """Figures of signal against all other classes: ``figures`` and ``errors`` by name (``registry.roc_figures``).

    Errors are the bootstrap's; ``auc_error_delong`` is DeLong's. None: fewer than ``ENOUGH_PASSING`` background jets
    pass the cut of an efficiency at 0.1% mistag or of a background rejection (1/mistag at 30, 50, 70% signal
    efficiency); DeLong's error with weights or fewer than two jets of a class. ``background_passing``,
    ``background_passing_0p1pct``: background jets beyond the cuts of 1% and 0.1% (with weights, the effective number).
    ``limits``: each shortcoming as a sentence, those of the efficiency at 1% mistag among them, which is given whatever
    passes.
    """

    figures: dict[str, float | None]
    errors: dict[str, float | None]
    auc_error_delong: float | None
    jets: int
    signal_jets: int
    background_jets: int
    background_passing: float
    background_passing_0p1pct: float
    limits: tuple[str, ...]

    def content(self) -> dict[str, Any]:
        """All of it for ``metrics.json``: each figure under its name, its error under ``NAME_error``."""
        flat: dict[str, Any] = {}
        for name, value in self.figures.items():
            flat |= {name: value, f"{name}_error": self.errors[name]}
            if name == AUC:
                flat["auc_error_delong"] = self.auc_error_delong
        rest = {name: value for name, value in vars(self).items() if name not in ("figures", "errors")}
        return flat | rest


def tagging_metrics(
    is_signal: NDArray, score: NDArray, weight: NDArray | None = None, objects: ObjectName = ANY_OBJECT
) -> TaggingMetrics:
    """Metrics of ``score`` [J]; weights that are all equal change nothing. ``objects``: what limits call the jets.

    InputError as ``metrics.roc_curve``."""
    is_signal = np.asarray(is_signal, bool)
    curve = roc_curve(is_signal, score, weight)
    weight = None if weight is None else equal_as_none(weight)
    functions = {name: figure.of_rows for name, figure in roc_figures().items()}
    samples = resample(is_signal, np.asarray(score)[None], weight, functions)
    jets, signal = len(is_signal), int(is_signal.sum())
    background = float(jets - signal) if weight is None else effective_number(weight[~is_signal])
    few = f"only {objects.count(jets)}: with fewer than {ENOUGH_JETS}, errors are rough"
    limits = [] if jets >= ENOUGH_JETS else [few]
    figures: dict[str, float | None] = {}
    errors: dict[str, float | None] = {}
    for name, figure in roc_figures().items():
        passing = float("inf") if figure.mistag is None else figure.mistag(curve) * background
        quoted = enough_pass(passing)
        if not quoted:
            limits.append(too_few(figure.title, {"": passing}, objects))
        figures[name] = errors[name] = None
        if quoted or name == EFFICIENCY:
            figures[name] = figure.of_curve(curve)
            errors[name] = float(samples[name][0].std(ddof=1)) if np.isfinite(samples[name]).all() else None
    analytic = weight is None and min(signal, jets - signal) > 1
    return TaggingMetrics(
        figures=figures,
        errors=errors,
        auc_error_delong=float(delong(is_signal, score).error[0]) if analytic else None,
        jets=jets,
        signal_jets=signal,
        background_jets=jets - signal,
        background_passing=WORKING_POINT * background,
        background_passing_0p1pct=LOW_MISTAG * background,
        limits=tuple(limits),
    )
