"""A comparison on disk: JSON with its command, a table in Markdown, figures, displays of events and a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from e2egraph.evaluation.particleflow.columns import FlowEvents
from e2egraph.evaluation.particleflow.displays import draw_displays
from e2egraph.evaluation.particleflow.figures import Comparison
from e2egraph.evaluation.particleflow.figuretext import NOTE, figure_text, members, parts, rows_of, shown_columns
from e2egraph.files import write_json, write_text
from e2egraph.folders import make_folder

JSON_NAME, TABLE_NAME = "particle_flow.json", "particle_flow.md"


def write_comparison(
    folder: Path,
    comparison: Comparison,
    events: FlowEvents,
    command: str,
    about: Mapping[str, Any],
    display: int = 0,
) -> Path:
    """Write JSON, table, figures, displays of this many events and the page with all of them to ``folder``; the page's
    path.

    ``about``: ``data_set`` (digest), ``split``, ``resamples`` and ``calibrated_on`` (a split, or None). InputError when
    they cannot be written.
    """
    from e2egraph.evaluation.pages.flow_page import write_flow_report
    from e2egraph.plots.particleflow import jet_figures

    make_folder(folder)
    content = {"command": command, "note": NOTE, **about, **comparison.as_json()}
    write_json(folder / JSON_NAME, content)
    write_text(folder / TABLE_NAME, markdown(comparison, command))
    runs = np.asarray(events.clouds.jets["run"])
    plots = jet_figures(folder, comparison, runs)
    displays = draw_displays(folder, events, display)
    return write_flow_report(folder, comparison, command, about, plots, displays)


def markdown(comparison: Comparison, command: str) -> str:
    """The comparison as tables, a row for each quantity and bin, with each column's difference to the reference."""
    lines = [f"`{command}`", "", f"{comparison.events} events; differences to {comparison.reference}. {NOTE}", ""]
    for part in parts(comparison):
        rows = rows_of(comparison, part)
        shown = shown_columns(comparison, rows)
        lines += [f"## {part[:1].upper()}{part[1:]}", "", "| quantity | bin | n | " + " | ".join(shown) + " |"]
        lines.append("|---|---|---:|" + "---:|" * len(shown))
        for (quantity, where), row in rows.items():
            cells = [figure_text(row.get(name)) for name in shown]
            lines.append(f"| {quantity} | {where} | {members(row)} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)
