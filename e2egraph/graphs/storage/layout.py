"""How the columns of a shard lie in its Parquet file: flat, each row group of objects alone or of nodes alone.

Objects are stored in blocks, their nodes apart: after the row group of a block's objects, one of nodes for each
split that has any. So a split is read without the others, and a node column without the levels by which Parquet tells
lists apart, which cost more to read than the values: an object owns the next ``n_nodes`` nodes of its split. Columns of
objects are null in rows of nodes; columns of nodes are zero in rows of objects, as reading columns that may be null
takes twice the time.

Floats are stored as BYTE_STREAM_SPLIT: their bytes that are alike stand together. Columns that are zero for nearly all
nodes (what tracks alone have) are smaller and faster to read as they are. Places of calorimeter cells repeat and have a
dictionary; places of tracks and hits do not, and would end it, so they have columns of their own.

Side columns (lists of each object that are none of its nodes) are lists of Parquet in the row groups of objects.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from e2egraph.detector.channels import LARGEST_NUMBER, channels
from e2egraph.errors import InputError
from e2egraph.graphs.storage.columns import NEIGHBORS, SPLITS
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.graphs.storage.ragged import Ragged
from e2egraph.tasks.inputs import POINT_NAMES

# Key of the file's metadata that says what its row groups are (``Layout``).
LAYOUT_KEY = b"e2egraph.layout"
OBJECTS = "objects"

# Endings of the two columns of a place; one of them is zero in every row.
OF_CELLS, OF_OTHERS = "_of_cells", "_of_others"
_STORED = {name + ending: name for name in POINT_NAMES for ending in (OF_CELLS, OF_OTHERS)}
# A column of nodes is stored as it is when no more of them than this have another value than zero.
_SPARSE = 0.25
# Collections of the event record whose nodes lie on a lattice.
_LATTICES = ("ecal", "hcal")


@dataclass(frozen=True)
class Block:
    """Consecutive objects: the number of the row group that holds them, and split → number of that of its nodes."""

    objects: int
    nodes: dict[str, int]


@dataclass(frozen=True)
class Layout:
    """``row_groups``: what each holds, ``objects`` or a split; ``nodes``: the columns of nodes, as a shard has them."""

    row_groups: tuple[str, ...]
    nodes: tuple[str, ...]

    @classmethod
    def of(cls, metadata: Mapping[bytes, bytes]) -> Layout:
        """The layout that a file's metadata tells; KeyError or ValueError without a sound one."""
        content: dict[str, Any] = json.loads(metadata[LAYOUT_KEY])
        return cls(tuple(content["row_groups"]), tuple(content["nodes"]))

    @property
    def metadata(self) -> dict[bytes, bytes]:
        """What a file's metadata tells of it."""
        content = {"row_groups": self.row_groups, "nodes": self.nodes}
        return {LAYOUT_KEY: json.dumps(content).encode()}

    @property
    def blocks(self) -> list[Block]:
        """The objects of the file, in order."""
        found: list[Block] = []
        for number, kind in enumerate(self.row_groups):
            if kind == OBJECTS:
                found.append(Block(number, {}))
            else:
                found[-1].nodes[kind] = number
        return found


def stored_names(name: str) -> tuple[str, ...]:
    """The columns of the file that hold a column of a shard."""
    return (name + OF_CELLS, name + OF_OTHERS) if name in POINT_NAMES else (name,)


def column_of(stored: str) -> str:
    """The column of a shard that a column of the file belongs to."""
    return _STORED.get(stored, stored)


def writer_options(clouds: PointClouds, schema: pa.Schema) -> tuple[pa.Schema, dict[str, Any]]:
    """The file's schema for that of a shard, and the encodings (arguments of ``pq.ParquetWriter``) for its content."""
    is_cell = _is_cell(clouds.nodes["channel"])
    fields: list[pa.Field] = []
    split: list[str] = []
    repeating: list[str] = []
    for field in schema:
        of_nodes = field.name in clouds.nodes
        if pa.types.is_list(field.type):
            fields.append(pa.field(field.name, field.type, nullable=True))
            (split if pa.types.is_float32(field.type.value_type) else repeating).append(f"{field.name}.list.element")
            continue
        for name in stored_names(field.name):
            fields.append(pa.field(name, field.type, nullable=not of_nodes))
            if not pa.types.is_float32(field.type):
                repeating += [name] * (field.name != NEIGHBORS)
            elif name.endswith(OF_CELLS):
                repeating.append(name)
            elif not of_nodes or _is_dense(clouds.nodes[field.name], is_cell if name != field.name else None):
                split.append(name)
    options = {
        "compression": "lz4",
        "use_byte_stream_split": split,
        "use_dictionary": repeating,
        "write_statistics": False,
    }
    return pa.schema(fields), options


