"""Shards: Parquet files of objects and their nodes (``layout``), in blocks bounded by nodes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from e2egraph import transient
from e2egraph.errors import InputError, UnfinishedError, first_line
from e2egraph.files import replacing
from e2egraph.graphs.storage.columns import SPLITS
from e2egraph.graphs.storage.layout import (
    Block,
    Layout,
    blocks,
    check_counts,
    column_of,
    lists_of,
    rows,
    shard_columns,
    stored_names,
    writer_options,
)
from e2egraph.graphs.storage.manifest import read_manifest
from e2egraph.graphs.storage.pointclouds import PointClouds, concatenate
from e2egraph.graphs.storage.ragged import Ragged

# A block of objects is what is read at once: this many, or fewer where these have many nodes.
OBJECTS_PER_BLOCK, NODES_PER_BLOCK = 512, 1 << 20
FOOTER_KEY = b"e2egraph"


def write_error(path: Path, error: OSError) -> UnfinishedError:
    """What to tell the user when ``path`` cannot be written."""
    reason = os.strerror(error.errno) if error.errno else first_line(error)
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
    check_counts(clouds, str(path))
    fitting = len(clouds) * NODES_PER_BLOCK // max(1, int(clouds.offsets[-1]))
    nodes = tuple(name for name in schema.names if name in clouds.nodes)
    layout, parts = blocks(clouds, min(OBJECTS_PER_BLOCK, max(1, fitting)), nodes)
    stored, encodings = writer_options(clouds, schema)
    stored = stored.with_metadata({FOOTER_KEY: json.dumps(footer).encode(), **layout.metadata})
    try:
        with replacing(path) as stream, pq.ParquetWriter(stream, stored, **encodings) as writer:
            for kind, part in zip(layout.row_groups, parts, strict=True):
                table = rows(kind, part, stored, nodes)
                writer.write_table(table, row_group_size=len(table))
    except OSError as error:
        raise write_error(path, error) from error


class ShardFile:
    """An open shard, a context manager: what it holds, and its columns as flat arrays; no Python work per object.

    ``names``: its columns. ``blocks``: its objects in pieces, of ``sizes`` objects each; ``footer``: what it says of
    its origin (configuration, input, events, cutflow and counts).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = pq.ParquetFile(path)
        except (OSError, pa.ArrowInvalid, MemoryError) as error:
            raise transient.unfinished(str(path), error) or InputError(
                f"{path}: not a readable shard ({first_line(error)}); build the data set again."
            ) from error
        metadata = self._file.schema_arrow.metadata or {}
        try:
            self._footer = metadata[FOOTER_KEY]
            layout = Layout.of(metadata)
        except (KeyError, ValueError) as error:
            raise InputError(
                f"{path}: not a shard that this e2egraph reads; give a data set made by build-graphs."
            ) from error
        self.names = tuple(dict.fromkeys(column_of(name) for name in self._file.schema_arrow.names))
        self.blocks = layout.blocks
        self._of_nodes = frozenset(layout.nodes)
        self._side = frozenset(field.name for field in self._file.schema_arrow if pa.types.is_list(field.type))

    def __enter__(self) -> ShardFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def footer(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._footer)
        return content

    @property
    def sizes(self) -> list[int]:
        """Objects of each block."""
        return [self._file.metadata.row_group(block.objects).num_rows for block in self.blocks]

    def read(
        self, columns: Iterable[str] | None = None, blocks: Sequence[int] | None = None, split: str | None = None
    ) -> PointClouds:
        """Objects in order with all columns, or those of ``columns`` that the shard has; all objects, or those of some
        ``blocks`` (numbers) and of one ``split``. InputError: the shard is damaged."""
        names = list(self.names if columns is None else columns)
        numbers = range(len(self.blocks)) if blocks is None else blocks
        chosen = [self.blocks[number] for number in numbers]
        of_nodes = [name for name in names if name in self._of_nodes]
        of_side = [name for name in names if name in self._side]
        of_objects = [name for name in names if name not in self._of_nodes | self._side]
        if (of_nodes or of_side) and chosen:
            parts = [self._block(block, of_objects, of_nodes, of_side, split) for block in chosen]
            return concatenate(parts) if len(parts) > 1 else parts[0]
        jets = self._table([block.objects for block in chosen], [*of_objects, "split"])
        jets, own = _in_split(jets, split, of_objects)
        return PointClouds(jets, self._table([], of_nodes), np.zeros(own + 1, np.int64))

    def _block(
        self, block: Block, of_objects: list[str], of_nodes: list[str], of_side: list[str], split: str | None
    ) -> PointClouds:
        found = self._table([block.objects], [*of_objects, "split", "n_nodes"])
        present = [each for each in SPLITS if each in block.nodes and split in (None, each)]
        nodes = self._table([block.nodes[each] for each in present], of_nodes) if of_nodes else {}
        counts = found["n_nodes"].astype(np.int64)
        if split is not None:
            counts = counts[found["split"] == split]
        # Where several splits are read, their objects stand one split after the other.
        stored = np.arange(len(counts))
        if len(present) > 1:
            stored = np.concatenate([np.flatnonzero(found["split"] == each) for each in SPLITS])
        offsets = np.concatenate([[0], np.cumsum(counts[stored])]).astype(np.int64)
        if any(len(column) != offsets[-1] for column in nodes.values()):
            raise InputError(f"{self.path}: damaged shard (nodes missing); build the data set again.")
        jets, _ = _in_split(found, split, of_objects)
        clouds = PointClouds({}, nodes, offsets)
        if len(present) > 1:
            clouds = clouds.take(np.argsort(stored))
        lists = self._lists(block.objects, of_side)
        if split is not None:
            lists = {name: each.take(found["split"] == split) for name, each in lists.items()}
        return PointClouds(jets, clouds.nodes, clouds.offsets, lists)

    def _lists(self, row_group: int, names: list[str]) -> dict[str, Ragged]:
        """Side columns of a block of objects."""
        if not names:
            return {}
        table = self._read([row_group], names)
        return {name: lists_of(table[name]) for name in names}

    def _table(self, row_groups: list[int], names: Iterable[str]) -> dict[str, NDArray]:
        stored = [each for name in dict.fromkeys(names) for each in stored_names(name)]
        return dict(shard_columns(self._read(row_groups, stored)))

    def _read(self, row_groups: list[int], stored: list[str]) -> pa.Table:
        try:
            return self._file.read_row_groups(row_groups, columns=stored, use_threads=False)
        except (OSError, pa.ArrowInvalid, MemoryError) as error:
            raise transient.unfinished(str(self.path), error) or InputError(
                f"{self.path}: damaged shard ({first_line(error)}); build the data set again."
            ) from error


def open_shard(path: Path) -> ShardFile:
    """Open a shard; InputError when it is not readable Parquet or not ours."""
    return ShardFile(path)


def first_jets(folder: Path, number: int) -> PointClouds:
    """The first ``number`` objects of each class of a data set (fewer where its first shards hold fewer)."""
    shards: dict[str, str] = {}
    for shard in read_manifest(folder).shards:
        shards.setdefault(shard.sample, shard.name)
    parts = []
    for name in shards.values():
        with open_shard(folder / name) as file:
            parts.append(file.read(blocks=[0]))
    together = concatenate(parts)
    label = together.jets["label"]
    return concatenate([together.take(np.flatnonzero(label == each)[:number]) for each in np.unique(label)])


def _in_split(jets: dict[str, NDArray], split: str | None, names: list[str]) -> tuple[dict[str, NDArray], int]:
    """The columns ``names`` of the objects of a split (all for None), and how many objects these are."""
    own = np.ones(len(jets["split"]), bool) if split is None else jets["split"] == split
    return {name: jets[name] if split is None else jets[name][own] for name in names if name in jets}, int(own.sum())
