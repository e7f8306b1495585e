"""The page of a comparison of particle flow by rules, by truth and by networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from e2egraph import __version__
from e2egraph.evaluation.pages.elements import Cards, Cell, Section, Table, count_cell, pictures, table
from e2egraph.evaluation.pages.page import REPORT_NAME, Page, write_page
from e2egraph.evaluation.pages.provenance import command_line, environment_facts
from e2egraph.evaluation.particleflow import calibration
from e2egraph.evaluation.particleflow.byelement import SAME_FAKES
from e2egraph.evaluation.particleflow.columns import PERFECT, RULES, TARGET
from e2egraph.evaluation.particleflow.compare import SUM_ABS_ETA
from e2egraph.evaluation.particleflow.figures import Comparison, Figure
from e2egraph.evaluation.particleflow.figuretext import (
    NOTE,
    Rows,
    difference_text,
    members,
    rows_of,
    shown_columns,
    value_text,
)
from e2egraph.training.runs.environment import describe_environment

# Part of the comparison → name and title of its section, and what its bins are.
_PARTS = {
    "jets": ("jets", "Jets", "generated jet pT"),
    calibration.PART: ("calibration", "Jets after one calibration", "generated jet pT"),
    "recoil": ("recoil", "Recoil", "acceptance"),
    "missing momentum": ("missing", "Missing momentum", "events"),
    "particles": ("particles", "Particles by class", "class"),
    "pile-up": ("pile-up", "Pile-up", "of"),
}

# Part → what stands above its tables.
_NOTES = {
    calibration.PART: "Median response in bins of pT of another split, undone by numerical inversion; its own error is "
    "in that of what comes after.",
    "recoil": "Half the central 68% of the components of Σp⃗T measured minus true.",
    "missing momentum": "Along the direction of the neutrinos' Σp⃗T: measured over true.",
    "particles": "By direction: the nearest candidate of the same class. By element: the candidate of the element that "
    "stands for the particle.",
}

# Jets whose resolution is told in large figures.
_CARD_BIN = "50-100 GeV"
# What the first table tells: part, quantity, bin, and how it is called.
_FIRST = (
    *(
        ("jets", "resolution", where, f"Resolution of jets, {where}")
        for where in ("30-50 GeV", "50-100 GeV", "100-200 GeV")
    ),
    ("recoil", "component, half width [GeV]", f"|η| < {SUM_ABS_ETA:g}", "Recoil component, half width [GeV]"),
    ("particles", SAME_FAKES, "photon", "Photons, efficiency at the rules' fake rate"),
    ("particles", SAME_FAKES, "neutral_hadron", "Neutral hadrons, efficiency at the rules' fake rate"),
    ("particles", "efficiency by element", "charged_hadron", "Charged hadrons, efficiency"),
    ("particles", "fake rate by element", "charged_hadron", "Charged hadrons, fake rate"),
)


def write_flow_report(
    folder: Path,
    comparison: Comparison,
    command: str,
    about: Mapping[str, Any],
    plots: Mapping[str, Mapping[str, tuple[str, str]]],
    displays: Mapping[str, tuple[str, str]],
) -> Path:
    """Write ``report.html`` in ``folder``.

    ``about``: as of ``write_comparison``; ``plots``: part → files without suffix → caption and what a reader sees in
    the picture; ``displays``: the same of single events.
    """
    sections = {"summary": _summary(comparison)}
    differences = _differences(comparison)
    for part, (name, title, bins) in _PARTS.items():
        if rows := rows_of(comparison, part):
            shown = pictures(folder, plots.get(part, {}))
            values = {
                "pictures": shown,
                "note": " ".join(filter(None, (_NOTES.get(part), differences))),
                "tables": _tables(comparison, rows, bins),
            }
            sections[name] = Section(title, "figures_and_tables.html.j2", values)
    if displays:
        wide = [replace(one, wide=True) for one in pictures(folder, displays)]
        values = {"pictures": wide}
        sections["displays"] = Section("Event displays", "plots.html.j2", values)
    sections["provenance"] = _provenance(command, about)
    compared = [RULES, "truth", *(name for name in comparison.columns if name not in (RULES, TARGET, PERFECT))]
    page = Page(
        title=f"Particle flow: {', '.join(compared[:-1])} and {compared[-1]}",
        notes=(
            f"{comparison.events:,} events ({_split(about)}) of data set {str(about['data_set'])[:12]}.",
            "Parametric simulation, not CMS simulation.",
        ),
        sections=sections,
        scripts=("tables.js",),
        data={},
    )
    return write_page(page, folder / REPORT_NAME)


def _summary(comparison: Comparison) -> Section:
    measured = [name for name in comparison.columns if name not in (TARGET, PERFECT)]
    cards: Cards = {"Events": (f"{comparison.events:,}", "")}
    for column in measured:
        figure = comparison.value("jets", "resolution", _CARD_BIN, column)
        if figure is not None and np.isfinite(figure.value):
            less = difference_text(figure)
            note = f"± {100 * figure.error:.2f}%" if np.isfinite(figure.error) else ""
            note += f"; {less} against {comparison.reference}" if less else ""
            cards[f"{column}: resolution of jets of {_CARD_BIN}"] = (f"{100 * figure.value:.2f}%", note)
    rows: list[list[Cell | str]] = []
    for part, quantity, where, title in _FIRST:
        row = {column: comparison.value(part, quantity, where, column) for column in measured}
        if any(row.values()):
            rows.append([title, *(_cell(row[column]) for column in measured)])
    first = table("At a glance", ["figure", *measured], rows, _differences(comparison) if measured[1:] else "")
    values = {"cards": cards, "note": NOTE, "limits": [], "tables": [first]}
    return Section("Summary", "summary.html.j2", values)


def _tables(comparison: Comparison, rows: Rows, bins: str) -> list[Table]:
    """One for each quantity."""
    found = []
    for quantity in dict.fromkeys(quantity for quantity, _ in rows):
        own: Rows = {key: row for key, row in rows.items() if key[0] == quantity}
        shown = shown_columns(comparison, own)
        content: list[list[Cell | str]] = [
            [where.replace("_", " "), count_cell(members(row)), *(_cell(row.get(name)) for name in shown)]
            for (_, where), row in own.items()
        ]
        title = "jet pT" if quantity == "fake rate" and bins.endswith("pT") else bins
        found.append(table(f"{quantity[:1].upper()}{quantity[1:]}", [title, "n", *shown], content))
    return found


def _differences(comparison: Comparison) -> str:
    return f"Second lines: difference to {comparison.reference}, as a share of it." if comparison.columns[1:] else ""


def _cell(figure: Figure | None) -> Cell:
    number = float(figure.value) if figure is not None and np.isfinite(figure.value) else None
    return Cell(value_text(figure), number, difference_text(figure) if number is not None else "")


def _provenance(command: str, about: Mapping[str, Any]) -> Section:
    made = {
        "command": command_line(command),
        "e2egraph": __version__,
        "data set": str(about["data_set"]),
        "events": _split(about),
        "jets calibrated on": f"split {about['calibrated_on']}" if about["calibrated_on"] else "nothing",
        "paired resamples": str(about["resamples"]),
    }
    facts = {"Comparison": made, "This page": environment_facts(describe_environment())}
    return Section("Provenance", "details.html.j2", {"tables": [], "facts": facts, "folded": {}})


def _split(about: Mapping[str, Any]) -> str:
    return "all splits" if about["split"] == "all" else f"split {about['split']}"
