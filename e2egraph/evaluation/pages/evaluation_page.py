"""The page of one evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from e2egraph.data.scores import Scores
from e2egraph.data.simulated import SIMULATION_NOTE, all_simulated
from e2egraph.data.table import JetTable
from e2egraph.evaluation.objectives.evaluation import evaluation_of
from e2egraph.evaluation.pages.jet_data import jet_data
from e2egraph.evaluation.pages.page import REPORT_NAME, Page, write_page
from e2egraph.evaluation.pages.sections.registry import Evaluated, make_sections
from e2egraph.evaluation.significance.analysis import Analysis
from e2egraph.evaluation.significance.results import Significance
from e2egraph.training.runs.run_folder import RunInfo

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

    ``metrics``: what goes into ``metrics.json``; ``numbers`` [J]: places in ``table`` of the objects of ``scores``;
    ``expected``: the expected significance and its analysis, if one was given. InputError when a shard is damaged.
    """
    objects = info.data.object_name
    judge = evaluation_of(info.objective, objects=objects)
    own = judge.report(metrics)
    shown = judge.shown_jets(scores)
    about = f", {own.about}" if own.about else ""
    notes = [
        f"Run {metrics['run']}: network {metrics['model']}, task {metrics['task']}{about}; {metrics['split']} "
        f"{objects.many} of data set {table.manifest.digest[:12]}."
    ]
    data: dict[str, Any] = {}
    if shown is not None and shown.chosen:
        data["jets"] = jet_data(network, info.reading, table, numbers, scores, shown)
    if all_simulated(scores.jets["run"]):
        notes.append(SIMULATION_NOTE)
    own = replace(own, plots={**own.plots, **SIGNIFICANCE_PLOT})
    evaluated = Evaluated(folder, metrics, info, own, shown, data.get("jets"), expected, objects)
    page = Page(
        title=f"{metrics['model']}: evaluation on {metrics['task']} {objects.many}",
        notes=tuple(notes),
        sections=make_sections(judge.sections, evaluated),
        scripts=("tables.js", *(("window.js", "jets.js") if data else ())),
        data=data,
    )
    return write_page(page, folder / REPORT_NAME)
