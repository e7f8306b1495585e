"""``ablate``: a plan and its data → runs, ``ablation.json``, tables and plots."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from e2egraph import __version__
from e2egraph.data.simulated import all_simulated
from e2egraph.data.table import read_table
from e2egraph.errors import InputError
from e2egraph.evaluation.ablation.costs import MeasuredCosts, costs_of
from e2egraph.evaluation.ablation.differences import compare_runs
from e2egraph.evaluation.ablation.output import write_plots, write_tables
from e2egraph.evaluation.ablation.plan import RUNS, CurvePoint, Request, jets_name, make_plan
from e2egraph.evaluation.ablation.results import (
    ABLATION_NAME,
    SCHEMA_VERSION,
    Ablation,
    DataSet,
    Failure,
    RunEntry,
    write_ablation,
)
from e2egraph.evaluation.ablation.runs import (
    SPLIT,
    FinishedRun,
    Say,
    check_folders,
    check_inputs,
    find_runs,
    make_runs,
)
from e2egraph.evaluation.compare.joined import equal_as_none
from e2egraph.evaluation.compare.paired import RESAMPLES
from e2egraph.evaluation.objectives.evaluation import evaluation_of
from e2egraph.evaluation.pages.ablation_page import write_ablation_report
from e2egraph.evaluation.pages.provenance import without_paths
from e2egraph.folders import check_folder, names_in
from e2egraph.tasks.objectives.description import meaning, signal_name
from e2egraph.tasks.objectives.objective import stored
from e2egraph.training.recipe import what_decides
from e2egraph.training.runs.history import VALIDATION

# Opens a display of progress for a piece of work: its name → what to call with (done, total).
Progress = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]


@dataclass(frozen=True)
class AblationSummary:
    """``written``: every file next to the runs; ``ablation``: what they say."""

    ablation: Ablation
    written: tuple[Path, ...]


def ablate(
    request: Request,
    data: Path,
    output: Path,
    *,
    test_data: Path | None = None,
    report_only: bool = False,
    time_again: bool = False,
    resamples: int = RESAMPLES,
    say: Say = lambda line: None,
    progress: Progress = lambda title: nullcontext(lambda done, total: None),
) -> AblationSummary:
    """Train and evaluate every run of ``request`` that is missing in ``output``, compare them all and write it down.

    Runs lie in ``output``/runs/ROW/MODEL/jets_N/seed_S; what is finished is kept. They learn from ``data`` and are
    evaluated on the test split of ``test_data`` (None: that of ``data``). ``report_only``: nothing is trained or
    evaluated. ``time_again``: measure costs though they are known. A run that fails is among ``Ablation.failures``.

    UsageError as ``make_plan``. InputError, before anything is trained: data that do not serve every run, a run in
    ``output`` made with other settings, other files there; and when no run at all is finished. Stopped: on request,
    with the running training saved; the same call goes on.
    """
    plan = make_plan(request)
    _check_output(output)
    training = read_table(data)
    test = training if test_data is None else read_table(test_data)
    check_inputs(plan, training, test)
    check_folders(output, plan, data, training.manifest, unfinished=not report_only)
    if report_only:
        runs, failures = find_runs(output, plan, test.manifest.digest)
    else:
        runs, failures = make_runs(output, plan, data, test.folder, test.manifest.digest, say)
    if not runs:
        reason = failures[0].reason if failures else "nothing was asked for"
        raise InputError(f"{output}: no run is finished ({reason}); run the same command without --report-only.")
    judge = evaluation_of(test.manifest.objective, objects=test.manifest.object_name)
    with progress("costs") as advance:
        costs = costs_of(output, runs, test, again=time_again, progress=advance)
    with progress("paired differences") as advance:
        found = compare_runs(runs, plan, costs.costs, judge, resamples=resamples, progress=advance)
    is_test = test.jets_of(SPLIT)
    objective = stored(test.manifest.objective)
    signal = signal_name(objective)
    labels = None if signal is None else test.columns["label"][is_test] == test.manifest.classes.index(signal)
    names = tuple(found.cells[0].figures)
    ablation = Ablation(
        schema_version=SCHEMA_VERSION,
        e2egraph=__version__,
        command=command_of(request, data, test_data, output, resamples),
        task=test.manifest.task,
        objective=meaning(objective),
        classes=tuple(test.manifest.classes),
        signal=signal,
        figures=judge.main_figures,
        best=judge.objective.best.title,
        recipe=Path(request.recipe).name,
        recipe_settings=what_decides(plan.recipe),
        settings=request.settings,
        models=plan.models,
        reference=plan.reference,
        rows=request.rows,
        training_jets=request.training_jets,
        training_data=DataSet(data.resolve().name, training.manifest.digest, len(training.jets_of("train"))),
        test_data=DataSet(test.folder.resolve().name, test.manifest.digest, len(is_test)),
        split=SPLIT,
        signal_jets=None if labels is None else int(labels.sum()),
        background_jets=None if labels is None else int((~labels).sum()),
        weighted=equal_as_none(test.columns["weight"][is_test]) is not None,
        simulation=all_simulated(test.columns["run"][is_test]),
        resamples=resamples,
        runs=tuple(_entry(run, names) for run in runs),
        cells=tuple(found.cells),
        model_differences=tuple(found.model_differences),
        layer_differences=tuple(found.layer_differences),
        failures=tuple(replace(failure, reason=without_paths(failure.reason)) for failure in failures),
        limits=(*found.limits, *_limits(costs, failures)),
        machine=costs.machine,
        object=test.manifest.object_name.one,
        same_test_jets=found.same_jets,
    )
    written = [
        write_ablation(output, ablation),
        *write_tables(output, ablation),
        *write_plots(output, ablation, judge, runs, test),
        write_ablation_report(output),
    ]
    return AblationSummary(ablation, tuple(written))


def command_of(request: Request, data: Path, test_data: Path | None, output: Path, resamples: int) -> str:
    """The command that makes this ablation, with the names of folders and files alone."""

    def curve(point: CurvePoint) -> str:
        return jets_name(point.training_jets) + (f":{_listed(point.seeds)}" if point.seeds else "")

    words = ["e2egraph", "ablate", "--data", data.resolve().name]
    words += [] if test_data is None else ["--test-data", test_data.resolve().name]
    words += ["--models", ",".join(Path(model).name for model in request.models)]
    words += ["--rows", Path(request.rows_name or ",".join(row.name for row in request.rows)).name]
    words += [] if request.reference is None else ["--reference", request.reference]
    words += ["--recipe", Path(request.recipe).name, "--training-jets", jets_name(request.training_jets)]
    words += ["--seeds", _listed(request.seeds)]
    words += ["--full-seeds", _listed(request.full_seeds)] if request.full_seeds else []
    for point in request.curve:
        words += ["--learning-curve", curve(point)]
    words += ["--resamples", str(resamples)] if resamples != RESAMPLES else []
    for setting in request.settings:
        words += ["--set", setting]
    return shlex.join([*words, "--output", output.resolve().name])


def _listed(seeds: tuple[int, ...]) -> str:
    return ",".join(map(str, seeds))


def _check_output(output: Path) -> None:
    """InputError unless it is new, empty, or that of an earlier ablation."""
    check_folder(output)
    if output.is_dir() and names_in(output) and not ((output / RUNS).is_dir() or (output / ABLATION_NAME).is_file()):
        raise InputError(f"{output}: holds other files and no ablation; choose another --output.")


def _entry(run: FinishedRun, names: tuple[str, ...]) -> RunEntry:
    report, summary = run.evaluated.report, run.info.summary
    return RunEntry(
        row=run.plan.row.name,
        model=run.plan.name,
        training_jets=run.plan.training_jets,
        seed=run.plan.seed,
        folder=run.plan.folder.as_posix(),
        settings=run.plan.settings,
        figures={name: report.get(name) for name in names},
        errors={name: report.get(f"{name}_error") for name in names},
        parameters=int(report["parameters"]),
        jets_learnt=int(summary["training_jets"]),
        epochs=int(summary["epochs"]),
        best_epoch=int(summary["best_epoch"]),
        validation=float(summary[VALIDATION + run.info.objective.best.name]),
        training_jets_per_second=float(summary["jets_per_second"]),
        training_seconds=float(summary["seconds"]),
        device=str(summary["device"]),
        test_jets=run.evaluated.jets,
        jets_without_nodes=run.evaluated.without_nodes,
    )


def _limits(costs: MeasuredCosts, failures: list[Failure]) -> tuple[str, ...]:
    timed = [f"{cost.model} ({cost.row}): not timed, {cost.limit}" for cost in costs.costs if cost.limit]
    absent = [f"{failure_name(failure)}: {failure.reason}" for failure in failures]
    return tuple(without_paths(limit) for limit in (*timed, *absent))


def failure_name(failure: Failure) -> str:
    """Which run it is, in words."""
    return f"{failure.row}, {failure.model}, {jets_name(failure.training_jets)} objects, seed {failure.seed}"
