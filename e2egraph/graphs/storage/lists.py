"""Objects as rows with a list column for each node variable: the form that weaver-core, Awkward and pandas read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from e2egraph.errors import InputError, UnfinishedError
from e2egraph.files import check_not_read, replacing
from e2egraph.folders import check_folder, make_folder, names_in
from e2egraph.graphs.storage.columns import NEIGHBORS
from e2egraph.graphs.storage.manifest import files_of, read_manifest
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.graphs.storage.shards import open_shard

Progress = Callable[[int, int], None]


def list_table(clouds: PointClouds) -> pa.Table:
    """A row for each object, the columns of objects plain, those of nodes as lists, in the order and types that
    ``clouds`` has them. InputError when there are more nodes than lists of Arrow can hold."""
    if clouds.offsets[-1] > np.iinfo(np.int32).max:
        raise InputError(f"{clouds.offsets[-1]} nodes are more than one table can hold; give fewer objects.")
    offsets = pa.array(clouds.offsets.astype(np.int32))
    arrays = {name: pa.array(column) for name, column in clouds.jets.items()}
    for name, column in clouds.nodes.items():
        flat = pa.array(np.ascontiguousarray(column).ravel())
        if name == NEIGHBORS:
            flat = pa.FixedSizeListArray.from_arrays(flat, column.shape[1])
        arrays[name] = pa.ListArray.from_arrays(offsets, flat)
    for name, lists in clouds.side.items():
        arrays[name] = pa.ListArray.from_arrays(pa.array(lists.offsets.astype(np.int32)), pa.array(lists.values))
    return pa.table(arrays)


def dump_jets(data: Path, output: Path, progress: Progress | None = None) -> list[Path]:
    """Write every shard of the data set ``data`` to a file of its name in the folder ``output``; their paths.

    A row for each jet, in the same order, with the same columns (``list_table``), zstd. InputError: no data set,
    or the folder holds other things or links to the data set's files; UnfinishedError: it cannot be written.
    """
    manifest = read_manifest(data)
    check_folder(output)
    names = [shard.name for shard in manifest.shards]
    if output.is_dir() and not set(names_in(output)) <= set(names):
        raise InputError(f"{output}: the folder holds other things; choose a new or empty --output.")
    for name in names:
        check_not_read(output / name, files_of(data, manifest))
    try:
        make_folder(output)
        for done, name in enumerate(names):
            with open_shard(data / name) as file, replacing(output / name) as stream:
                writer = None
                for block in range(len(file.blocks)):
                    table = list_table(file.read(blocks=[block]))
                    writer = writer or pq.ParquetWriter(stream, table.schema, compression="zstd", use_dictionary=False)
                    writer.write_table(table)
                if writer is not None:
                    writer.close()
            if progress is not None:
                progress(done + 1, len(names))
    except OSError as error:
        reason = error.strerror or error
        raise UnfinishedError(f"{output}: cannot be written ({reason}); choose another --output.") from error
    return [output / name for name in names]
