"""Taggers side by side on the same jets, with the baseline, as rows and as a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from e2egraph.data.table import read_table
from e2egraph.errors import InputError
from e2egraph.evaluation.compare.evaluated_run import by_model, read_evaluated
from e2egraph.evaluation.markdown import aligned, with_error
from e2egraph.evaluation.metrics import baseline as reference
from e2egraph.evaluation.metrics.figures import AUC, EFFICIENCY, FIGURES, LOW_EFFICIENCY

TOO_FEW = "too few"


@dataclass(frozen=True)
class ComparisonRow:
    """One tagger, or the mean over the ``seeds`` of one.

    Errors are the bootstrap's for one run; the spread (standard deviation) over seeds for a mean, None for one seed.
    ``low_mistag_efficiency``, at 0.1% mistag, is None with too few background jets there (``enough_background`` False)
    or where an evaluation of an earlier version did not take it. ``training_jets_per_second`` and ``onnx_ms_per_jet``
    are None where they do not apply.
    """

    model: str
    auc: float
    auc_error: float | None
    signal_efficiency: float
    signal_efficiency_error: float | None
    parameters: int
    training_jets_per_second: float | None = None
    onnx_ms_per_jet: float | None = None
    low_mistag_efficiency: float | None = None
    low_mistag_efficiency_error: float | None = None
    enough_background: bool = True
    seeds: int | None = None


def compare(
    runs: Sequence[Path],
    data: Path | None = None,
    latencies: Mapping[str, float] | None = None,
    *,
    with_baseline: bool = True,
    group: bool = False,
) -> list[ComparisonRow]:
    """A row for each evaluated run (its ``metrics.json``), in order, then the baseline on the same split.

    ``data``: the data set they were evaluated on; taken from the runs when not given. ``latencies``: name of the run's
    folder → ms a jet in ONNX Runtime. ``group``: a row for each model, the mean over its runs of different seeds.
    InputError: no runs, a run not evaluated, runs evaluated on different jets, runs that are no group.
    """
    evaluated = read_evaluated(runs)
    latencies = latencies or {}
    rows = [
        _row(run.model, run.report, run.report["training_jets_per_second"], latencies.get(run.name))
        for run in evaluated
    ]
    if group:
        rows = [_mean([rows[number] for number in members]) for members in by_model(evaluated).values()]
    if with_baseline:
        report = evaluated[0].report
        folder = Path(report["data_set"]["folder"]) if data is None else data
        if read_table(folder).manifest.digest != report["data_set"]["digest"]:
            raise InputError(
                f"{folder}: not the data set that the runs were evaluated on; give that one, or evaluate again."
            )
        result = reference.baseline(folder, report["split"])
        rows.append(_row(reference.NAME, {**vars(result.metrics), "parameters": result.parameters}, None, None))
    return rows


def markdown_table(rows: Sequence[ComparisonRow]) -> str:
    """The rows as a Markdown table with aligned columns; – where a figure does not apply or was not taken."""
    grouped = any(row.seeds is not None for row in rows)
    header = ["model", *(FIGURES[name].title for name in (AUC, EFFICIENCY, LOW_EFFICIENCY))]
    header += ["parameters", "training jets/s", "ONNX Runtime ms/jet"]
    return aligned([header + ["seeds"] * grouped, *(_cells(row, grouped) for row in rows)])


def _cells(row: ComparisonRow, grouped: bool) -> list[str]:
    low = "–" if row.enough_background else TOO_FEW
    if row.low_mistag_efficiency is not None:
        low = with_error(row.low_mistag_efficiency, row.low_mistag_efficiency_error, 3)
    cells = [
        row.model,
        with_error(row.auc, row.auc_error, 4),
        with_error(row.signal_efficiency, row.signal_efficiency_error, 3),
        low,
        f"{row.parameters:,}",
        "–" if row.training_jets_per_second is None else f"{row.training_jets_per_second:.0f}",
        "–" if row.onnx_ms_per_jet is None else f"{row.onnx_ms_per_jet:.3g}",
    ]
    return cells + ["–" if row.seeds is None else str(row.seeds)] * grouped


def _row(model: str, report: Mapping[str, Any], rate: float | None, latency: float | None) -> ComparisonRow:
    return ComparisonRow(
        model=model,
        auc=report[AUC],
        auc_error=report[f"{AUC}_error"],
        signal_efficiency=report[EFFICIENCY],
        signal_efficiency_error=report[f"{EFFICIENCY}_error"],
        parameters=report["parameters"],
        training_jets_per_second=rate,
        onnx_ms_per_jet=latency,
        low_mistag_efficiency=report.get(LOW_EFFICIENCY),
        low_mistag_efficiency_error=report.get(f"{LOW_EFFICIENCY}_error"),
        enough_background=LOW_EFFICIENCY not in report or report[LOW_EFFICIENCY] is not None,
    )


def _mean(rows: Sequence[ComparisonRow]) -> ComparisonRow:
    """The mean over seeds, None where one of them has no figure."""
    auc, auc_spread = _mean_and_spread([row.auc for row in rows])
    efficiency, efficiency_spread = _mean_and_spread([row.signal_efficiency for row in rows])
    low, low_spread = _mean_and_spread([row.low_mistag_efficiency for row in rows])
    assert auc is not None
    assert efficiency is not None
    return ComparisonRow(
        model=rows[0].model,
        auc=auc,
        auc_error=auc_spread,
        signal_efficiency=efficiency,
        signal_efficiency_error=efficiency_spread,
        parameters=rows[0].parameters,
        training_jets_per_second=_mean_and_spread([row.training_jets_per_second for row in rows])[0],
        onnx_ms_per_jet=_mean_and_spread([row.onnx_ms_per_jet for row in rows])[0],
        low_mistag_efficiency=low,
        low_mistag_efficiency_error=low_spread,
        enough_background=all(row.enough_background for row in rows),
        seeds=len(rows),
    )


def _mean_and_spread(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None, None
    return float(np.mean(known)), float(np.std(known, ddof=1)) if len(known) > 1 else None
