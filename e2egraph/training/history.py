"""A row of figures an epoch, kept in ``metrics.csv``."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from e2egraph.files import write_text


@dataclass(frozen=True)
class EpochRow:
    """One epoch, counted from 1. ``seconds``: training alone, without validation; ``jets_per_second`` goes with it.

    ``learning_rate``: of the epoch's first step. ``data_wait_share``: part of ``seconds`` spent waiting for batches.
    The training figures are gathered while the weights change.
    """

    epoch: int
    learning_rate: float
    training_loss: float
    training_auc: float
    validation_loss: float
    validation_auc: float
    seconds: float
    jets_per_second: float
    data_wait_share: float


def best_row(rows: Sequence[EpochRow]) -> EpochRow:
    """The row of highest validation AUC, the earlier of equals; NaN is lower than any number."""
    return max(rows, key=lambda row: -math.inf if math.isnan(row.validation_auc) else row.validation_auc)


def write_rows(path: Path, rows: Sequence[EpochRow]) -> None:
    """Rewrite ``metrics.csv`` beside its name and rename it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(EpochRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    write_text(path, text.getvalue())
