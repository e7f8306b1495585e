"""Runs next to each other on the same data set, with the baseline, as rows and as a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from e2egraph.errors import InputError
from e2egraph.evaluation.compare.evaluated_run import EvaluatedRun, by_model, labels, read_evaluated
from e2egraph.evaluation.compare.joined import same_objects
from e2egraph.evaluation.compare.over_seeds import NOT_QUOTED, MeanFigure, mean_figure, reported_figure
from e2egraph.evaluation.compare.paired import RESAMPLES
from e2egraph.evaluation.compare.paired_result import Contender, PairedResult
from e2egraph.evaluation.evaluate import SCORES_NAME
from e2egraph.evaluation.markdown import aligned, with_error
from e2egraph.evaluation.objectives.evaluation import Baseline, ComparedFigure, Evaluation, evaluation_of
from e2egraph.graphs.storage.manifest import read_manifest
from e2egraph.tasks.objects.naming import ANY_OBJECT, ObjectName

TOO_FEW = "too few"


@dataclass(frozen=True)
class ComparisonRow:
    """One run, or the mean over the ``seeds`` of one model.

    ``figures``: name → value, None with too few objects for it; ``errors``: name → error, for a mean as
    ``over_seeds.MeanFigure``, else the bootstrap's; ``spreads``: name → standard deviation over seeds, None for one.
    ``jets``: objects that the figures are of; ``jets_without_nodes``: objects of the split that they are not of, as
    these have no nodes for the run's inputs. None: the metrics do not say. ``training_jets_per_second`` and
    ``onnx_ms_per_jet`` are None where they do not apply.
    """

    model: str
    figures: dict[str, float | None]
    errors: dict[str, float | None]
    parameters: int
    training_jets_per_second: float | None = None
    onnx_ms_per_jet: float | None = None
    seeds: int | None = None
    jets: int | None = None
    jets_without_nodes: int | None = None
    spreads: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """``rows`` of a comparison and the ``figures`` that they show; ``objects``: what tables call the jets.

    ``different_objects``: whether some rows have figures of other jets than others; ``notes``: what the table's errors
    are, and which jets its figures are of, each a sentence.
    """

    figures: tuple[ComparedFigure, ...]
    rows: tuple[ComparisonRow, ...]
    objects: ObjectName = ANY_OBJECT
    different_objects: bool = False
    notes: tuple[str, ...] = ()


def compare(
    runs: Sequence[Path],
    data: Path | None = None,
    latencies: Mapping[str, float] | None = None,
    *,
    with_baseline: bool = True,
    group: bool = False,
    resamples: int = RESAMPLES,
    paired: PairedResult | None = None,
) -> Comparison:
    """A row for each evaluated run (its ``metrics.json``), in order, then the baseline on the same split, where the
    objective has one.

    ``data``: the data set they were evaluated on; taken from the runs when not given. ``latencies``: name of the run's
    folder → ms per object in ONNX Runtime. ``group``: a row for each model, the mean over its runs of different seeds,
    whose error is from ``resamples`` of the jets of its ``scores.parquet``, or from ``paired``, of the same runs and
    resamples, where that is of the same jets. InputError: no runs, a run not evaluated, runs of different objectives or
    evaluated on different objects, runs that are no group.
    """
    evaluated = read_evaluated(runs)
    judge, objects, baseline = evaluation_of(evaluated[0].objective), ANY_OBJECT, None
    if with_baseline:
        folder, objects = data_of(evaluated, data)
        baseline = judge.baseline(folder, evaluated[0].report["split"])
    same = same_jets(evaluated)
    times = latencies or {}
    rows = [_row(judge, run, name, times) for run, name in zip(evaluated, labels(evaluated), strict=True)]
    unknown: list[EvaluatedRun] = []
    if group:
        singles, rows = rows, []
        for model, members in by_model(evaluated).items():
            own = [evaluated[number] for number in members]
            found = _over_seeds(model, own, judge, resamples, paired if same else None)
            rows.append(_mean(model, [singles[number] for number in members], found))
            unknown += [run for run in own if len(own) > 1 and not run.has_scores]
    notes = [_errors_note(rows, baseline, objects)]
    if unknown:
        models = ", ".join(dict.fromkeys(run.model for run in unknown))
        folders = ", ".join(str(run.folder) for run in unknown)
        notes.append(f"No ± of {models}: no {SCORES_NAME} in {folders}; evaluate again.")
    different = not same or (baseline is not None and any(run.jets not in (None, baseline.jets) for run in evaluated))
    notes += _objects_notes(rows, different, baseline, objects)
    if any(row.onnx_ms_per_jet is not None for row in rows):
        notes.append(f"ONNX Runtime: median over {objects.many} one at a time, one thread.")
    if baseline is not None:
        rows.append(_baseline_row(judge, baseline))
    return Comparison(judge.figures, tuple(rows), objects, different, tuple(notes))


def data_of(runs: Sequence[EvaluatedRun], data: Path | None) -> tuple[Path, ObjectName]:
    """The data set that runs were evaluated on, ``data`` where given, and what its objects are called. InputError: it
    is missing or another one."""
    about = runs[0].report["data_set"]
    folder = Path(about["folder"]) if data is None else data
    manifest = read_manifest(folder)
    if manifest.digest != about["digest"]:
        raise InputError(
            f"{folder}: not the data set that the runs were evaluated on; give that one, or evaluate again."
        )
    return folder, manifest.object_name


def markdown_table(comparison: Comparison) -> str:
    """The rows as a Markdown table with aligned columns; – where a figure does not apply."""
    grouped = any(row.seeds is not None for row in comparison.rows)
    header = ["model", *(figure.head for figure in comparison.figures)]
    name = comparison.objects
    header += [name.many] * comparison.different_objects
    header += ["parameters", f"training {name.many}/s", f"ONNX Runtime ms/{name.one}"] + ["seeds"] * grouped
    return aligned([header, *(_cells(row, comparison, grouped) for row in comparison.rows)])


def row_as_json(row: ComparisonRow) -> dict[str, Any]:
    """A row for ``json.dumps``: each figure under its name, its error, and of a mean its spread over seeds."""
    errors = {f"{name}_error": value for name, value in row.errors.items()}
    spreads = {f"{name}_spread": value for name, value in row.spreads.items()}
    rest = {name: value for name, value in vars(row).items() if name not in ("figures", "errors", "spreads")}
    return {**rest, **row.figures, **errors, **spreads}


def _cells(row: ComparisonRow, comparison: Comparison, grouped: bool) -> list[str]:
    shown = []
    for figure in comparison.figures:
        value = row.figures[figure.name]
        shown.append(TOO_FEW if value is None else with_error(value, row.errors[figure.name], figure.digits))
    cells = [
        row.model,
        *shown,
        *["–" if row.jets is None else f"{row.jets:,}"] * comparison.different_objects,
        f"{row.parameters:,}",
        "–" if row.training_jets_per_second is None else f"{row.training_jets_per_second:.0f}",
        "–" if row.onnx_ms_per_jet is None else f"{row.onnx_ms_per_jet:.3g}",
    ]
    return cells + ["–" if row.seeds is None else str(row.seeds)] * grouped


def _row(judge: Evaluation, run: EvaluatedRun, label: str, latencies: Mapping[str, float]) -> ComparisonRow:
    return ComparisonRow(
        model=label,
        figures={figure.name: run.report.get(figure.name) for figure in judge.figures},
        errors={figure.name: run.report.get(f"{figure.name}_error") for figure in judge.figures},
        parameters=run.report["parameters"],
        training_jets_per_second=run.report["training_jets_per_second"],
        onnx_ms_per_jet=latencies.get(run.name),
        jets=run.jets,
        jets_without_nodes=run.without_nodes,
    )


def _baseline_row(judge: Evaluation, baseline: Baseline) -> ComparisonRow:
    return ComparisonRow(
        model=baseline.name,
        figures={figure.name: baseline.figures.get(figure.name) for figure in judge.figures},
        errors={figure.name: baseline.figures.get(f"{figure.name}_error") for figure in judge.figures},
        parameters=baseline.parameters,
        jets=baseline.jets,
        jets_without_nodes=0,
    )


def same_jets(runs: Sequence[EvaluatedRun]) -> bool:
    """Whether the figures of all runs are of the same jets: those of the split that have nodes for their inputs."""
    numbers = {run.jets for run in runs if run.jets is not None}
    unseen = {run.without_nodes or 0 for run in runs}
    if len(numbers) > 1 or len(unseen) > 1:
        return False
    if unseen == {0}:
        return True
    if all(run.has_scores for run in runs):
        return same_objects([run.scores() for run in runs])
    return all(run.report.get("node_selection") == runs[0].report.get("node_selection") for run in runs)


def _over_seeds(
    model: str, runs: Sequence[EvaluatedRun], judge: Evaluation, resamples: int, known: PairedResult | None
) -> dict[str, MeanFigure]:
    """Every figure of a model, by name. ``known``: what was found of its runs on the same jets as theirs."""
    reports, names = [run.report for run in runs], [figure.name for figure in judge.figures]
    if len(runs) == 1 or not all(run.has_scores for run in runs):
        return {name: reported_figure(name, reports, judge) for name in names}
    if known is None:
        one, where = Contender(model, tuple(range(len(runs)))), [str(run.folder) for run in runs]
        known = judge.paired([run.scores() for run in runs], where, [one], 0, resamples=resamples)
    of = {standing.figure: standing for standing in known.standings if standing.name == model}
    return {name: mean_figure(of[name], reports[0]) if name in of else NOT_QUOTED for name in names}


def _mean(model: str, rows: Sequence[ComparisonRow], figures: Mapping[str, MeanFigure]) -> ComparisonRow:
    """The row of a model whose runs have ``rows``."""
    jets = {row.jets for row in rows}
    return ComparisonRow(
        model=model,
        figures={name: figure.mean for name, figure in figures.items()},
        errors={name: figure.error for name, figure in figures.items()},
        parameters=rows[0].parameters,
        training_jets_per_second=_mean_of([row.training_jets_per_second for row in rows]),
        onnx_ms_per_jet=_mean_of([row.onnx_ms_per_jet for row in rows]),
        seeds=len(rows),
        jets=rows[0].jets if len(jets) == 1 else None,
        jets_without_nodes=rows[0].jets_without_nodes if len(jets) == 1 else None,
        spreads={name: figure.spread for name, figure in figures.items()},
    )


def _mean_of(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def _errors_note(rows: Sequence[ComparisonRow], baseline: Baseline | None, objects: ObjectName) -> str:
    """What the table's ± are."""
    drawn = f"bootstrap over the {objects.many}"
    if all((row.seeds or 1) == 1 for row in rows):
        return f"±: {drawn}."
    single = "of one run" if baseline is None else "of one run and of the baseline"
    return (
        f"± of a mean over seeds: √(error² + spread²/seeds), of its error from the {objects.many} and the spread over "
        f"its seeds; {single}: {drawn}."
    )


def _objects_notes(
    rows: Sequence[ComparisonRow], different: bool, baseline: Baseline | None, objects: ObjectName
) -> list[str]:
    """Which jets the figures of the table are of, where that is not all of them."""
    many, unseen = objects.many, {row.model: row.jets_without_nodes for row in rows}
    if different:
        counts = ", ".join(f"{name} {number}" for name, number in unseen.items() if number is not None)
        note = f"Figures are of different {many}, for each row those with nodes for its inputs"
        note += f" (without nodes: {counts})" if counts else ""
        note += "" if baseline is None else "; the baseline’s are of all"
        note += f"; paired differences are of the {many} that have nodes for all" if len(rows) > 1 else ""
        return [f"{note}."]
    found = next((number for number in unseen.values() if number), 0)
    return [f"{objects.count(found)} without nodes: no figure is of them."] if found else []
