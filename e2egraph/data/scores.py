"""``scores.parquet``: one row an object with its identity and what a network gives for it, in data set order.

Training, evaluation and inference share this one writer. NumPy and Arrow alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from e2egraph import transient
from e2egraph.errors import InputError, UsageError
from e2egraph.files import replacing
from e2egraph.folders import make_folder
from e2egraph.graphs.storage.columns import AFTER, BEFORE, TARGET_PREFIX, arrow_schema, numpy_type
from e2egraph.tasks.outputs import Outputs

# The columns that say which object a row is, in order; the outputs follow them, then the targets.
IDENTITY = tuple(BEFORE)

# Probabilities of classes; quantities in physical units.
SCORE_PREFIX, PREDICTED_PREFIX = "score_", "predicted_"

# What an object gets of which the network has seen nothing, as it has no nodes: no class is probable.
NO_SCORE, NO_PREDICTION = -1.0, float("nan")

# Column of the nodes of each object that the network has seen.
NODES = "n_nodes"

ABOUT_KEY = b"e2egraph.scores"


def output_columns(outputs: Outputs) -> tuple[str, ...]:
    """Names of a network's columns in the file: ``score_CLASS`` of a softmax, else ``predicted_TARGET``."""
    return tuple(
        (SCORE_PREFIX if head.activation == "softmax" else PREDICTED_PREFIX) + name
        for head in outputs.heads
        for name in head.columns
    )


