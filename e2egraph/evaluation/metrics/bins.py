"""A tagger's figures in bins of a jet quantity such as pT, η or pile-up."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from e2egraph.evaluation.metrics.enough import ENOUGH_JETS, enough_pass
from e2egraph.evaluation.metrics.figures import AUC, EFFICIENCY
from e2egraph.evaluation.metrics.roc.curve import WORKING_POINT, check, weighted_share
from e2egraph.evaluation.metrics.tagging import tagging_metrics
from e2egraph.tasks.objects.naming import ANY_OBJECT, ObjectName

BINS = 4


@dataclass(frozen=True)
class BinMetrics:
    """Jets with ``low`` ≤ quantity < ``high`` (the last bin includes ``high``).

    ``auc`` and ``signal_efficiency_at_1pct_mistag`` are those of a cut made in this bin. ``signal_efficiency`` and
    ``mistag`` are what the one cut that gives 1% mistag over all jets does here. None: ``limit`` says why.
    """

    low: float
    high: float
    jets: int
    signal_jets: int
    background_jets: int
    auc: float | None = None
    auc_error: float | None = None
    signal_efficiency_at_1pct_mistag: float | None = None
    signal_efficiency_at_1pct_mistag_error: float | None = None
    signal_efficiency: float | None = None
    signal_efficiency_error: float | None = None
    mistag: float | None = None
    mistag_error: float | None = None
    limit: str | None = None


def quantile_edges(values: NDArray, bins: int = BINS) -> NDArray[np.float64]:
    """Edges that part ``values`` [J] into up to ``bins`` bins of about equal numbers; fewer where values repeat."""
    values = np.asarray(values, np.float64)
    edges = np.unique(np.quantile(values, np.linspace(0.0, 1.0, bins + 1), method="nearest"))
    return edges if len(edges) > 1 else np.repeat(edges, 2)


def binned_metrics(
    is_signal: NDArray,
    score: NDArray,
    values: NDArray,
    weight: NDArray | None = None,
    edges: NDArray | None = None,
    objects: ObjectName = ANY_OBJECT,
) -> list[BinMetrics]:
    """Metrics of ``score`` [J] in bins of ``values`` [J], quartiles if no ``edges`` are given.

    ``objects``: what limits call the jets. InputError as ``metrics.check`` for all jets; a bin with fewer than
    ``ENOUGH_JETS`` jets or without weight in a class has no figures.
    """
    is_signal, score = np.asarray(is_signal, bool), np.asarray(score)
    check(is_signal, score, weight)
    weight = np.ones(len(score)) if weight is None else np.asarray(weight, np.float64)
    edges = quantile_edges(values) if edges is None else np.asarray(edges, np.float64)
    passes = score >= cut_at(WORKING_POINT, score[~is_signal], weight[~is_signal])
    result = []
    for low, high in pairwise(edges):
        inside = (values >= low) & ((values <= high) if high == edges[-1] else (values < high))
        signal, background = inside & is_signal, inside & ~is_signal
        head = (float(low), float(high), int(inside.sum()), int(signal.sum()), int(background.sum()))
        if head[2] < ENOUGH_JETS or not weight[signal].sum() > 0 or not weight[background].sum() > 0:
            few = (
                f"fewer than {objects.count(ENOUGH_JETS)}" if head[2] < ENOUGH_JETS else "signal or background missing"
            )
            result.append(BinMetrics(*head, limit=few))
            continue
        own = tagging_metrics(is_signal[inside], score[inside], weight[inside])
        quoted = enough_pass(own.background_passing)
        efficiency, mistag = (weighted_share(passes[one], weight[one]) for one in (signal, background))
        result.append(
            BinMetrics(
                *head,
                own.figures[AUC],
                own.errors[AUC],
                own.figures[EFFICIENCY] if quoted else None,
                own.errors[EFFICIENCY] if quoted else None,
                *efficiency,
                *mistag,
                None if quoted else f"{own.background_passing:.1f} background {objects.many} pass 1% mistag, too few",
            )
        )
    return result


def cut_at(efficiency: float, score: NDArray, weight: NDArray) -> float:
    """The loosest cut (score ≥ cut) that at most a share ``efficiency`` of the jets' weight passes; each [J].

    Infinite where the highest score alone is shared by more.
    """
    order = np.argsort(-np.asarray(score, np.float64), kind="stable")
    falling = np.asarray(score)[order]
    passed = np.cumsum(np.asarray(weight, np.float64)[order])
    last_of_step = np.append(falling[1:] != falling[:-1], True)
    allowed = np.flatnonzero(last_of_step & (passed <= efficiency * passed[-1] * (1.0 + 1e-12)))
    return float(falling[allowed[-1]]) if len(allowed) else float("inf")
