"""The expected significance of a counting experiment."""

from __future__ import annotations

from e2egraph.config import as_dict
from e2egraph.evaluation.pages.elements import Cell, Section, count_cell, figure_cell, table
from e2egraph.evaluation.pages.provenance import as_yaml
from e2egraph.evaluation.pages.sections.registry import Evaluated, section
from e2egraph.evaluation.significance.results import Counting, Discovery
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


@section("significance")
def significance(evaluated: Evaluated) -> Section | None:
    """The optimum of the score next to the cuts, with all limits; its plot stands among the plots."""
    if evaluated.expected is None:
        return None
    result, analysis = evaluated.expected
    rows = [_row(f"score ≥ {result.optimum.threshold:.4f}", result.optimum, result.discovery)]
    if result.cuts is not None:
        rows.append(_row(result.cuts.expression, result.cuts.counting, result.cuts.discovery))
    values = {
        "summary": f"{summary(result)}.",
        "limits": ([analysis.note] if analysis.note else []) + list(result.limits),
        "table": table(analysis.title, _HEADER, rows),
        "analysis": as_yaml(as_dict(analysis)),
    }
    return Section("Expected significance", "significance.html.j2", values)


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