def target_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns of targets in shards and in the file."""
    return tuple(TARGET_PREFIX + name for name in names)


def without_nodes(columns: Sequence[str]) -> NDArray[np.float32]:
    """What an object without nodes gets in each of ``columns`` (``output_columns``), [C]."""
    return np.array([NO_SCORE if name.startswith(SCORE_PREFIX) else NO_PREDICTION for name in columns], np.float32)


def refuse_nodes(outputs: Outputs, origin: Path) -> None:
    """UsageError where a network gives a row for each node, and so no scores of objects."""
    if outputs.level == "node":
        raise UsageError(
            f"{origin}: gives particles of each event, and no scores; write them with 'e2egraph predict {origin} "
            "--data DATA --output candidates.parquet'."
        )


@dataclass(frozen=True)
class Scores:
    """What a network gives for J objects: ``scores["score_top"]`` is a column, ``scores.to_table()`` all of them.

    ``jets``: column → [J], which say what each object is: run, lumi, event, ``jet`` (its index in the event), and of a
    data set label, weight, split and targets. ``values`` [J, C] float32 in the order of ``columns``: ``score_CLASS``,
    the probability of a class (−1 of an object without nodes), and ``predicted_TARGET``, in the task's units (NaN of
    one without nodes). ``about``: where they come from.

    Example:
        >>> scores = e2e.Tagger("exports/g").predict("data/top")
        >>> signal = scores["score_top"][scores["label"] == 1]
        >>> scores.probabilities.shape == (len(scores), len(scores.classes)), signal.ndim
        (True, 1)
    """

    jets: dict[str, NDArray]
    values: NDArray[np.float32]
    columns: tuple[str, ...]
    about: dict[str, Any]

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, name: str) -> NDArray:
        """One column [J] by its name, such as ``score_top``, ``predicted_gen_mass`` or ``event``; KeyError without."""
        return self.values[:, self.columns.index(name)] if name in self.columns else self.jets[name]

    def to_table(self) -> pa.Table:
        """All columns as an Arrow table, a row for each object; ``.to_pandas()`` of it gives a data frame."""
        arrays = {**self.jets, **dict(zip(self.columns, self.values.T, strict=True))}
        return pa.table({name: pa.array(np.ascontiguousarray(values)) for name, values in arrays.items()})

    def take(self, keep: NDArray) -> Scores:
        """The objects at ``keep`` (mask [J] or indices)."""
        return replace(self, jets={name: column[keep] for name, column in self.jets.items()}, values=self.values[keep])

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Which objects the network has seen anything of, [J]; the others have ``without_nodes``."""
        return self.jets[NODES] > 0 if NODES in self.jets else np.ones(len(self), bool)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that have a probability; none where no class is predicted."""
        return _without(SCORE_PREFIX, self.columns)

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """[J, classes]."""
        return self._of(SCORE_PREFIX)

    @property
    def targets(self) -> tuple[str, ...]:
        """The quantities that are predicted; none where only classes are."""
        return _without(PREDICTED_PREFIX, self.columns)

    @property
    def predictions(self) -> NDArray[np.float32]:
        """[J, targets], in the units of the task."""
        return self._of(PREDICTED_PREFIX)

    def _of(self, prefix: str) -> NDArray[np.float32]:
        chosen = [place for place, name in enumerate(self.columns) if name.startswith(prefix)]
        # A view where all columns are meant.
        return self.values if len(chosen) == len(self.columns) else self.values[:, chosen]


def check_finite(origin: Path, jets: Mapping[str, NDArray], values: NDArray) -> None:
    """InputError, naming ``origin`` and the first event, when a value [J, C] of an object with nodes is not finite."""
    seen = np.asarray(jets[NODES]) > 0 if NODES in jets else np.True_
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1) & seen)
    if len(bad):
        run, lumi, event = (int(jets[name][bad[0]]) for name in ("run", "lumi", "event"))
        raise InputError(
            f"{origin}: {len(bad)} of {len(values)} objects have a score that is not finite (the first is in "
            f"run {run}, lumi {lumi}, event {event}); check these objects and the model, then predict again."
        )


def write_scores(
    path: Path,
    jets: Mapping[str, NDArray],
    values: NDArray,
    columns: Sequence[str],
    about: Mapping[str, Any] | None = None,
) -> Path:
    """Write scores next to ``path`` and rename: whole or not at all.

    ``jets`` holds at least the columns of ``IDENTITY``, each [J]; ``target_NAME`` is written for each
    ``predicted_NAME`` where it is there, and so is ``NODES``. ``values`` [J, C]: of ``columns`` (``output_columns``).
    ``about`` (JSON) goes into the file's footer. Raises InputError when a value of an object with nodes is not finite,
    ValueError when shapes disagree.
    """
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[1] != len(columns):
        raise ValueError(f"values of shape {values.shape} for {len(columns)} columns")
    check_finite(path, jets, values)
    targets = [name for name in target_columns(_without(PREDICTED_PREFIX, columns)) if name in jets]
    identity = {**BEFORE, **({NODES: AFTER[NODES]} if NODES in jets else {})}
    schema = arrow_schema({**identity, **dict.fromkeys((*columns, *targets), "float32")}, {})
    written = [np.asarray(jets[name]).astype(numpy_type(name)) for name in identity]
    written += [np.ascontiguousarray(column, np.float32) for column in (*values.T, *(jets[name] for name in targets))]
    footer = {ABOUT_KEY: json.dumps(dict(about or {}), sort_keys=True).encode()}
    arrays = [pa.array(column, field.type) for column, field in zip(written, schema, strict=True)]
    table = pa.Table.from_arrays(arrays, schema=schema.with_metadata(footer))
    try:
        make_folder(path.parent)
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
        raise transient.unfinished(str(path), error) or InputError(
            f"{path}: not a readable Parquet file; make the scores again."
        ) from error
    missing = [name for name in IDENTITY if name not in table.column_names]
    columns = tuple(name for name in table.column_names if name.startswith((SCORE_PREFIX, PREDICTED_PREFIX)))
    if missing or not columns:
        absent = ", ".join(missing) or f"{SCORE_PREFIX}CLASS or {PREDICTED_PREFIX}TARGET"
        raise InputError(f"{path}: not a scores file (no column {absent}); give a file made by evaluate or predict.")
    targets = [name for name in table.column_names if name.startswith(TARGET_PREFIX)]
    names = (*IDENTITY, *(name for name in (NODES,) if name in table.column_names))
    jets = {name: table[name].to_numpy().astype(numpy_type(name)) for name in names}
    jets |= {name: table[name].to_numpy() for name in targets}
    values = np.stack([table[name].to_numpy() for name in columns], axis=1).astype(np.float32)
    about = json.loads((table.schema.metadata or {}).get(ABOUT_KEY, b"{}"))
    return Scores(jets, values, columns, about)


def _without(prefix: str, columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(name.removeprefix(prefix) for name in columns if name.startswith(prefix))
