"""Taggers side by side on the same jets, with the baseline, as rows and as a Markdown table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2egraph.data.table import read_table
from e2egraph.errors import InputError
from e2egraph.evaluation import baseline as reference
from e2egraph.evaluation.evaluate import METRICS_NAME

_HEADER = (
    "model",
    "AUC",
    "signal efficiency at 1% mistag",
    "parameters",
    "training jets/s",
    "ONNX Runtime ms/jet",
)


# What a row is made of.
_NEEDED = {
    "model",
    "split",
    "data_set",
    "parameters",
    "training_jets_per_second",
    "auc",
    "auc_error",
    "signal_efficiency_at_1pct_mistag",
    "signal_efficiency_at_1pct_mistag_error",
}


@dataclass(frozen=True)
class ComparisonRow:
    """One tagger. ``training_jets_per_second`` and ``onnx_ms_per_jet`` are None where they do not apply."""

    model: str
    auc: float
    auc_error: float
    signal_efficiency: float
    signal_efficiency_error: float
    parameters: int
    training_jets_per_second: float | None = None
    onnx_ms_per_jet: float | None = None


def compare(
    runs: Sequence[Path],
    data: Path | None = None,
    latencies: Mapping[str, float] | None = None,
    *,
    with_baseline: bool = True,
) -> list[ComparisonRow]:
    """A row for each evaluated run (its ``metrics.json``), in order, then the baseline on the same split.

    ``data``: the data set they were evaluated on; taken from the runs when not given. ``latencies``: name of the run's
    folder → ms a jet in ONNX Runtime. InputError: no runs, a run not evaluated, runs evaluated on different jets.
    """
    if not runs:
        raise InputError("there is nothing to compare; name at least one run.")
    reports = [_read_report(run) for run in runs]
    jets = {(report["data_set"]["digest"], report["split"]) for report in reports}
    if len(jets) > 1:
        raise InputError(
            f"{', '.join(map(str, runs))}: evaluated on different jets; evaluate all on one data set and split."
        )
    ((digest, split),) = jets
    latencies = latencies or {}
    rows = [
        _row(report["model"], report, report["training_jets_per_second"], latencies.get(run.resolve().name))
        for run, report in zip(runs, reports, strict=True)
    ]
    if with_baseline:
        folder = Path(reports[0]["data_set"]["folder"]) if data is None else data
        if read_table(folder).manifest.digest != digest:
            raise InputError(
                f"{folder}: not the data set that the runs were evaluated on; give that one, or evaluate again."
            )
        result = reference.baseline(folder, split)
        rows.append(_row(reference.NAME, {**vars(result.metrics), "parameters": result.parameters}, None, None))
    return rows


def markdown_table(rows: Sequence[ComparisonRow]) -> str:
    """The rows as a Markdown table with aligned columns; – where a figure does not apply."""
    cells = [_HEADER, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADER))]

    def line(values: Sequence[str]) -> str:
        padded = [values[0].ljust(widths[0]), *(v.rjust(w) for v, w in zip(values[1:], widths[1:], strict=True))]
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]) + "|"
    return "\n".join([line(cells[0]), rule, *(line(values) for values in cells[1:])])


def _cells(row: ComparisonRow) -> tuple[str, ...]:
    return (
        row.model,
        f"{row.auc:.4f} ± {row.auc_error:.4f}",
        f"{row.signal_efficiency:.3f} ± {row.signal_efficiency_error:.3f}",
        f"{row.parameters:,}",
        "–" if row.training_jets_per_second is None else f"{row.training_jets_per_second:.0f}",
        "–" if row.onnx_ms_per_jet is None else f"{row.onnx_ms_per_jet:.3g}",
    )


def _row(model: str, report: Mapping[str, Any], rate: float | None, latency: float | None) -> ComparisonRow:
    return ComparisonRow(
        model=model,
        auc=report["auc"],
        auc_error=report["auc_error"],
        signal_efficiency=report["signal_efficiency_at_1pct_mistag"],
        signal_efficiency_error=report["signal_efficiency_at_1pct_mistag_error"],
        parameters=report["parameters"],
        training_jets_per_second=rate,
        onnx_ms_per_jet=latency,
    )


def _read_report(run: Path) -> dict[str, Any]:
    path = run / METRICS_NAME
    if not path.is_file():
        raise InputError(f"{path}: not there; run 'e2egraph evaluate {run}' first.")
    try:
        content = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: damaged; evaluate the run again.") from error
    if not isinstance(content, dict) or not content.keys() >= _NEEDED:
        raise InputError(f"{path}: not the metrics of an evaluation; evaluate the run again.")
    return content
