"""A tagger's figures in bins of a jet quantity such as pT, η or pile-up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from e2egraph.evaluation.metrics.common_cut import cut_at, resampled_shares
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
    ``mistag`` are what the one cut that gives 1% mistag over all jets does here; their errors are the bootstrap's of
    all jets, the common cut made again in each resample. None: ``limit`` says why.
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
    edges = quantile_edges(values) if edges is None else np.asarray(edges, np.float64)
    return metrics_in_bins(is_signal, score, {"": (values, edges)}, weight, objects)[""]


def metrics_in_bins(
    is_signal: NDArray,
    score: NDArray,
    quantities: Mapping[str, tuple[NDArray, NDArray[np.float64]]],
    weight: NDArray | None = None,
    objects: ObjectName = ANY_OBJECT,
) -> dict[str, list[BinMetrics]]:
    """``binned_metrics`` for each of ``quantities``, name → values [J] and edges, by the same resamples."""
    is_signal, score = np.asarray(is_signal, bool), np.asarray(score)
    check(is_signal, score, weight)
    weight = np.ones(len(score)) if weight is None else np.asarray(weight, np.float64)
    passes = score >= cut_at(WORKING_POINT, score[~is_signal], weight[~is_signal])
    bounds = [(name, low, high) for name, (_, edges) in quantities.items() for low, high in pairwise(edges.tolist())]
    members = np.stack([_inside(*quantities[name], low, high) for name, low, high in bounds], axis=1)
    shares = resampled_shares(is_signal, score, weight, members, WORKING_POINT)
    errors = [samples.std(axis=0, ddof=1).tolist() for samples in shares]
    found: dict[str, list[BinMetrics]] = {name: [] for name in quantities}
    for (name, low, high), inside, *both in zip(bounds, members.T, *errors, strict=True):
        found[name].append(_bin(low, high, inside, is_signal, score, weight, passes, both, objects))
    return found


def _inside(values: NDArray, edges: NDArray[np.float64], low: float, high: float) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = (values >= low) & ((values <= high) if high == edges[-1] else (values < high))
    return inside


def _bin(
    low: float,
    high: float,
    inside: NDArray[np.bool_],
    is_signal: NDArray[np.bool_],
    score: NDArray,
    weight: NDArray[np.float64],
    passes: NDArray[np.bool_],
    errors: Sequence[float],
    objects: ObjectName,
) -> BinMetrics:
    """``passes`` [J]: which pass the common cut; ``errors``: of the shares of signal and background that do, NaN where
    a resample has none of them."""
    signal, background = inside & is_signal, inside & ~is_signal
    head = (low, high, int(inside.sum()), int(signal.sum()), int(background.sum()))
    if head[2] < ENOUGH_JETS:
        return BinMetrics(*head, limit=f"fewer than {objects.count(ENOUGH_JETS)}")
    if not weight[signal].sum() > 0 or not weight[background].sum() > 0:
        return BinMetrics(*head, limit="signal or background missing")
    own = tagging_metrics(is_signal[inside], score[inside], weight[inside])
    quoted = enough_pass(own.background_passing)
    limits = [] if quoted else [f"{own.background_passing:.1f} background {objects.many} pass 1% mistag, too few"]
    known = [float(error) if np.isfinite(error) else None for error in errors]
    limits += [
        f"too few {what} {objects.many} for an error at the common cut"
        for what, error in zip(("signal", "background"), known, strict=True)
        if error is None
    ]
    return BinMetrics(
        *head,
        auc=own.figures[AUC],
        auc_error=own.errors[AUC],
        signal_efficiency_at_1pct_mistag=own.figures[EFFICIENCY] if quoted else None,
        signal_efficiency_at_1pct_mistag_error=own.errors[EFFICIENCY] if quoted else None,
        signal_efficiency=weighted_share(passes[signal], weight[signal])[0],
        signal_efficiency_error=known[0],
        mistag=weighted_share(passes[background], weight[background])[0],
        mistag_error=known[1],
        limit="; ".join(limits) or None,
    )
