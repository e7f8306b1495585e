"""Which object of a data set a number stands for, as messages and files name it."""

from __future__ import annotations

from e2egraph.data.table import JetTable

IDS = ("run", "lumi", "event", "jet")


def identity(table: JetTable, number: int) -> dict[str, int]:
    """Run, luminosity section, event and index in the event of object ``number``."""
    return {name: int(table.columns[name][number]) for name in IDS}


def in_words(table: JetTable, number: int) -> str:
    """The same in words: ``run 1, lumi 2, event 3, jet 0``."""
    return ", ".join(f"{name} {value}" for name, value in identity(table, number).items())
