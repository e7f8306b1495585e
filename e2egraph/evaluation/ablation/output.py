"""What an ablation leaves next to its runs and ``ablation.json``: tables and plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from e2egraph.data.table import JetTable
from e2egraph.evaluation.ablation.cost_panels import cost_panels
from e2egraph.evaluation.ablation.results import Ablation, TrainingJets
from e2egraph.evaluation.ablation.runs import SPLIT, FinishedRun
from e2egraph.evaluation.ablation.tables import tables
from e2egraph.evaluation.compare.joined import join
from e2egraph.evaluation.compare.paired import Contender
from e2egraph.evaluation.compare.roc_overlay import OverlayBands, overlay_bands
from e2egraph.evaluation.metrics.figures import AUC, EFFICIENCY, FIGURES
from e2egraph.files import remove, write_text
from e2egraph.plots.ablation import plot_costs, plot_inputs, plot_learning_curve
from e2egraph.plots.roc_overlay import plot_roc_overlay
from e2egraph.plots.style import label_of

MARKDOWN_NAME, LATEX_NAME = "ablation.md", "ablation.tex"
ROC_STEM, ROC_INPUTS_STEM = "roc_overlay", "roc_by_inputs"
# Name → title of the figures drawn by inputs and by training jets.
DRAWN = {name: FIGURES[name].title for name in (AUC, EFFICIENCY)}

INPUTS_STEM, COSTS_STEM, CURVE_STEM = "inputs", "auc_against_cost", "learning_curve"


def write_tables(output: Path, ablation: Ablation) -> list[Path]:
    """``ablation.md`` and ``ablation.tex``."""
    made = tables(ablation)
    data = (
        f"Task {ablation.task} ({ablation.signal} is the signal), recipe {ablation.recipe}; trained on "
        f"{ablation.training_data.name} ({ablation.training_data.jets:,} training jets), tested on "
        f"{ablation.test_data.name} ({ablation.signal_jets:,} signal and {ablation.background_jets:,} background jets"
        f"{', parametric simulation, not CMS simulation' if ablation.simulation else ''})."
    )
    limits = "\n".join(f"- {limit}" for limit in ablation.limits)
    parts = ["# Ablation", f"`{ablation.command}`", data, *(table.markdown() for table in made)]
    parts += [f"### Limits\n\n{limits}"] if limits else []
    markdown, latex = output / MARKDOWN_NAME, output / LATEX_NAME
    write_text(markdown, "\n\n".join(parts) + "\n")
    head = f"% {ablation.command}\n% The tables need \\usepackage{{booktabs}}."
    write_text(latex, "\n\n".join([head, *(table.latex() for table in made)]) + "\n")
    return [markdown, latex]


def write_plots(output: Path, ablation: Ablation, runs: Sequence[FinishedRun], test: JetTable) -> list[Path]:
    """Every picture there is something to draw for; those of an earlier report do not stay where there is nothing."""
    label = label_of(test.columns["run"][test.jets_of(SPLIT)])
    made = {
        INPUTS_STEM: plot_inputs(ablation, DRAWN, output / INPUTS_STEM, label),
        COSTS_STEM: plot_costs(ablation, cost_panels(ablation, AUC), AUC, "ROC AUC", output / COSTS_STEM, label),
        CURVE_STEM: plot_learning_curve(ablation, DRAWN, output / CURVE_STEM, label),
        ROC_STEM: _roc_of_models(output / ROC_STEM, ablation, runs, label),
        ROC_INPUTS_STEM: _roc_by_inputs(output / ROC_INPUTS_STEM, ablation, runs, label),
    }
    for stem, paths in made.items():
        if paths is None:
            for suffix in (".png", ".pdf"):
                remove(output / (stem + suffix))
    return [path for paths in made.values() if paths is not None for path in paths]


def _roc_of_models(stem: Path, ablation: Ablation, runs: Sequence[FinishedRun], label: str) -> list[Path] | None:
    """All models on all inputs (else on the first row), with the most training jets that they share."""
    row = ablation.full_row or ablation.rows[0]
    jets = ablation.best_full_size()
    models = (ablation.reference, *(name for name in ablation.models if name != ablation.reference))
    groups = [(model, _runs_of(runs, row.name, model, jets)) for model in models]
    panel = _panel(f"{row.title} inputs, {_jets(jets)}", groups, ablation.signal)
    return None if panel is None else plot_roc_overlay([panel], stem, label)


def _roc_by_inputs(stem: Path, ablation: Ablation, runs: Sequence[FinishedRun], label: str) -> list[Path] | None:
    """A panel for each model with all its inputs, those of all inputs first; None unless there are several."""
    full = ablation.full_row
    rows = sorted(ablation.rows, key=lambda row: row is not full)
    panels = []
    for model in ablation.models:
        groups = [(row.title, _runs_of(runs, row.name, model, ablation.training_jets)) for row in rows]
        panels.append(_panel(f"{model}, {_jets(ablation.training_jets)}", groups, ablation.signal))
    drawn = [panel for panel in panels if panel is not None and len(panel[1].curves) > 1]
    return plot_roc_overlay(drawn, stem, label) if drawn else None


def _panel(
    title: str, groups: Sequence[tuple[str, Sequence[FinishedRun]]], signal: str
) -> tuple[str, OverlayBands] | None:
    """The curves of ``groups`` (name, its seeds), without those that have no runs; None where none has."""
    contenders: list[Contender] = []
    drawn: list[FinishedRun] = []
    for name, own in groups:
        if own:
            seeds = f", {len(own)} seeds" if len(own) > 1 else ""
            contenders.append(Contender(f"{name}{seeds}", tuple(range(len(drawn), len(drawn) + len(own)))))
            drawn += own
    if not drawn:
        return None
    joined = join([run.evaluated.scores() for run in drawn], [str(run.info.folder) for run in drawn], signal)
    return title, overlay_bands(joined, contenders)


def _runs_of(runs: Sequence[FinishedRun], row: str, model: str, jets: TrainingJets) -> list[FinishedRun]:
    return [run for run in runs if (run.plan.row.name, run.plan.name, run.plan.training_jets) == (row, model, jets)]


def _jets(jets: TrainingJets) -> str:
    return f"{'all' if jets is None else f'{jets:,}'} training jets"
