"""The page of one evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from e2egraph.config import as_dict
from e2egraph.data.scores import Scores
from e2egraph.data.simulated import SIMULATION_NOTE, all_simulated
from e2egraph.data.table import JetTable
from e2egraph.evaluation.objectives.evaluation import ReportParts, ShownJets, evaluation_of
from e2egraph.evaluation.pages.elements import Section, bullets, facts, folded, paragraph, plots_section
from e2egraph.evaluation.pages.jet_data import CELL_CRYSTALS, jet_data
from e2egraph.evaluation.pages.page import REPORT_NAME, Page, resource, write_page
from e2egraph.evaluation.pages.provenance import as_yaml, environment_facts
from e2egraph.evaluation.pages.significance_section import significance_section
from e2egraph.evaluation.significance.analysis import Analysis
from e2egraph.evaluation.significance.results import Significance
from e2egraph.training.environment import describe_environment
from e2egraph.training.run_folder import RunInfo

SIGNIFICANCE_PLOT = {
    "significance": ("Expected significance", "Significance against the threshold of the score, and that of the cuts"),
}


def write_evaluation_report(
    folder: Path,
    metrics: Mapping[str, Any],
    network: nn.Module,
    info: RunInfo,
    table: JetTable,
    numbers: NDArray[np.int64],
    scores: Scores,
    expected: tuple[Significance, Analysis] | None = None,
) -> Path:
    """Write ``report.html`` in ``folder``, with the plots that are there.

    ``metrics``: what goes into ``metrics.json``; ``numbers`` [J]: places in ``table`` of the jets of ``scores``;
    ``expected``: the expected significance and its analysis, if one was given. InputError when a shard is damaged.
    """
    judge = evaluation_of(info.objective)
    own = judge.report(metrics)
    shown = judge.shown_jets(scores)
    about = f", {own.about}" if own.about else ""
    notes = [
        f"Run {metrics['run']}: network {metrics['model']}, task {metrics['task']}{about}; {metrics['split']} jets of "
        f"data set {table.manifest.digest[:12]}."
    ]
    data: dict[str, Any] = {}
    if shown is not None and shown.chosen:
        data["jets"] = jet_data(network, info.recipe.data, table, numbers, scores, shown)
    if all_simulated(scores.jets["run"]):
        notes.append(SIMULATION_NOTE)
    page = Page(
        title=f"{metrics['model']}: evaluation on {metrics['task']} jets",
        notes=tuple(notes),
        sections=(
            _summary(metrics, own),
            *([] if expected is None else [significance_section(*expected)]),
            plots_section(folder, {**own.plots, **SIGNIFICANCE_PLOT}),
            *([] if shown is None or not data else [_jets(data["jets"], shown)]),
            *([Section("tables", "Tables", tuple(own.tables))] if own.tables else []),
            _configuration(info),
            _provenance(metrics, info),
        ),
        scripts=("tables.js", *(("window.js", "jets.js") if data else ())),
        data=data,
    )
    return write_page(page, folder / REPORT_NAME)


def _summary(metrics: Mapping[str, Any], own: ReportParts) -> Section:
    limits = [bullets(metrics["limits"], "limits")] if metrics["limits"] else []
    return Section("summary", "Summary", (*own.summary[:1], *limits, *own.summary[1:]))


def _jets(jets: Mapping[str, Any], shown: ShownJets) -> Section:
    image = (
        "The image is the one this network reads, drawn from the same nodes."
        if jets["image_is_input"]
        else "This network reads nodes; the image is drawn from the same nodes, with the published planes."
    )
    what = f"the log-odds of {shown.of}" if shown.is_class else shown.effect
    effect = (
        f"Effects are changes of {what} when nodes are left out: those of one channel, or those of a square of "
        f"{CELL_CRYSTALS}×{CELL_CRYSTALS} crystals, which all nodes in it share. Above zero they speak for {shown.of} "
        "(red), below against it (blue)."
    )
    return Section(
        "jets", "Jets", (*(paragraph(text) for text in (*shown.words, image, effect)), resource("jets.html"))
    )


def _configuration(info: RunInfo) -> Section:
    content = {"model": as_dict(info.model), **as_dict(info.recipe), "seed": info.seed}
    return Section(
        "configuration",
        "Configuration",
        (folded("Network and training", as_yaml(content)), folded("Task", as_yaml(info.data.configuration))),
    )


def _provenance(metrics: Mapping[str, Any], info: RunInfo) -> Section:
    same = metrics["data_set"]["digest"] == metrics["trained_on"]["digest"]
    made = {
        "evaluated on": f"data set {metrics['data_set']['digest']}, split {metrics['split']}",
        "trained on": "the same data set" if same else f"data set {metrics['trained_on']['digest']}",
        "task configuration": f"{metrics['task']}, SHA-256 {info.data.configuration_sha256}",
        "training jets": _recorded(metrics["training_jets"]),
        "weights": f"{metrics['checkpoint']}, of epoch {_recorded(metrics['best_epoch'])}",
        f"validation {info.objective.best.title}": _recorded(metrics[f"validation_{info.objective.best.name}"]),
        "seed": str(metrics["seed"]),
    }
    return Section(
        "provenance",
        "Provenance",
        (
            facts("Data and weights", made),
            facts("Evaluation", environment_facts(describe_environment())),
            facts("Training", environment_facts(info.environment)),
        ),
    )


def _recorded(value: Any) -> str:
    return "not recorded" if value is None else str(value)
