"""The expected significance as a part of a page."""

from __future__ import annotations

from e2egraph.config import as_dict
from e2egraph.evaluation.pages.elements import (
    Cell,
    Section,
    bullets,
    count_cell,
    figure_cell,
    folded,
    paragraph,
    table,
)
from e2egraph.evaluation.pages.provenance import as_yaml
from e2egraph.evaluation.significance.analysis import Analysis
from e2egraph.evaluation.significance.results import Counting, Discovery, Significance
from e2egraph.evaluation.significance.write import summary

_HEADER = (
    "selection",
    "Z (exact)",
    "Z (Asimov)",
    "Z without uncertainty",
    "signal",
    "background",
    "signal efficiency",
    "mistag",
    "5σ at [/fb]",
)


def significance_section(result: Significance, analysis: Analysis) -> Section:
    """The optimum of the score beside the cuts, with all limits; its plot stands among the plots."""
    rows = [_row(f"score ≥ {result.optimum.threshold:.4f}", result.optimum, result.discovery)]
    if result.cuts is not None:
        rows.append(_row(result.cuts.expression, result.cuts.counting, result.cuts.discovery))
    limits = ([analysis.note] if analysis.note else []) + list(result.limits)
    parts = (
        paragraph(f"{summary(result)}."),
        *([bullets(limits, "limits")] if limits else []),
        table(analysis.title, _HEADER, rows),
        folded("Analysis", as_yaml(as_dict(analysis))),
    )
    return Section("significance", "Expected significance", parts)


def _row(name: str, counting: Counting, discovery: Discovery | None) -> list[Cell | str]:
    zs = (counting.z_exact, counting.z_asimov, counting.z_asimov_statistical)
    return [
        name,
        *(figure_cell(z, None, 2) for z in zs),
        _jets(counting.signal),
        _jets(counting.background),
        figure_cell(counting.signal_efficiency, None, 3),
        Cell(f"{counting.mistag:.2g}", counting.mistag),
        Cell("–") if discovery is None else Cell(f"{discovery.luminosity:.3g}", discovery.luminosity),
    ]


def _jets(expected: float) -> Cell:
    return count_cell(expected) if expected >= 100 else Cell(f"{expected:.3g}", expected)
