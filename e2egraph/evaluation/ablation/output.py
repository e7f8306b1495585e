"""What an ablation leaves next to its runs and ``ablation.json``: tables and plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from e2egraph.data.table import JetTable
from e2egraph.evaluation.ablation.cost_panels import cost_panels
from e2egraph.evaluation.ablation.results import Ablation, TrainingJets
from e2egraph.evaluation.ablation.runs import SPLIT, FinishedRun
from e2egraph.evaluation.ablation.tables import tables, training_jets
from e2egraph.evaluation.compare.paired_result import Contender
from e2egraph.evaluation.objectives.evaluation import ComparedFigure, Evaluation, Overlay
from e2egraph.files import remove, write_text
from e2egraph.plots.ablation import plot_costs, plot_inputs, plot_learning_curve
from e2egraph.plots.style import label_of

MARKDOWN_NAME, LATEX_NAME = "ablation.md", "ablation.tex"
OVERLAY_STEM, OVERLAY_INPUTS_STEM = "roc_overlay", "roc_by_inputs"
INPUTS_STEM, CURVE_STEM = "inputs", "learning_curve"


def write_tables(output: Path, ablation: Ablation) -> list[Path]:
    """``ablation.md`` and ``ablation.tex``."""
    made = tables(ablation)
    test = f"{ablation.test_data.jets:,} {ablation.objects.many}"
    if ablation.signal is not None:
        signal = f"{ablation.signal_jets:,} signal ({ablation.signal})"
        test = f"{signal} and {ablation.background_jets:,} background {ablation.objects.many}"
    if ablation.simulation:
        test += ", parametric simulation, not CMS simulation"
    data = (
        f"Task {ablation.task}, {ablation.objective}, recipe {ablation.recipe}; trained on "
        f"{ablation.training_data.name} ({ablation.training_data.jets:,} training {ablation.objects.many}), tested on "
        f"{ablation.test_data.name} ({test})."
    )
    limits = "\n".join(f"- {limit}" for limit in ablation.limits)
    parts = ["# Ablation", f"`{ablation.command}`", data, *(table.markdown() for table in made)]
    parts += [f"### Limits\n\n{limits}"] if limits else []
    markdown, latex = output / MARKDOWN_NAME, output / LATEX_NAME
    write_text(markdown, "\n\n".join(parts) + "\n")
    head = f"% {ablation.command}\n% The tables need \\usepackage{{booktabs}}."
    write_text(latex, "\n\n".join([head, *(table.latex() for table in made)]) + "\n")
    return [markdown, latex]


def costs_stem(figure: ComparedFigure) -> str:
    """The file of a figure against its costs, without suffix."""
    return f"{figure.name}_against_cost"


def write_plots(
    output: Path, ablation: Ablation, judge: Evaluation, runs: Sequence[FinishedRun], test: JetTable
) -> list[Path]:
    """Every picture there is something to draw for; those of an earlier report do not stay where there is nothing."""
    label = label_of(test.columns["run"][test.jets_of(SPLIT)])
    drawn = {figure.name: figure.head for figure in ablation.figures}
    main = ablation.figures[0]
    costs = costs_stem(main)
    made = {
        INPUTS_STEM: plot_inputs(ablation, drawn, output / INPUTS_STEM, label),
        costs: plot_costs(ablation, cost_panels(ablation, main), main.name, main.head, output / costs, label),
        CURVE_STEM: plot_learning_curve(ablation, drawn, output / CURVE_STEM, label),
        OVERLAY_STEM: _overlay_of_models(output / OVERLAY_STEM, ablation, judge, runs, label),
        OVERLAY_INPUTS_STEM: _overlay_by_inputs(output / OVERLAY_INPUTS_STEM, ablation, judge, runs, label),
    }
    for stem, paths in made.items():
        if paths is None:
            for suffix in (".png", ".pdf"):
                remove(output / (stem + suffix))
    return [path for paths in made.values() if paths is not None for path in paths]


def _overlay_of_models(
    stem: Path, ablation: Ablation, judge: Evaluation, runs: Sequence[FinishedRun], label: str
) -> list[Path] | None:
    """All models on all inputs (else on the first row), with the most training jets that they share."""
    row = ablation.full_row or ablation.rows[0]
    jets = ablation.best_full_size()
    models = (ablation.reference, *(name for name in ablation.models if name != ablation.reference))
    groups = [(model, _runs_of(runs, row.name, model, jets)) for model in models]
    panel = _panel(f"{row.title} inputs, {training_jets(ablation, jets)}", groups)
    return None if panel is None else judge.plot_overlays([panel], stem, label)


def _overlay_by_inputs(
    stem: Path, ablation: Ablation, judge: Evaluation, runs: Sequence[FinishedRun], label: str
) -> list[Path] | None:
    """A panel for each model with all its inputs, those of all inputs first; None unless there are several."""
    full = ablation.full_row
    rows = sorted(ablation.rows, key=lambda row: row is not full)
    panels = []
    for model in ablation.models:
        groups = [(row.title, _runs_of(runs, row.name, model, ablation.training_jets)) for row in rows]
        panels.append(_panel(f"{model}, {training_jets(ablation, ablation.training_jets)}", groups))
    drawn = [panel for panel in panels if panel is not None and len(panel.contenders) > 1]
    return judge.plot_overlays(drawn, stem, label) if drawn else None


def _panel(title: str, groups: Sequence[tuple[str, Sequence[FinishedRun]]]) -> Overlay | None:
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
    scores = [run.evaluated.scores() for run in drawn]
    return Overlay(title, scores, [str(run.info.folder) for run in drawn], contenders)


def _runs_of(runs: Sequence[FinishedRun], row: str, model: str, jets: TrainingJets) -> list[FinishedRun]:
    return [run for run in runs if (run.plan.row.name, run.plan.name, run.plan.training_jets) == (row, model, jets)]
