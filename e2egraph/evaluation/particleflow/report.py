"""A comparison on disk: JSON with its command, a table in Markdown, figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from e2egraph.evaluation.particleflow.columns import FlowEvents
from e2egraph.evaluation.particleflow.compare import Comparison, Figure
from e2egraph.files import write_json, write_text
from e2egraph.folders import make_folder

JSON_NAME, TABLE_NAME = "particle_flow.json", "particle_flow.md"

NOTE = (
    "Parametric simulation, not CMS simulation. Jets: anti-kT 0.4 of each column's particles, within 0.2 of jets of "
    "the generator's visible ones, |η| < 1.5; resolution: half the central 68% of pT,reco/pT,gen over its median. "
    "Errors and differences by bootstrap over events, paired. Rules and perfect association: tracks of other vertices "
    "taken out; target: particles with most of their energy from pile-up taken out. Particles: next to the targets; at "
    "the rules' fake rate: with a cut on the network's probability, or all candidates where fewer are fakes. "
    "Events count alike, whatever their weights."
)


def write_comparison(
    folder: Path, comparison: Comparison, events: FlowEvents, command: str, about: Mapping[str, Any]
) -> list[Path]:
    """Write JSON, table and figures to ``folder``; their paths. InputError when they cannot be written."""
    from e2egraph.plots.particleflow import jet_figures

    make_folder(folder)
    content = {"command": command, "note": NOTE, **about, **comparison.as_json()}
    write_json(folder / JSON_NAME, content)
    write_text(folder / TABLE_NAME, markdown(comparison, command))
    written = [folder / JSON_NAME, folder / TABLE_NAME]
    runs = np.asarray(events.clouds.jets["run"])
    return written + jet_figures(folder, comparison, runs)


def markdown(comparison: Comparison, command: str) -> str:
    """The comparison as tables, a row for each quantity and bin, with each column's difference to the rules."""
    lines = [f"`{command}`", "", f"{comparison.events} events. {NOTE}", ""]
    parts = list(dict.fromkeys(figure.part for figure in comparison.figures))
    for part in parts:
        rows: dict[tuple[str, str], dict[str, Figure]] = {}
        for figure in comparison.figures:
            if figure.part == part:
                rows.setdefault((figure.quantity, figure.bin), {})[figure.column] = figure
        shown = [name for name in comparison.columns if any(name in row for row in rows.values())]
        lines += [f"## {part[:1].upper()}{part[1:]}", "", "| quantity | bin | n | " + " | ".join(shown) + " |"]
        lines.append("|---|---|---:|" + "---:|" * len(shown))
        for (quantity, where), row in rows.items():
            number = max(figure.number for figure in row.values())
            cells = [_cell(row.get(name)) for name in shown]
            lines.append(f"| {quantity} | {where} | {number} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _cell(figure: Figure | None) -> str:
    if figure is None or not np.isfinite(figure.value):
        return "–"
    digits = 2 if abs(figure.value) >= 10 else 4
    text = (
        f"{figure.value:.{digits}f} ± {figure.error:.{digits}f}"
        if np.isfinite(figure.error)
        else f"{figure.value:.{digits}f}"
    )
    if figure.difference is not None:
        text += f" ({100 * figure.difference:+.1f} ± {100 * (figure.difference_error or 0):.1f}%)"
    return text
