"""Where one tagger beats another: paired differences in bins of a jet quantity such as pT, pile-up or nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from e2egraph.data.scores import Scores
from e2egraph.data.table import JetTable
from e2egraph.errors import InputError
from e2egraph.evaluation.compare.joined import KEY, JoinedScores
from e2egraph.evaluation.compare.paired import RESAMPLES, paired
from e2egraph.evaluation.compare.paired_result import Contender, Difference, PairedResult, Standing
from e2egraph.evaluation.markdown import aligned, with_error
from e2egraph.evaluation.metrics.bins import quantile_edges
from e2egraph.evaluation.metrics.bootstrap import SEED
from e2egraph.evaluation.metrics.enough import ENOUGH_JETS
from e2egraph.evaluation.metrics.figures import AUC, EFFICIENCY, rejection_name
from e2egraph.evaluation.metrics.registry import FIGURES
from e2egraph.tasks.objects.naming import ANY_OBJECT, ObjectName

SHOWN = (AUC, EFFICIENCY, rejection_name(0.7))


@dataclass(frozen=True)
class PairedBin:
    """Jets with ``low`` ≤ quantity < ``high`` (the last bin includes ``high``); ``median``: of the quantity.

    ``result``: every figure by a cut made in this bin; None where ``limit`` says why there is none.
    """

    low: float
    high: float
    median: float
    jets: int
    signal_jets: int
    background_jets: int
    result: PairedResult | None
    limit: str | None = None

    def standing(self, name: str, figure: str) -> Standing | None:
        """``figure`` of contender ``name``; None where there is no result."""
        standings = () if self.result is None else self.result.standings
        return next((one for one in standings if (one.name, one.figure) == (name, figure)), None)

    def difference(self, name: str, figure: str) -> Difference | None:
        """``figure`` of contender ``name`` minus the reference's; None where it could not be said."""
        differences = () if self.result is None else self.result.differences
        return next((one for one in differences if (one.name, one.figure) == (name, figure)), None)


def binned_paired(
    jets: JoinedScores,
    contenders: Sequence[Contender],
    values: NDArray,
    reference: int = 0,
    *,
    edges: NDArray | None = None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    objects: ObjectName = ANY_OBJECT,
) -> list[PairedBin]:
    """``paired`` in bins of ``values`` [J], quartiles if no ``edges`` are given; jets beyond given edges are in no bin.

    A bin with fewer than ``ENOUGH_JETS`` jets, or fewer than two of a class with weight, has no result. InputError:
    as many values as jets are not there, or one is not finite.
    """
    values = np.asarray(values, np.float64)
    if len(values) != len(jets.is_signal):
        raise InputError(f"{len(values)} values for {len(jets.is_signal)} objects; give those of the scored objects.")
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise InputError(f"{bad} of {len(values)} objects have no finite value to bin by; choose another quantity.")
    edges = quantile_edges(values) if edges is None else np.asarray(edges, np.float64)
    bins = []
    for low, high in pairwise(edges):
        inside = (values >= low) & ((values <= high) if high == edges[-1] else (values < high))
        part = _part(jets, inside)
        signal, background = int(part.is_signal.sum()), int((~part.is_signal).sum())
        limit = None
        if len(part.is_signal) < ENOUGH_JETS:
            limit = f"fewer than {objects.count(ENOUGH_JETS)}"
        elif min(_weighty(part, True), _weighty(part, False)) < 2:
            limit = f"fewer than two signal or background {objects.many}"
        result = None if limit else paired(part, contenders, reference, resamples=resamples, seed=seed, objects=objects)
        median = float(np.median(values[inside])) if inside.any() else float(low + high) / 2
        head = (float(low), float(high), median, signal + background, signal, background)
        bins.append(PairedBin(*head, result, limit))
    return bins


def binned_table(
    bins: Mapping[str, Sequence[PairedBin]], names: Sequence[str] | None = None, figures: Sequence[str] = SHOWN
) -> str:
    """Quantity → its bins, as a Markdown table: the figures of the contenders ``names`` (None: all), and what they are
    above the reference."""
    heads = [cell for name in figures for cell in (FIGURES[name].title, f"Δ {FIGURES[name].title}", "p")]
    rows = [["bin", "signal", "background", "model", *heads]]
    for quantity, parts in bins.items():
        for part in parts:
            head = [f"{quantity} {part.low:g} – {part.high:g}", f"{part.signal_jets:,}", f"{part.background_jets:,}"]
            if part.result is None:
                rows.append([*head, part.limit or "–", *["–"] * len(heads)])
                continue
            for name in names or dict.fromkeys(standing.name for standing in part.result.standings):
                rows.append([*head, name, *(cell for figure in figures for cell in _cells(part, name, figure))])
    return aligned(rows)


def _cells(part: PairedBin, name: str, figure: str) -> list[str]:
    """A figure of one contender in a bin, its difference to the reference, and the p-value of that."""
    digits, found = FIGURES[figure].digits, part.difference(name, figure)
    standing = part.standing(name, figure)
    value = with_error(standing.mean, standing.error, digits) if standing and standing.mean is not None else "too few"
    if found is None:
        return [value, "–", "–"]
    sign = "+" if found.difference > 0 else ""
    return [value, sign + with_error(found.difference, found.error, digits), str(found.p_value or "–")]


def quantity_of(scores: Scores, table: JetTable, name: str, split: str | None) -> NDArray:
    """Column ``name`` of the data set for each jet of ``scores``, [J]; read it with ``read_table(extra=(name,))``.

    ``scores`` are of a split (None: of all jets) as ``evaluate`` writes them. InputError when they are of other jets.
    """
    numbers = table.jets_of(split)
    same = len(numbers) == len(scores)
    if not (same and all((table.columns[key][numbers] == scores.jets[key]).all() for key in KEY)):
        raise InputError(f"{table.folder}: the scores are of other objects; give the data set they were evaluated on.")
    column: NDArray = table.columns[name][numbers]
    return column


def _part(jets: JoinedScores, inside: NDArray[np.bool_]) -> JoinedScores:
    weight = None if jets.weight is None else jets.weight[inside]
    return replace(jets, is_signal=jets.is_signal[inside], weight=weight, scores=jets.scores[:, inside])


def _weighty(jets: JoinedScores, signal: bool) -> int:
    """Jets of a class that weigh anything."""
    members = jets.is_signal == signal
    return int(members.sum() if jets.weight is None else (jets.weight[members] > 0).sum())
