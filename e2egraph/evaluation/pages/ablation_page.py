"""The page of an ablation."""

from __future__ import annotations

import re
from pathlib import Path

from e2egraph.data.simulated import SIMULATION_NOTE
from e2egraph.evaluation.ablation.output import CURVE_STEM, INPUTS_STEM, OVERLAY_INPUTS_STEM, OVERLAY_STEM, costs_stem
from e2egraph.evaluation.ablation.results import Ablation, read_ablation
from e2egraph.evaluation.ablation.table import Table
from e2egraph.evaluation.ablation.tables import tables
from e2egraph.evaluation.pages.elements import (
    ABSENT,
    Cards,
    Cell,
    Section,
    count_cell,
    figure_cell,
    pictures,
    table,
)
from e2egraph.evaluation.pages.elements import Table as PageTable
from e2egraph.evaluation.pages.page import REPORT_NAME, Page, write_page
from e2egraph.evaluation.pages.provenance import as_yaml, command_line, environment_facts, without_paths
from e2egraph.training.runs.environment import describe_environment

# What a figure begins with: a sign, digits with commas between thousands, a power of ten.
_NUMBER = re.compile(r"[<>≤≥≈~ ]*([+−-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?)(?![\w:/])")


def write_ablation_report(folder: Path) -> Path:
    """Write ``report.html`` of the ``ablation.json`` in ``folder``, with the plots that are there.

    InputError as ``read_ablation``.
    """
    ablation = read_ablation(folder)
    models = " and ".join(
        [", ".join(ablation.models[:-1]), ablation.models[-1]] if ablation.models[1:] else ablation.models
    )
    many = ablation.objects.many
    notes = [
        f"{ablation.objective.capitalize()}"
        f"{'' if ablation.signal is None else f', signal {ablation.signal}'}; {ablation.split} {many} of data set "
        f"{ablation.test_data.digest[:12]}; differences to {ablation.reference} on the same {many}."
    ]
    if ablation.simulation:
        notes.append(SIMULATION_NOTE)
    page = Page(
        title=f"{models}: ablation of inputs on task {ablation.task}",
        notes=tuple(notes),
        sections={
            "summary": _summary(ablation),
            "plots": Section("Plots", "plots.html.j2", {"pictures": pictures(folder, _plots(ablation))}),
            "tables": Section("Tables", "tables.html.j2", {"tables": [_table(one) for one in tables(ablation)]}),
            "runs": Section("Runs", "tables.html.j2", {"tables": [_runs(ablation)]}),
            "configuration": _configuration(ablation),
            "provenance": _provenance(ablation),
        },
        scripts=("tables.js",),
        data={},
    )
    return write_page(page, folder / REPORT_NAME)


def _plots(ablation: Ablation) -> dict[str, tuple[str, str]]:
    """Files without suffix → caption and what a reader sees in the picture."""
    both = " and ".join(figure.title for figure in ablation.figures)
    main = ablation.figures[0].title
    return {
        OVERLAY_STEM: (
            "ROC curves",
            "Background rejection against signal efficiency of each model with error bands, and ratios to the "
            "reference",
        ),
        OVERLAY_INPUTS_STEM: (
            "ROC curves by inputs",
            "Background rejection against signal efficiency of each model by its inputs, and ratios to the first of "
            "them",
        ),
        INPUTS_STEM: ("Figures by inputs", f"{both} of each model, one line for each inputs"),
        costs_stem(ablation.figures[0]): (
            f"{main} against cost",
            f"{main} of each model against milliseconds and operations per {ablation.objects.one}",
        ),
        CURVE_STEM: ("Learning curve", f"{both} against the number of training {ablation.objects.many}"),
    }


def _summary(ablation: Ablation) -> Section:
    classes = ""
    if ablation.signal_jets is not None and ablation.background_jets is not None:
        numbers = (count_cell(number).text for number in (ablation.signal_jets, ablation.background_jets))
        classes = "{} signal, {} background".format(*numbers)
    shown = _full_figures(ablation) | {
        f"Test {ablation.objects.many}": (count_cell(ablation.test_data.jets).text, classes),
        "Runs": (str(len(ablation.runs)), f"{len(ablation.rows)} inputs, {len(ablation.models)} models"),
    }
    values = {
        "cards": shown,
        "note": "No row holds all inputs." if ablation.full_row is None else "",
        "limits": [without_paths(limit) for limit in ablation.limits],
        "tables": [],
    }
    return Section("Summary", "summary.html.j2", values)


