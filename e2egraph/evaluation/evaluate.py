"""``evaluate``: a run and a data set → ``metrics.json``, ``scores.parquet`` and plots."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from e2egraph import __version__
from e2egraph.config import as_dict
from e2egraph.data.parts import PARTS
from e2egraph.data.scores import write_scores
from e2egraph.data.share import ALONE, Share
from e2egraph.data.table import JetTable, read_table
from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.bootstrap import RESAMPLES, SEED
from e2egraph.evaluation.metrics.tagging import TaggingMetrics
from e2egraph.evaluation.metrics_report import MASSES, QUANTITIES, MetricsReport, metrics_report
from e2egraph.evaluation.pages.page import REPORT_NAME
from e2egraph.evaluation.predictions import predict_all
from e2egraph.evaluation.significance.evaluation import plan, planned_significance
from e2egraph.evaluation.significance.results import Significance
from e2egraph.evaluation.significance.write import remove_significance, write_significance
from e2egraph.files import write_json
from e2egraph.models.registry import parameter_count
from e2egraph.training.environment import code_state
from e2egraph.training.load import load_run
from e2egraph.training.run_folder import CONFIG, RunInfo

METRICS_NAME, SCORES_NAME = "metrics.json", "scores.parquet"
ROC_STEM, SCORES_STEM, SCULPTING_STEM, BINS_STEM = "roc", "scores", "mass_sculpting", "bins"


@dataclass(frozen=True)
class EvaluationSummary:
    """What an evaluation found and where it wrote; ``significance`` where an analysis was given."""

    output: Path
    model: str
    split: str
    parameters: int
    metrics: TaggingMetrics
    significance: Significance | None = None


def evaluate(
    run: Path,
    data: Path | None = None,
    output: Path | None = None,
    *,
    split: str = "test",
    plots: bool = True,
    report: bool = True,
    analysis: str | None = None,
) -> EvaluationSummary:
    """Score a split with the run's best weights and write metrics, scores, plots and, with these, ``report.html``.

    ``data``: the data set the run was trained on, unless another with the same classes is given. ``output``: the run's
    own folder, unless another is given. ``analysis``: a counting experiment whose expected significance to add
    (``significance.analysis``). InputError: not a run, data set missing, damaged or of other classes, an empty split,
    signal or background missing from it, scores that are not finite, an output folder with other content; with an
    analysis also as ``significance.evaluation``.
    """
    summary = evaluate_share(run, data, output, split=split, plots=plots, report=report, analysis=analysis)
    assert summary is not None
    return summary


def evaluate_share(
    run: Path,
    data: Path | None = None,
    output: Path | None = None,
    *,
    split: str = "test",
    plots: bool = True,
    report: bool = True,
    analysis: str | None = None,
    share: Share = ALONE,
) -> EvaluationSummary | None:
    """``evaluate`` by several processes, which share the jets: the one that finishes last does all but the scoring.

    None for the others.
    """
    network, info = load_run(run)
    folder = Path(info.data.folder) if data is None else data
    table = read_table(folder, extra=QUANTITIES)
    if table.manifest.classes != info.data.classes or table.manifest.signal != info.data.signal:
        raise InputError(
            f"{folder}: classes {table.manifest.classes} (signal {table.manifest.signal}), but {run} was trained on "
            f"{info.data.classes} (signal {info.data.signal}); give a data set of the same task."
        )
    target = run if output is None else output
    _check_output(target, run)
    planned = None if analysis is None else plan(analysis, table, split)
    scores = predict_all(network, info, table, target / SCORES_NAME, split, share)
    if scores is None:
        return None
    jets, probabilities = scores.jets, scores.probabilities
    signal = info.data.classes.index(info.data.signal)
    is_signal, score = jets["label"] == signal, probabilities[:, signal]
    quantities = {name: table.columns[name][table.jets_of(split)] for name in QUANTITIES}
    found = metrics_report(scores, quantities, info.data.signal)
    expected = None if planned is None else planned_significance(planned, scores, info.data.signal)
    parameters = parameter_count(network)

    target.mkdir(parents=True, exist_ok=True)
    # Metrics are written last, so that they say the evaluation is whole; those of an earlier one are of other scores.
    for name in (METRICS_NAME, REPORT_NAME):
        (target / name).unlink(missing_ok=True)
    about = {"model": info.model.name, "run": run.resolve().name, "data_set": table.manifest.digest, "split": split}
    write_scores(target / SCORES_NAME, jets, probabilities, info.data.classes, about)
    remove_significance(target)
    if planned is not None and expected is not None:
        origin = {**about, "e2egraph": __version__}
        write_significance(expected, planned.analysis, target, origin, jets["run"], plots=plots)
    if plots:
        from e2egraph.plots.scores import label_of, plot_roc, plot_scores

        label, classes = label_of(jets["run"]), info.data.classes
        plot_roc(is_signal, score, jets["weight"], info.model.name, target / ROC_STEM, label)
        class_of = np.array(classes)[jets["label"]]
        plot_scores(score, class_of, classes, info.data.signal, target / SCORES_STEM, label, jets["weight"])
        _plot_where_known(found, target, label)
    content = _report(found, info, table, split, parameters)
    if plots and report:
        from e2egraph.evaluation.pages.evaluation_page import write_evaluation_report

        expectation = None if planned is None or expected is None else (expected, planned.analysis)
        write_evaluation_report(target, content, network, info, table, table.jets_of(split), scores, expectation)
    write_json(target / METRICS_NAME, content)
    return EvaluationSummary(target, info.model.name, split, parameters, found.tagging, expected)


def _plot_where_known(found: MetricsReport, target: Path, label: str) -> None:
    """Sculpting of the first mass that the data set holds, and bins; no plot of an earlier evaluation stays."""
    from e2egraph.plots.bins import plot_bins
    from e2egraph.plots.sculpting import plot_sculpting

    for stem in (SCULPTING_STEM, BINS_STEM):
        for suffix in (".png", ".pdf"):
            (target / (stem + suffix)).unlink(missing_ok=True)
    drawn = [found.sculpting[name] for name in MASSES if name in found.sculpting]
    if drawn:
        plot_sculpting(drawn[0], target / SCULPTING_STEM, label)
    if found.content["bins"]:
        plot_bins(found.content["bins"], target / BINS_STEM, label)


def _report(report: MetricsReport, info: RunInfo, table: JetTable, split: str, parameters: int) -> dict[str, Any]:
    return {
        **report.content,
        "bootstrap": {"resamples": RESAMPLES, "seed": SEED, "strata": ["signal", "background"]},
        "model": info.model.name,
        "parameters": parameters,
        "task": info.data.task,
        "classes": info.data.classes,
        "signal": info.data.signal,
        "split": split,
        "node_selection": as_dict(info.recipe.data.selection),
        "run": info.folder.resolve().name,
        "seed": info.seed,
        "checkpoint": "best",
        "best_epoch": info.summary.get("best_epoch"),
        "validation_auc": info.summary.get("validation_auc"),
        "training_jets": info.summary.get("training_jets"),
        "training_jets_per_second": info.summary.get("jets_per_second"),
        "data_set": {"folder": str(table.folder.resolve()), "digest": table.manifest.digest},
        "trained_on": {"folder": info.data.folder, "digest": info.data.digest},
        "e2egraph": __version__,
        "code": code_state(),
    }


def _check_output(output: Path, run: Path) -> None:
    """An output folder is the run's own, new, empty, or that of an earlier evaluation, which may not be whole."""
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: a file is in the way; choose another --output.")
    if not output.is_dir() or output.resolve() == run.resolve():
        return
    if all(path.name.startswith(SCORES_NAME + PARTS) for path in output.iterdir()):
        return
    evaluated = (output / METRICS_NAME).is_file() or (output / SCORES_NAME).is_file()
    if not evaluated or (output / CONFIG).is_file():
        raise InputError(f"{output}: holds other files; choose another --output.")
