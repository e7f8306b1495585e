"""What pages are made of, as values: tables that can be sorted, pictures, sections. Templates turn them into HTML."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

ABSENT = "–"

# Width by height from which a picture takes more than one column.
_WIDE = 1.4

# Large figures: title → (value, what stands small below it).
Cards = dict[str, tuple[str, str]]


class Section(NamedTuple):
    """A titled part of a page: ``values`` are what the ``template``, a file in ``templates/``, shows."""

    title: str
    template: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """``text`` as it is printed; ``number``: what it is sorted by, None for words and for figures that are absent;
    ``below``: a second line in small print."""

    text: str
    number: float | None = None
    below: str = ""

    @property
    def key(self) -> str:
        """``number`` as scripts read it."""
        return repr(self.number)


@dataclass(frozen=True)
class Table:
    """Rows that a click on a header sorts: as numbers where the column is ``numeric`` (holds any), else as words.

    ``note`` stands below.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: tuple[bool, ...]
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """A PNG file as ``source`` of an image; ``alternative`` is for those who cannot see it."""

    source: str
    caption: str
    alternative: str
    wide: bool


def table(caption: str, header: Sequence[str], rows: Sequence[Sequence[Cell | str]], note: str = "") -> Table:
    """ValueError when a row is not as long as the header."""
    cells = tuple(tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in row) for row in rows)
    for row in cells:
        if len(row) != len(header):
            raise ValueError(f"table {caption!r}: a row of {len(row)} cells under a header of {len(header)}")
    numeric = tuple(any(row[column].number is not None for row in cells) for column in range(len(header)))
    return Table(caption, tuple(header), cells, numeric, note)


def figure_cell(value: float | None, error: float | None = None, digits: int = 4) -> Cell:
    """``value ± error`` with ``digits`` after the point, sorted by the value; a dash where there is none."""
    if value is None:
        return Cell(ABSENT)
    return Cell(f"{value:.{digits}f}" + ("" if error is None else f" ± {error:.{digits}f}"), float(value))


def count_cell(value: float | None) -> Cell:
    """A whole number, with commas between thousands."""
    return Cell(ABSENT) if value is None else Cell(f"{round(value):,}", float(value))


def picture(path: Path, caption: str, alternative: str) -> Picture:
    """A PNG file inside the page; one of several panels is wide."""
    content = path.read_bytes()
    # Width and height stand at the beginning of the first chunk (PNG specification, third edition, §11.2.1).
    width, height = (int.from_bytes(content[start : start + 4], "big") for start in (16, 20))
    source = "data:image/png;base64," + base64.b64encode(content).decode()
    return Picture(source, caption, alternative, width > _WIDE * height)


def pictures(folder: Path, plots: Mapping[str, tuple[str, str]]) -> list[Picture]:
    """Those of ``plots`` (file name without ``.png`` → caption, alternative text) that are in ``folder``."""
    return [picture(path, *said) for stem, said in plots.items() if (path := folder / f"{stem}.png").is_file()]
