"""Markdown tables with aligned columns."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(cells: Sequence[Sequence[str]]) -> str:
    """``cells``: the header, then the rows, all of one length. The first column is left-aligned, the others right."""
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]

    def line(values: Sequence[str]) -> str:
        padded = [values[0].ljust(widths[0]), *(v.rjust(w) for v, w in zip(values[1:], widths[1:], strict=True))]
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]) + "|"
    return "\n".join([line(cells[0]), rule, *(line(values) for values in cells[1:])])


def with_error(value: float, error: float | None, digits: int) -> str:
    return f"{value:.{digits}f}" + ("" if error is None else f" ± {error:.{digits}f}")
