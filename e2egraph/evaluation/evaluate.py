"""``evaluate``: a run and a data set → ``metrics.json``, ``scores.parquet`` and plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from e2egraph import __version__
from e2egraph.config import as_dict
from e2egraph.data.parts import PARTS, remove_parts
from e2egraph.data.scores import target_columns, write_scores
from e2egraph.data.share import ALONE, Share
from e2egraph.data.table import JetTable
from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.bootstrap import RESAMPLES, SEED
from e2egraph.evaluation.objectives.evaluation import Measured, evaluation_of
from e2egraph.evaluation.pages.page import REPORT_NAME
from e2egraph.evaluation.predictions import predict_all, read_for
from e2egraph.evaluation.significance.evaluation import plan, planned_significance
from e2egraph.evaluation.significance.results import Significance
from e2egraph.evaluation.significance.write import remove_significance, write_significance
from e2egraph.files import check_file, remove, write_json
from e2egraph.folders import check_folder, make_folder, names_in
from e2egraph.graphs.storage.manifest import Manifest, read_manifest
from e2egraph.models.registry import parameter_count
from e2egraph.tasks.objectives.description import difference
from e2egraph.tasks.objectives.objective import stored
from e2egraph.tasks.objects.naming import ANY_OBJECT, ObjectName
from e2egraph.training.runs.environment import code_state
from e2egraph.training.runs.load import load_run
from e2egraph.training.runs.reading import read_with
from e2egraph.training.runs.run_folder import CONFIG, RunInfo

METRICS_NAME, SCORES_NAME = "metrics.json", "scores.parquet"


@dataclass(frozen=True)
class EvaluationSummary:
    """What an evaluation of ``jets`` objects found and where it wrote: ``metrics`` as in ``metrics.json``, the main
    ones on one ``line``, and ``limits``; ``significance`` where an analysis was given; ``objects``: their name."""

    output: Path
    model: str
    split: str
    parameters: int
    jets: int
    metrics: dict[str, Any]
    line: str
    limits: tuple[str, ...]
    significance: Significance | None = None
    objects: ObjectName = ANY_OBJECT


def evaluate(
    run: Path,
    data: Path | None = None,
    output: Path | None = None,
    *,
    split: str = "test",
    plots: bool = True,
    report: bool = True,
    analysis: str | None = None,
    settings: Sequence[str] = (),
    share: Share = ALONE,
) -> EvaluationSummary | None:
    """Score a split with the run's best weights and write metrics, scores, plots and, with these, ``report.html``.

    ``data``: the data set the run was trained on, unless another with the same classes is given. ``output``: the run's
    own folder, unless another is given. ``analysis``: a counting experiment whose expected significance to add
    (``significance.analysis``). ``settings``: how jets are read (``reading.read_with``), for less memory. ``share``:
    this process's part of the jets, where several work together: the one that finishes last does all but the scoring,
    the others return None. InputError: not a run, data set missing, damaged or of other classes, an empty split, signal
    or background missing from it, scores that are not finite, an output folder with other content or that cannot be
    written; with an analysis also as ``significance.evaluation``. Jets without nodes stand in ``scores.parquet`` as
    ``scores.without_nodes`` and are counted; no figure is of them. An analysis expects them too, with the lowest score
    of all.
    """
    network, info = load_run(run)
    info = read_with(info, settings)
    folder = Path(info.data.folder) if data is None else data
    manifest = read_manifest(folder)
    objects = manifest.object_name
    judge = evaluation_of(info.objective, manifest.object_kind.bins, objects)
    check_same_objective(folder, manifest, info)
    held = [name for name in judge.quantities if name in manifest.object_columns]
    table = read_for(network, info, folder, (*held, *target_columns(info.objective.target_names)))
    target = run if output is None else output
    _check_output(target, run)
    planned = None if analysis is None else plan(analysis, table, split)
    scores = predict_all(network, info, table, target / SCORES_NAME, split, share)
    if scores is None:
        return None
    judged = scores.take(scores.scored)
    if len(judged) == 0:
        raise InputError(
            f"{folder}: no {objects.one} of split '{split}' has a node that {run} reads; give another data set."
        )
    numbers = table.jets_of(split)[scores.scored]
    found = judge.measure(judged, {name: table.columns[name][numbers] for name in held})
    found = _counted(found, len(scores) - len(judged), objects)
    if not info.summary:
        found = _with_limit(found, f"the training of {run} has not ended: figures are of its best epoch so far")
    expected = None if planned is None else planned_significance(planned, scores)
    parameters = parameter_count(network)

    make_folder(target)
    # Metrics are written last, so that they say the evaluation is whole; those of an earlier one are of other scores.
    for name in (METRICS_NAME, REPORT_NAME):
        remove(target / name)
    about = {"model": info.model.name, "run": run.resolve().name, "data_set": table.manifest.digest, "split": split}
    write_scores(target / SCORES_NAME, scores.jets, scores.values, scores.columns, about)
    remove_significance(target)
    if planned is not None and expected is not None:
        origin = {**about, "e2egraph": __version__}
        write_significance(expected, planned.analysis, target, origin, scores.jets["run"], plots=plots)
    if plots:
        from e2egraph.plots.style import label_of

        judge.plots(found, judged, info.model.name, target, label_of(scores.jets["run"]))
    content = _report(found, info, table, split, parameters)
    if plots and report:
        from e2egraph.evaluation.pages.evaluation_page import write_evaluation_report

        expectation = None if planned is None or expected is None else (expected, planned.analysis)
        write_evaluation_report(target, content, network, info, table, numbers, judged, expectation)
    write_json(target / METRICS_NAME, content)
    remove_parts(target / SCORES_NAME, share)
    return EvaluationSummary(
        output=target,
        model=info.model.name,
        split=split,
        parameters=parameters,
        jets=len(scores),
        metrics=content,
        line=found.line,
        limits=found.limits,
        significance=expected,
        objects=objects,
    )


def _counted(found: Measured, unseen: int, objects: ObjectName) -> Measured:
    """The same with the number of objects that have no nodes, and a word on them where there are any."""
    found = replace(found, content={**found.content, "jets_without_nodes": unseen})
    words = f"{objects.count(unseen)} without nodes: no score, and no figure is of them"
    return _with_limit(found, *([words] if unseen else []))


def _with_limit(found: Measured, *words: str) -> Measured:
    limits = (*found.limits, *words)
    return replace(found, content={**found.content, "limits": list(limits)}, limits=limits)


def check_same_objective(folder: Path, manifest: Manifest, info: RunInfo) -> None:
    """InputError unless the data set has the objective that the run was trained for."""
    differing = difference(stored(manifest.objective), stored(info.objective))
    if differing is not None:
        theirs, own = differing
        raise InputError(
            f"{folder}: objective {theirs}, but {info.folder} was trained for {own}; give a data set of the same task."
        )


def _report(found: Measured, info: RunInfo, table: JetTable, split: str, parameters: int) -> dict[str, Any]:
    best = info.objective.best.name
    return {
        **found.content,
        "bootstrap": {"resamples": RESAMPLES, "seed": SEED, "strata": list(found.strata)},
        "model": info.model.name,
        "parameters": parameters,
        "task": info.data.task,
        "objective": stored(info.objective),
        "split": split,
        "node_selection": as_dict(info.recipe.data.nodes),
        "run": info.folder.resolve().name,
        "seed": info.seed,
        "checkpoint": "best",
        "best_epoch": info.summary.get("best_epoch"),
        f"validation_{best}": info.summary.get(f"validation_{best}"),
        "training_jets": info.summary.get("training_jets"),
        "training_jets_per_second": info.summary.get("jets_per_second"),
        "data_set": {"folder": str(table.folder.resolve()), "digest": table.manifest.digest},
        "trained_on": {"folder": info.data.folder, "digest": info.data.digest},
        "e2egraph": __version__,
        "code": code_state(),
    }


def _check_output(output: Path, run: Path) -> None:
    """An output folder is the run's own, new, empty, or that of an earlier evaluation, which may not be whole."""
    check_folder(output)
    for name in (METRICS_NAME, SCORES_NAME, REPORT_NAME):
        check_file(output / name)
    if not output.is_dir() or output.resolve() == run.resolve():
        return
    if all(name.startswith(SCORES_NAME + PARTS) for name in names_in(output)):
        return
    evaluated = (output / METRICS_NAME).is_file() or (output / SCORES_NAME).is_file()
    if not evaluated or (output / CONFIG).is_file():
        raise InputError(f"{output}: holds other files; choose another --output.")
