"""What an ablation leaves beside its runs and ``ablation.json``: tables and plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from e2egraph.data.table import JetTable
from e2egraph.evaluation.ablation.plots import plot_costs, plot_inputs, plot_learning_curve
from e2egraph.evaluation.ablation.results import Ablation
from e2egraph.evaluation.ablation.runs import SPLIT, FinishedRun
from e2egraph.evaluation.ablation.tables import tables
from e2egraph.evaluation.joined import join
from e2egraph.evaluation.paired import Contender
from e2egraph.evaluation.plots import label_of
from e2egraph.evaluation.roc_overlay import overlay_bands, plot_roc_overlay
from e2egraph.training.run_folder import write_text

MARKDOWN_NAME, LATEX_NAME = "ablation.md", "ablation.tex"
ROC_STEM, INPUTS_STEM, COSTS_STEM, CURVE_STEM = "roc_overlay", "inputs", "auc_against_cost", "learning_curve"


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
        INPUTS_STEM: plot_inputs(ablation, output / INPUTS_STEM, label),
        COSTS_STEM: plot_costs(ablation, output / COSTS_STEM, label),
        CURVE_STEM: plot_learning_curve(ablation, output / CURVE_STEM, label),
        ROC_STEM: _overlay(output / ROC_STEM, ablation, runs, label),
    }
    for stem, paths in made.items():
        if paths is None:
            for suffix in (".png", ".pdf"):
                (output / (stem + suffix)).unlink(missing_ok=True)
    return [path for paths in made.values() if paths is not None for path in paths]


def _overlay(stem: Path, ablation: Ablation, runs: Sequence[FinishedRun], label: str) -> list[Path] | None:
    """All models on all inputs (else on the first row), with the most training jets that they share."""
    row = ablation.full_row or ablation.rows[0]
    jets = ablation.best_full_size()
    contenders: list[Contender] = []
    drawn: list[FinishedRun] = []
    for model in (ablation.reference, *(name for name in ablation.models if name != ablation.reference)):
        key = (row.name, model, jets)
        own = [run for run in runs if (run.plan.row.name, run.plan.name, run.plan.training_jets) == key]
        if own:
            seeds = f", {len(own)} seeds" if len(own) > 1 else ""
            contenders.append(Contender(f"{model}{seeds}", tuple(range(len(drawn), len(drawn) + len(own)))))
            drawn += own
    if not drawn:
        return None
    joined = join([run.evaluated.scores() for run in drawn], [str(run.info.folder) for run in drawn], ablation.signal)
    title = f"{row.title} inputs, {'all' if jets is None else f'{jets:,}'} training jets"
    return plot_roc_overlay(overlay_bands(joined, contenders), stem, label, title)
