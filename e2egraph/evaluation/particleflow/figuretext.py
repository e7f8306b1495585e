"""Figures of a comparison as texts and as rows of tables, for Markdown and for the page."""

from __future__ import annotations

import numpy as np

from e2egraph.evaluation.particleflow.figures import Comparison, Figure

ABSENT = "–"

# (quantity, bin) → column → figure.
Rows = dict[tuple[str, str], dict[str, Figure]]

NOTE = (
    "Parametric simulation, not CMS simulation. Jets: anti-kT 0.4 of each column's particles, within 0.2 of jets of "
    "the generator's visible ones, |η| < 1.5; resolution: half the central 68% of pT,reco/pT,gen over its median. "
    "Errors and differences by bootstrap over events, paired; of a network with several seeds the mean, with their "
    "spread in the errors; none for fewer than ten members. Rules and perfect association: tracks of other vertices "
    "taken out; with PUPPI: what has no track by the weight of what is near it (arXiv:1407.6013); target: particles "
    "with most of their energy from pile-up taken out; networks: those more probably of pile-up taken out, or, decoded "
    "soft, each by one minus that probability. Particles: next to the targets; at the rules' fake rate: with a cut on "
    "the network's probability, or all candidates where fewer are fakes. Events count alike, whatever their weights."
)


def parts(comparison: Comparison) -> list[str]:
    """Names of the parts that there are, in order."""
    return list(dict.fromkeys(figure.part for figure in comparison.figures))


def rows_of(comparison: Comparison, part: str) -> Rows:
    """The figures of a part, a row for each quantity and bin."""
    rows: Rows = {}
    for figure in comparison.figures:
        if figure.part == part:
            rows.setdefault((figure.quantity, figure.bin), {})[figure.column] = figure
    return rows


def shown_columns(comparison: Comparison, rows: Rows) -> list[str]:
    """Columns that have any of these figures."""
    return [name for name in comparison.columns if any(name in row for row in rows.values())]


def members(row: dict[str, Figure]) -> int:
    """The largest number of members of a row's figures."""
    return max(figure.number for figure in row.values())


def figure_text(figure: Figure | None) -> str:
    """Value ± error (difference to the reference); a dash for none."""
    text, less = value_text(figure), difference_text(figure)
    return f"{text} ({less})" if less else text


def value_text(figure: Figure | None) -> str:
    """Value ± error; a dash for none."""
    if figure is None or not np.isfinite(figure.value):
        return ABSENT
    digits = 2 if abs(figure.value) >= 10 else 4
    text = f"{figure.value:.{digits}f}"
    if np.isfinite(figure.error):
        text += f" ± {figure.error:.{digits}f}"
    return text


def difference_text(figure: Figure | None) -> str:
    """The difference to the reference in per cent; nothing where there is none."""
    if figure is None or figure.difference is None:
        return ""
    return f"{100 * figure.difference:+.1f} ± {100 * (figure.difference_error or 0):.1f}%"
