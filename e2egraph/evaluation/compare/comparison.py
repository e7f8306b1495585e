"""Runs next to each other on the same objects, with the baseline, as rows and as a Markdown table."""

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
from e2egraph.evaluation.objectives.evaluation import ComparedFigure, evaluation_of
from e2egraph.tasks.objects.naming import ANY_OBJECT, ObjectName

TOO_FEW = "too few"


@dataclass(frozen=True)
class ComparisonRow:
    """One run, or the mean over the ``seeds`` of one model.

    ``figures``: name → value, None with too few objects for it; ``errors``: name → error, the bootstrap's for one run,
    the spread (standard deviation) over seeds for a mean, None for one seed. ``training_jets_per_second`` and
    ``onnx_ms_per_jet`` are None where they do not apply.
    """

    model: str
    figures: dict[str, float | None]
    errors: dict[str, float | None]
    parameters: int
    training_jets_per_second: float | None = None
    onnx_ms_per_jet: float | None = None
    seeds: int | None = None


@dataclass(frozen=True)
class Comparison:
    """``rows`` of a comparison and the ``figures`` that they show; ``objects``: what tables call the jets."""

    figures: tuple[ComparedFigure, ...]
    rows: tuple[ComparisonRow, ...]
    objects: ObjectName = ANY_OBJECT


def compare(
    runs: Sequence[Path],
    data: Path | None = None,
    latencies: Mapping[str, float] | None = None,
    *,
    with_baseline: bool = True,
    group: bool = False,
) -> Comparison:
    """A row for each evaluated run (its ``metrics.json``), in order, then the baseline on the same split, where the
    objective has one.

    ``data``: the data set they were evaluated on; taken from the runs when not given. ``latencies``: name of the run's
    folder → ms per object in ONNX Runtime. ``group``: a row for each model, the mean over its runs of different seeds.
    InputError: no runs, a run not evaluated, runs of different objectives or evaluated on different objects, runs that
    are no group.
    """
    evaluated = read_evaluated(runs)
    latencies = latencies or {}
    judge = evaluation_of(evaluated[0].objective)
    rows = [
        _row(judge.figures, run.model, run.report, run.report["training_jets_per_second"], latencies.get(run.name))
        for run in evaluated
    ]
    if group:
        rows = [_mean([rows[number] for number in members]) for members in by_model(evaluated).values()]
    objects = ANY_OBJECT
    if with_baseline:
        report = evaluated[0].report
        folder = Path(report["data_set"]["folder"]) if data is None else data
        manifest = read_table(folder).manifest
        objects = manifest.object_name
        if manifest.digest != report["data_set"]["digest"]:
            raise InputError(
                f"{folder}: not the data set that the runs were evaluated on; give that one, or evaluate again."
            )
        found = judge.baseline(folder, report["split"])
        if found is not None:
            rows.append(_row(judge.figures, found.name, {**found.figures, "parameters": found.parameters}, None, None))
    return Comparison(judge.figures, tuple(rows), objects)


def markdown_table(comparison: Comparison) -> str:
    """The rows as a Markdown table with aligned columns; – where a figure does not apply."""
    grouped = any(row.seeds is not None for row in comparison.rows)
    header = ["model", *(figure.head for figure in comparison.figures)]
    name = comparison.objects
    header += ["parameters", f"training {name.many}/s", f"ONNX Runtime ms/{name.one}"] + ["seeds"] * grouped
    return aligned([header, *(_cells(row, comparison.figures, grouped) for row in comparison.rows)])


def row_as_json(row: ComparisonRow) -> dict[str, Any]:
    """A row for ``json.dumps``: each figure under its name, and its error."""
    errors = {f"{name}_error": value for name, value in row.errors.items()}
    rest = {name: value for name, value in vars(row).items() if name not in ("figures", "errors")}
    return {**rest, **row.figures, **errors}


def _cells(row: ComparisonRow, figures: Sequence[ComparedFigure], grouped: bool) -> list[str]:
    shown = []
    for figure in figures:
        value = row.figures[figure.name]
        shown.append(TOO_FEW if value is None else with_error(value, row.errors[figure.name], figure.digits))
    cells = [
        row.model,
        *shown,
        f"{row.parameters:,}",
        "–" if row.training_jets_per_second is None else f"{row.training_jets_per_second:.0f}",
        "–" if row.onnx_ms_per_jet is None else f"{row.onnx_ms_per_jet:.3g}",
    ]
    return cells + ["–" if row.seeds is None else str(row.seeds)] * grouped


def _row(
    figures: Sequence[ComparedFigure],
    model: str,
    report: Mapping[str, Any],
    rate: float | None,
    latency: float | None,
) -> ComparisonRow:
    return ComparisonRow(
        model=model,
        figures={figure.name: report.get(figure.name) for figure in figures},
        errors={figure.name: report.get(f"{figure.name}_error") for figure in figures},
        parameters=report["parameters"],
        training_jets_per_second=rate,
        onnx_ms_per_jet=latency,
    )


def _mean(rows: Sequence[ComparisonRow]) -> ComparisonRow:
    """The mean over seeds, None where one of them has no figure."""
    found = {name: _mean_and_spread([row.figures[name] for row in rows]) for name in rows[0].figures}
    return ComparisonRow(
        model=rows[0].model,
        figures={name: mean for name, (mean, _) in found.items()},
        errors={name: spread for name, (_, spread) in found.items()},
        parameters=rows[0].parameters,
        training_jets_per_second=_mean_and_spread([row.training_jets_per_second for row in rows])[0],
        onnx_ms_per_jet=_mean_and_spread([row.onnx_ms_per_jet for row in rows])[0],
        seeds=len(rows),
    )


def _mean_and_spread(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None, None
    return float(np.mean(known)), float(np.std(known, ddof=1)) if len(known) > 1 else None
