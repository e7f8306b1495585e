"""A table of plain text that becomes Markdown or LaTeX (booktabs)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from e2egraph.evaluation.markdown import aligned

# What LaTeX takes for a command, and characters that its fonts may lack.
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "Δ": r"$\Delta$",
    "→": r"$\to$",
    "−": "$-$",
    "×": r"$\times$",
    "√": r"$\surd$",
    "²": r"$^2$",
    "η": r"$\eta$",
    "φ": r"$\phi$",
    "τ": r"$\tau$",
    "–": "--",
    "’": "'",
    "…": r"\dots{}",
    "·": r"$\cdot$",
}

# Numbers such as 4.1e-09, as p-values are printed.
_POWER = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)e([+-]\d+)(?![\w.])")


@dataclass(frozen=True)
class Table:
    """``header`` and ``rows``: cells, all of one length; the first ``names`` columns are text, the others numbers.

    ``key``: what LaTeX refers to it by. ``note``: what stands below it. A rule is drawn above each row in ``rules``.
    """

    key: str
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    names: int = 1
    rules: tuple[int, ...] = ()

    def markdown(self) -> str:
        """Title, table and note."""
        cells = [[cell.replace("|", r"\|") for cell in row] for row in (self.header, *self.rows)]
        return "\n\n".join(part for part in (f"### {self.title}", aligned(cells), self.note) if part)

    def latex(self) -> str:
        """A ``table`` environment; it needs the package booktabs."""
        columns = "l" * self.names + "r" * (len(self.header) - self.names)
        lines = [
            r"\begin{table}",
            r"\centering\small",
            rf"\caption{{{latex_text(' '.join(part for part in (self.title + '.', self.note) if part))}}}",
            rf"\label{{tab:{self.key}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            _line(self.header),
            r"\midrule",
        ]
        for number, row in enumerate(self.rows):
            if number in self.rules and number:
                lines.append(r"\addlinespace")
            lines.append(_line(row))
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}"])


def latex_text(text: str) -> str:
    """Plain text as LaTeX prints it: commands' characters escaped, powers of ten set as such."""
    parts = []
    position = 0
    for power in _POWER.finditer(text):
        parts.append(_escaped(text[position : power.start()]))
        parts.append(rf"${power[1]}\times 10^{{{int(power[2])}}}$")
        position = power.end()
    return "".join([*parts, _escaped(text[position:])])


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def _line(cells: Sequence[str]) -> str:
    return " & ".join(latex_text(cell) for cell in cells) + r" \\"
