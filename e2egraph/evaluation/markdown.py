"""Markdown tables with aligned columns."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(cells: Sequence[Sequence[str]], *, words: int = 1) -> str:
    """``cells``: the header, then the rows, all of one length. The first ``words`` columns are left-aligned, the others
    right."""
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]

    def line(values: Sequence[str]) -> str:
        both = list(zip(values, widths, strict=True))
        padded = [*(v.ljust(w) for v, w in both[:words]), *(v.rjust(w) for v, w in both[words:])]
        return "| " + " | ".join(padded) + " |"

    rules = [*("-" * (width + 2) for width in widths[:words]), *("-" * (width + 1) + ":" for width in widths[words:])]
    rule = f"|{'|'.join(rules)}|"
    return "\n".join([line(cells[0]), rule, *(line(values) for values in cells[1:])])


def with_error(value: float, error: float | None, digits: int) -> str:
    return f"{value:.{digits}f}" + ("" if error is None else f" ± {error:.{digits}f}")
