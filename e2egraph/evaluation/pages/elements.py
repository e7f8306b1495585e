"""The parts of a page as HTML: sections, tables that can be sorted, images. All text is escaped here."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ABSENT = "–"

# Width by height from which a picture takes more than one column.
_WIDE = 1.4


@dataclass(frozen=True)
class Cell:
    """``text`` as it is printed; ``number``: what it is sorted by, None for words and for figures that are absent."""

    text: str
    number: float | None = None


def escape(text: object) -> str:
    """Safe between tags and in quoted attributes."""
    return html.escape(str(text), quote=True)


def figure_cell(value: float | None, error: float | None = None, digits: int = 4) -> Cell:
    """``value ± error`` with ``digits`` after the point, sorted by the value; a dash where there is none."""
    if value is None:
        return Cell(ABSENT)
    return Cell(f"{value:.{digits}f}" + ("" if error is None else f" ± {error:.{digits}f}"), float(value))


def count_cell(value: float | None) -> Cell:
    """A whole number, with commas between thousands."""
    return Cell(ABSENT) if value is None else Cell(f"{round(value):,}", float(value))


@dataclass(frozen=True)
class Section:
    """A titled part of the page; ``parts`` are HTML already."""

    identifier: str
    title: str
    parts: tuple[str, ...]

    @property
    def html(self) -> str:
        body = "\n".join(self.parts)
        return f'<section id="{escape(self.identifier)}">\n<h2>{escape(self.title)}</h2>\n{body}\n</section>'


def paragraph(text: str, kind: str = "") -> str:
    return f"<p{_class(kind)}>{escape(text)}</p>"


def bullets(lines: Iterable[str], kind: str = "") -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul{_class(kind)}>{items}</ul>"


def cards(values: Mapping[str, tuple[str, str]]) -> str:
    """Large figures: title → (value, what stands small below it)."""
    items = "".join(
        f"<div><dt>{escape(title)}</dt><dd>{escape(value)}<small>{escape(note)}</small></dd></div>"
        for title, (value, note) in values.items()
    )
    return f'<dl class="cards">{items}</dl>'


def table(caption: str, header: Sequence[str], rows: Sequence[Sequence[Cell | str]]) -> str:
    """A table whose rows a click on a header sorts: as numbers where the column holds any, else as words.

    ValueError when a row is not as long as the header.
    """
    cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    numeric = [any(row[column].number is not None for row in cells) for column in range(len(header))]
    lines = [_line(row, numeric) for row in cells]
    heads = "".join(
        f'<th scope="col" aria-sort="none"{_class("number" if is_number else "")}>'
        f'<button type="button">{escape(title)}</button></th>'
        for title, is_number in zip(header, numeric, strict=True)
    )
    return (
        f'<div class="scroll"><table class="sortable"><caption>{escape(caption)}</caption>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n" + "\n".join(lines) + "\n</tbody></table></div>"
    )


def facts(caption: str, values: Mapping[str, str]) -> str:
    """A table of two columns, names and what belongs to them."""
    lines = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in values.items()
    )
    return f'<div class="scroll"><table class="facts"><caption>{escape(caption)}</caption>\n{lines}\n</table></div>'


def folded(title: str, text: str) -> str:
    """Preformatted text that is opened with a click; printed, it is open."""
    return f"<details><summary>{escape(title)}</summary><pre>{escape(text)}</pre></details>"


def picture(path: Path, caption: str, alternative: str) -> str:
    """A PNG file inside the page; ``alternative`` is for those who cannot see it. One of several panels is wide."""
    content = path.read_bytes()
    # Width and height stand at the beginning of the first chunk (PNG specification, third edition, §11.2.1).
    width, height = (int.from_bytes(content[start : start + 4], "big") for start in (16, 20))
    source = "data:image/png;base64," + base64.b64encode(content).decode()
    image = f'<img src="{source}" alt="{escape(alternative)}">'
    kind = "wide" if width > _WIDE * height else ""
    return f"<figure{_class(kind)}>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def plots_section(folder: Path, plots: Mapping[str, tuple[str, str]]) -> Section:
    """Those of ``plots`` (file name without ``.png`` → caption, alternative text) that are in ``folder``."""
    drawn = [picture(path, *said) for stem, said in plots.items() if (path := folder / f"{stem}.png").is_file()]
    parts = f'<div class="pictures">{"".join(drawn)}</div>' if drawn else paragraph("No plots were made.", "note")
    return Section("plots", "Plots", (parts,))


def _line(row: Sequence[Cell], numeric: Sequence[bool]) -> str:
    parts = []
    for cell, is_number in zip(row, numeric, strict=True):
        key = "" if cell.number is None else f' data-number="{cell.number!r}"'
        parts.append(f"<td{_class('number' if is_number else '')}{key}>{escape(cell.text)}</td>")
    return f"<tr>{''.join(parts)}</tr>"


def _class(kind: str) -> str:
    return f' class="{escape(kind)}"' if kind else ""
