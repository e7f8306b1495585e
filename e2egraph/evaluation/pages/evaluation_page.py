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
from e2egraph.data.table import JetTable
from e2egraph.evaluation.pages.chosen_jets import choose_jets
from e2egraph.evaluation.pages.elements import Section, bullets, facts, folded, paragraph, plots_section
from e2egraph.evaluation.pages.jet_data import CELL_CRYSTALS, jet_data
from e2egraph.evaluation.pages.metrics_tables import (
    bin_tables,
    class_tables,
    figures_table,
    reliability_table,
    summary_cards,
)
from e2egraph.evaluation.pages.page import REPORT_NAME, Page, resource, write_page
from e2egraph.evaluation.pages.provenance import as_yaml, environment_facts
from e2egraph.evaluation.pages.significance_section import significance_section
from e2egraph.evaluation.significance.analysis import Analysis
from e2egraph.evaluation.significance.results import Significance
from e2egraph.evaluation.simulated import SIMULATION_NOTE, all_simulated
from e2egraph.training.environment import describe_environment
from e2egraph.training.run_folder import RunInfo

# Plots of an evaluation, by the names of their files without suffix: (caption, what a reader sees in it).
PLOTS = {
    "roc": ("ROC curve", "Background rejection against signal efficiency with its error band and 1% mistag marked"),
    "scores": ("Scores by class", "Signal score in each class, normalised to one, and the ratio of signal to all else"),
    "mass_sculpting": (
        "Background mass before and after a cut on the score",
        "Mass spectrum of all background jets and of those with the highest scores, and their ratio",
    ),
    "bins": ("In bins of jet quantities", "AUC, signal efficiency and mistag rate in bins of each quantity"),
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
    signal = scores.classes.index(info.data.signal)
    chosen = choose_jets(scores.jets["label"] == signal, scores.probabilities[:, signal])
    jets = jet_data(network, info.recipe.data, table, numbers, scores, signal, chosen)
    notes = [
        f"Run {metrics['run']}: network {metrics['model']}, task {metrics['task']}, signal {metrics['signal']} of "
        f"{', '.join(metrics['classes'])}; {metrics['split']} jets of data set {table.manifest.digest[:12]}."
    ]
    if all_simulated(scores.jets["run"]):
        notes.append(SIMULATION_NOTE)
    page = Page(
        title=f"{metrics['model']}: evaluation on {metrics['task']} jets",
        notes=tuple(notes),
        sections=(
            _summary(metrics),
            *([] if expected is None else [significance_section(*expected)]),
            plots_section(folder, PLOTS),
            _jets(jets, info.data.signal),
            Section("tables", "Tables", (*bin_tables(metrics), reliability_table(metrics), *class_tables(metrics))),
            _configuration(info),
            _provenance(metrics, info),
        ),
        scripts=("tables.js", "window.js", "jets.js"),
        data={"jets": jets},
    )
    return write_page(page, folder / REPORT_NAME)


def _summary(metrics: Mapping[str, Any]) -> Section:
    limits = [bullets(metrics["limits"], "limits")] if metrics["limits"] else []
    return Section("summary", "Summary", (summary_cards(metrics), *limits, figures_table(metrics)))


def _jets(jets: Mapping[str, Any], signal: str) -> Section:
    image = (
        "The image is the one this network reads, drawn from the same nodes."
        if jets["image_is_input"]
        else "This network reads nodes; the image is drawn from the same nodes, with the published planes."
    )
    effect = (
        f"Effects are changes of the log-odds of {signal} when nodes are left out: those of one channel, or those of a "
        f"square of {CELL_CRYSTALS}×{CELL_CRYSTALS} crystals, which all nodes in it share. Above zero they speak for "
        f"{signal} (red), below against it (blue)."
    )
    chosen = (
        "Best jets are the surest right ones of signal and background, worst the surest wrong ones (or nearest to it), "
        "random ones are drawn with a fixed seed."
    )
    return Section("jets", "Jets", (*(paragraph(text) for text in (chosen, image, effect)), resource("jets.html")))


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
        "validation AUC": _recorded(metrics["validation_auc"]),
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