def blocks(clouds: PointClouds, objects: int, nodes: tuple[str, ...]) -> tuple[Layout, list[PointClouds]]:
    """``clouds`` in row groups of up to ``objects`` objects each: what they hold, and the row groups."""
    kinds: list[str] = []
    parts: list[PointClouds] = []
    for start in range(0, len(clouds), objects):
        block = clouds.take(np.arange(start, min(start + objects, len(clouds))))
        kinds.append(OBJECTS)
        parts.append(block)
        for split in SPLITS:
            own = block.take(block.jets["split"] == split)
            if own.offsets[-1]:
                kinds.append(split)
                parts.append(own)
    return Layout(tuple(kinds), nodes), parts


def rows(kind: str, part: PointClouds, schema: pa.Schema, nodes: tuple[str, ...]) -> pa.Table:
    """A row group of the file (with the columns of ``schema``) as a table: the objects or the nodes of ``part``."""
    of_objects = kind == OBJECTS
    length = len(part) if of_objects else int(part.offsets[-1])
    is_cell = np.zeros(0, bool) if of_objects else _is_cell(part.nodes["channel"])
    arrays = []
    for field in schema:
        name = column_of(field.name)
        if (name in nodes) == of_objects:
            arrays.append(_zeros(length, field.type) if of_objects else pa.nulls(length, field.type))
            continue
        if name in part.side:
            lists = part.side[name]
            values = pa.array(lists.values.astype(field.type.value_type.to_pandas_dtype(), copy=False))
            arrays.append(pa.ListArray.from_arrays(pa.array(lists.offsets.astype(np.int32)), values, type=field.type))
            continue
        column = part.jets[name] if of_objects else part.nodes[name]
        if field.name != name:
            column = np.where(is_cell == field.name.endswith(OF_CELLS), column, np.float32(0))
        arrays.append(_array(column, field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def shard_columns(table: pa.Table) -> Iterator[tuple[str, NDArray]]:
    """The columns of a shard that a table of the file's columns holds, by name."""
    for stored in table.column_names:
        name = column_of(stored)
        if stored == name:
            yield name, values_of(table[stored])
        elif stored.endswith(OF_CELLS):
            both = [values_of(table[part]).view(np.uint32) for part in stored_names(name)]
            # One of the two is zero: all bits stay, those of -0 as well.
            yield name, (both[0] | both[1]).view(np.float32)


def values_of(column: pa.ChunkedArray) -> NDArray:
    """A column as a NumPy array, strings as fixed-width unicode; without a copy where it lies in one piece."""
    if pa.types.is_string(column.type):
        return np.asarray(column.to_numpy(), "U10")
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if pa.types.is_fixed_size_list(column.type):
        return array.flatten().to_numpy(zero_copy_only=False).reshape(-1, column.type.list_size)
    return array.to_numpy(zero_copy_only=False)


def lists_of(column: pa.ChunkedArray) -> Ragged:
    """A side column."""
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    offsets = array.offsets.to_numpy().astype(np.int64)
    return Ragged(array.values.to_numpy(zero_copy_only=False)[offsets[0] : offsets[-1]], offsets - offsets[0])


def check_counts(clouds: PointClouds, where: str) -> None:
    """InputError unless ``n_nodes`` and ``split``, by which nodes are found again, are what they say."""
    known = np.isin(clouds.jets["split"], SPLITS)
    if not known.all() or (clouds.jets["n_nodes"] != clouds.counts).any():
        raise InputError(f"{where}: objects with another number of nodes than n_nodes, or of no known split.")


def _is_dense(column: NDArray, left_out: NDArray[np.bool_] | None) -> bool:
    """Whether more than a few values of a column are not zero, apart from those of the nodes ``left_out``."""
    filled = column != 0 if left_out is None else (column != 0) & ~left_out
    return bool(np.count_nonzero(filled) > _SPARSE * len(column))


def _is_cell(channel: NDArray) -> NDArray[np.bool_]:
    table = np.zeros(LARGEST_NUMBER + 1, bool)
    table[[row for row in channels().values() if row.collection in _LATTICES]] = True
    return table[channel]


def _zeros(length: int, kind: pa.DataType) -> pa.Array:
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(_zeros(length * kind.list_size, kind.value_type), kind.list_size)
    return pa.array(np.zeros(length, kind.to_pandas_dtype()), kind)


def _array(values: NDArray, kind: pa.DataType) -> pa.Array:
    if pa.types.is_string(kind):
        return pa.array(values, kind)
    if pa.types.is_fixed_size_list(kind):
        flat = pa.array(np.ascontiguousarray(values, np.int32).ravel())
        return pa.FixedSizeListArray.from_arrays(flat, kind.list_size)
    return pa.array(np.ascontiguousarray(values, kind.to_pandas_dtype()), kind)
