"""The figures quoted of a tagger, with their errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.evaluation.bootstrap import bootstrap
from e2egraph.evaluation.metrics import WORKING_POINT, roc_curve


@dataclass(frozen=True)
class TaggingMetrics:
    """AUC and signal efficiency at 1% mistag of signal against all other classes, with bootstrap errors.

    ``background_passing``: number of background jets beyond the 1% cut; below some ten, the efficiency there and its
    error mean little.
    """

    auc: float
    auc_error: float
    signal_efficiency_at_1pct_mistag: float
    signal_efficiency_at_1pct_mistag_error: float
    jets: int
    signal_jets: int
    background_jets: int
    background_passing: float


def tagging_metrics(is_signal: NDArray, score: NDArray, weight: NDArray | None = None) -> TaggingMetrics:
    """Metrics of ``score`` [J]; weights that are all equal change nothing. InputError as ``metrics.roc_curve``."""
    is_signal = np.asarray(is_signal, bool)
    curve = roc_curve(is_signal, score, weight)
    samples = bootstrap(is_signal, score, weight)
    background = int((~is_signal).sum())
    return TaggingMetrics(
        auc=curve.auc,
        auc_error=samples.auc_error,
        signal_efficiency_at_1pct_mistag=curve.efficiency_at(WORKING_POINT),
        signal_efficiency_at_1pct_mistag_error=samples.signal_efficiency_error,
        jets=len(is_signal),
        signal_jets=int(is_signal.sum()),
        background_jets=background,
        background_passing=WORKING_POINT * background,
    )
