"""``scores.parquet``: one row a jet with its identity and its class probabilities, in data set order.

Training, evaluation and inference share this one writer. NumPy and Arrow alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.files import replacing
from e2egraph.graphs.columns import JET_TYPES, numpy_type

# The columns that say which jet a row is, in order; the scores follow them.
IDENTITY = ("run", "lumi", "event", "jet", "label", "weight", "split")

SCORE_PREFIX = "score_"
ABOUT_KEY = b"e2egraph.scores"


@dataclass(frozen=True)
class Scores:
    """``jets``: identity column → [J]; ``probabilities`` [J, C] float32 in the order of ``classes``."""

    jets: dict[str, NDArray]
    probabilities: NDArray[np.float32]
    classes: tuple[str, ...]
    about: dict[str, Any]

    def __len__(self) -> int:
        return len(self.probabilities)


def write_scores(
    path: Path,
    jets: Mapping[str, NDArray],
    probabilities: NDArray,
    classes: Sequence[str],
    about: Mapping[str, Any] | None = None,
) -> Path:
    """Write scores beside ``path`` and rename: whole or not at all.

    ``jets`` holds at least the columns of ``IDENTITY``, each [J]; ``probabilities`` [J, C] are softmax outputs.
    ``about`` (JSON) goes into the file's footer. Raises InputError when a score is not finite, ValueError when shapes
    disagree.
    """
    probabilities = np.asarray(probabilities)
    if probabilities.ndim != 2 or probabilities.shape[1] != len(classes):
        raise ValueError(f"probabilities of shape {probabilities.shape} for {len(classes)} classes")
    bad = np.flatnonzero(~np.isfinite(probabilities).all(axis=1))
    if len(bad):
        run, lumi, event = (int(jets[name][bad[0]]) for name in ("run", "lumi", "event"))
        raise InputError(
            f"{path}: {len(bad)} of {len(probabilities)} jets have a score that is not finite (the first is in "
            f"run {run}, lumi {lumi}, event {event}); check these jets and the model, then predict again."
        )
    fields = [pa.field(name, JET_TYPES[name]) for name in IDENTITY]
    fields += [pa.field(SCORE_PREFIX + name, pa.float32()) for name in classes]
    columns = [pa.array(np.asarray(jets[name]).astype(numpy_type(name)), JET_TYPES[name]) for name in IDENTITY]
    columns += [pa.array(np.ascontiguousarray(column, np.float32)) for column in probabilities.T]
    footer = {ABOUT_KEY: json.dumps(dict(about or {}), sort_keys=True).encode()}
    table = pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata=footer))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as stream:
            pq.write_table(table, stream, compression="zstd")
    except OSError as error:
        raise InputError(f"{path}: the scores cannot be written ({error.strerror}); choose another output.") from error
    return path


def read_scores(path: Path) -> Scores:
    """Read a file of ``write_scores``; InputError when it is missing, damaged or something else."""
    if not path.is_file():
        raise InputError(f"{path}: no such scores file; make it with 'e2egraph evaluate' or 'e2egraph predict'.")
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path}: not a readable Parquet file; make the scores again.") from error
    missing = [name for name in IDENTITY if name not in table.column_names]
    classes = tuple(n.removeprefix(SCORE_PREFIX) for n in table.column_names if n.startswith(SCORE_PREFIX))
    if missing or not classes:
        absent = ", ".join(missing) or f"{SCORE_PREFIX}CLASS"
        raise InputError(f"{path}: not a scores file (no column {absent}); give a file made by evaluate or predict.")
    jets = {name: table[name].to_numpy().astype(numpy_type(name)) for name in IDENTITY}
    columns = [table[SCORE_PREFIX + name].to_numpy() for name in classes]
    about = json.loads((table.schema.metadata or {}).get(ABOUT_KEY, b"{}"))
    return Scores(jets, np.stack(columns, axis=1).astype(np.float32), classes, about)
