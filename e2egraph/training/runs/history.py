"""A row of figures an epoch, kept in ``metrics.csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from e2egraph.files import write_text
from e2egraph.tasks.objectives.objective import Best

TRAINING, VALIDATION = "training_", "validation_"


@dataclass(frozen=True)
class EpochRow:
    """One epoch, counted from 1. ``seconds``: training alone, without validation; ``jets_per_second`` goes with it.

    ``learning_rate``: of the epoch's first step. ``training``, ``validation``: name → figure, ``loss`` first; those of
    the training are gathered while the weights change. ``data_wait_share``: part of ``seconds`` spent waiting for
    batches.
    """

    epoch: int
    learning_rate: float
    training: dict[str, float]
    validation: dict[str, float]
    seconds: float
    jets_per_second: float
    data_wait_share: float

    def columns(self) -> dict[str, float]:
        """Column of ``metrics.csv`` → value: figures as ``training_NAME`` and ``validation_NAME``."""
        return {
            "epoch": self.epoch,
            "learning_rate": self.learning_rate,
            **{TRAINING + name: value for name, value in self.training.items()},
            **{VALIDATION + name: value for name, value in self.validation.items()},
            "seconds": self.seconds,
            "jets_per_second": self.jets_per_second,
            "data_wait_share": self.data_wait_share,
        }


def best_row(rows: Sequence[EpochRow], best: Best) -> EpochRow:
    """The row of the best validation figure, the earlier of equals; NaN is worse than any number."""
    found = rows[0]
    for row in rows[1:]:
        if best.better(row.validation[best.name], than=found.validation[best.name]):
            found = row
    return found


def write_rows(path: Path, rows: Sequence[EpochRow]) -> None:
    """Rewrite ``metrics.csv`` next to its name and rename it."""
    text = io.StringIO()
    table = [row.columns() for row in rows]
    writer = csv.DictWriter(text, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    write_text(path, text.getvalue())
