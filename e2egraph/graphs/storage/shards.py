"""Shards: Parquet files of objects with a list column for each node variable, zstd, row groups bounded by nodes."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from e2egraph import transient
from e2egraph.errors import InputError, UnfinishedError
from e2egraph.files import replacing
from e2egraph.graphs.storage.columns import NEIGHBORS
from e2egraph.graphs.storage.manifest import read_manifest
from e2egraph.graphs.storage.pointclouds import PointClouds, concatenate

# A row group is what is read at once: so many objects, or fewer where these have many nodes.
OBJECTS_PER_ROW_GROUP, NODES_PER_ROW_GROUP = 512, 1 << 20
FOOTER_KEY = b"e2egraph"


def write_error(path: Path, error: OSError) -> UnfinishedError:
    """What to tell the user when ``path`` cannot be written."""
    reason = os.strerror(error.errno) if error.errno else _first_line(error)
    return UnfinishedError(
        f"{path}: cannot be written ({reason}); free space or choose another --output, and "
        "run the command again: it goes on from the shards that are finished."
    )


def write_shard(path: Path, clouds: PointClouds, schema: pa.Schema, footer: dict[str, Any]) -> None:
    """Write objects to ``path`` in the columns of ``schema``; ``footer`` (JSON) says where they come from. Next to its
    name first, then renamed.

    UnfinishedError, with nothing left of this shard, when it cannot be written.
    """
    if clouds.offsets[-1] > np.iinfo(np.int32).max:
        raise InputError(f"{path}: would hold {clouds.offsets[-1]} nodes, more than a shard can; lower inputs.cap.")
    schema = schema.with_metadata({FOOTER_KEY: json.dumps(footer).encode()})
    offsets = pa.array(clouds.offsets.astype(np.int32))
    arrays = []
    for field in schema:
        if field.name == NEIGHBORS:
            flat = pa.array(np.ascontiguousarray(clouds.nodes[NEIGHBORS], np.int32).ravel())
            rows = pa.FixedSizeListArray.from_arrays(flat, field.type.value_type.list_size)
            arrays.append(pa.ListArray.from_arrays(offsets, rows))
        elif pa.types.is_list(field.type):
            kind = field.type.value_type.to_pandas_dtype()
            values = pa.array(np.ascontiguousarray(clouds.nodes[field.name], kind))
            arrays.append(pa.ListArray.from_arrays(offsets, values))
        elif pa.types.is_string(field.type):
            arrays.append(pa.array(clouds.jets[field.name], field.type))
        else:
            arrays.append(pa.array(clouds.jets[field.name].astype(field.type.to_pandas_dtype()), field.type))
    table = pa.Table.from_arrays(arrays, schema=schema)
    fitting = len(clouds) * NODES_PER_ROW_GROUP // max(1, int(clouds.offsets[-1]))
    rows = min(OBJECTS_PER_ROW_GROUP, max(1, fitting))
    try:
        with replacing(path) as stream:
            pq.write_table(table, stream, compression="zstd", compression_level=3, row_group_size=rows)
    except OSError as error:
        raise write_error(path, error) from error


def open_shard(path: Path) -> pq.ParquetFile:
    """Open a shard; InputError when it is not readable Parquet or not ours."""
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid, MemoryError) as error:
        raise transient.unfinished(str(path), error) or InputError(
            f"{path}: not a readable shard ({_first_line(error)}); build the data set again."
        ) from error
    if FOOTER_KEY not in (file.schema_arrow.metadata or {}):
        raise InputError(f"{path}: not an e2egraph shard; give a data set made by build-graphs.")
    return file


def read_footer(file: pq.ParquetFile) -> dict[str, Any]:
    """What the footer says of the shard's origin: configuration, input, events, cutflow and counts."""
    content: dict[str, Any] = json.loads(file.schema_arrow.metadata[FOOTER_KEY])
    return content


def read_row_groups(file: pq.ParquetFile, groups: Sequence[int], columns: Sequence[str] | None = None) -> PointClouds:
    """Some row groups of a shard as flat arrays, all columns or those named; no Python work per jet."""
    try:
        table = file.read_row_groups(list(groups), columns=None if columns is None else list(columns))
    except (OSError, pa.ArrowInvalid, MemoryError) as error:
        raise transient.unfinished("its shard", error) or InputError(
            f"damaged shard ({_first_line(error)}); build the data set again."
        ) from error
    return from_table(table)


def first_jets(folder: Path, number: int) -> PointClouds:
    """The first ``number`` objects of each class of a data set (fewer where its first shards hold fewer)."""
    shards: dict[str, str] = {}
    for shard in read_manifest(folder).shards:
        shards.setdefault(shard.sample, shard.name)
    together = concatenate([read_row_groups(open_shard(folder / name), [0]) for name in shards.values()])
    label = together.jets["label"]
    return concatenate([together.take(np.flatnonzero(label == each)[:number]) for each in np.unique(label)])


def from_table(table: pa.Table) -> PointClouds:
    """A table with the columns of a shard (or some of them) as flat arrays."""
    jets: dict[str, NDArray] = {}
    nodes: dict[str, NDArray] = {}
    offsets: NDArray[np.int64] | None = None
    for name in table.column_names:
        if not pa.types.is_list(table.schema.field(name).type):
            jets[name] = plain_values(table.column(name))
            continue
        column = table.column(name).combine_chunks()
        array = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
        offsets = array.offsets.to_numpy().astype(np.int64)
        values = array.values[offsets[0] : offsets[-1]]
        nodes[name] = (
            values.flatten().to_numpy().reshape(-1, values.type.list_size)
            if name == NEIGHBORS
            else values.to_numpy(zero_copy_only=False)
        )
        offsets = offsets - offsets[0]
    if offsets is None:
        offsets = np.zeros(table.num_rows + 1, np.int64)
    return PointClouds(jets=jets, nodes=nodes, offsets=offsets)


def plain_values(column: pa.ChunkedArray) -> NDArray:
    """A plain column as a NumPy array, strings as fixed-width unicode."""
    kind = "U10" if pa.types.is_string(column.type) else column.type.to_pandas_dtype()
    return np.asarray(column.to_numpy(), kind)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