def _full_figures(ablation: Ablation) -> Cards:
    """Cards of each model with all inputs and the largest number of training jets that all models share."""
    full = ablation.full_row
    if full is None:
        return {}
    shown: Cards = {}
    for name in ablation.models:
        cell = ablation.cell(full.name, name, ablation.best_full_size())
        if cell is None:
            continue
        for figure in ablation.figures:
            found = cell.figures[figure.name]
            if found.mean is None:
                continue
            error = "" if found.error is None else f"± {found.error:.{figure.digits}f}; "
            seeds = f"{len(cell.seeds)} seed{'s' if cell.seeds[1:] else ''}"
            note = f"{error}{count_cell(cell.jets_learnt).text} training {ablation.objects.many}, {seeds}"
            if ablation.same_test_jets is False and cell.test_jets is not None:
                note += f", {count_cell(cell.test_jets).text} test {ablation.objects.many}"
            value = f"{found.mean:.{figure.digits}f} {figure.unit}".strip()
            shown[f"{name}: {figure.title}"] = (value, note)
    return shown


def _table(one: Table) -> PageTable:
    rows: list[list[Cell | str]] = [[*row[: one.names], *map(number_cell, row[one.names :])] for row in one.rows]
    return table(one.title, one.header, rows, one.note)


def number_cell(text: str) -> Cell:
    """``text`` sorted by the figure that it begins with; as words where it begins with none."""
    found = _NUMBER.match(text)
    return Cell(text) if found is None else Cell(text, float(found[1].replace(",", "").replace("−", "-")))


def _runs(ablation: Ablation) -> PageTable:
    many = ablation.objects.many
    header = [
        "inputs",
        "model",
        f"training {many}",
        "seed",
        *(figure.head for figure in ablation.figures),
    ]
    unseen = any(run.jets_without_nodes for run in ablation.runs)
    header += [f"test {many}", "without nodes"] if unseen else []
    header += ["parameters", "best epoch", f"validation {ablation.best}", f"training {many}/s"]
    rows: list[list[Cell | str]] = [
        [
            run.row,
            run.model,
            count_cell(run.jets_learnt),
            Cell(str(run.seed), float(run.seed)),
            *(
                figure_cell(run.figures.get(figure.name), run.errors.get(figure.name), figure.digits)
                for figure in ablation.figures
            ),
            *([_known(run.test_jets), _known(run.jets_without_nodes)] if unseen else []),
            count_cell(run.parameters),
            Cell(f"{run.best_epoch} of {run.epochs}", float(run.best_epoch)),
            figure_cell(run.validation),
            figure_cell(run.training_jets_per_second, None, 0),
        ]
        for run in ablation.runs
    ]
    return table(f"Every run; errors by bootstrap of the test {ablation.objects.many}", header, rows)


def _known(number: int | None) -> Cell:
    return Cell(ABSENT) if number is None else count_cell(number)


def _configuration(ablation: Ablation) -> Section:
    rows: list[list[Cell | str]] = [
        [
            row.title,
            ", ".join(row.nodes) if row.nodes is not None else "all",
            ", ".join(row.image) if row.image is not None else "all",
            ", ".join(row.hide) or ABSENT,
        ]
        for row in ablation.rows
    ]
    header = ["inputs", "detector layers of point clouds", "planes of images", "variables hidden"]
    settings = {"recipe": ablation.recipe, **ablation.recipe_settings, "settings": list(ablation.settings)}
    values = {"tables": [table("Inputs", header, rows)], "facts": {}, "folded": {"Recipe": as_yaml(settings)}}
    return Section("Configuration", "details.html.j2", values)


def _provenance(ablation: Ablation) -> Section:
    made = {
        "command": command_line(ablation.command),
        "e2egraph": ablation.e2egraph,
        "trained on": f"{ablation.training_data.name}, digest {ablation.training_data.digest}, "
        f"{count_cell(ablation.training_data.jets).text} {ablation.objects.many}",
        "evaluated on": f"{ablation.test_data.name}, digest {ablation.test_data.digest}, split {ablation.split}, "
        f"{count_cell(ablation.test_data.jets).text} {ablation.objects.many}",
        "paired resamples": str(ablation.resamples),
    }
    values = {
        "tables": [],
        "facts": {"Ablation": made, "This page": environment_facts(describe_environment())},
        "folded": {"Machine on which costs were measured": as_yaml(ablation.machine)},
    }
    return Section("Provenance", "details.html.j2", values)
