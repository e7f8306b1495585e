"""Others' ways to hold the same jets and read them into training batches: HDF5, Parquet with lists, weaver-core."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml
from numpy.typing import NDArray

from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.padding import node_columns, pad
from e2egraph.graphs.storage.lists import list_table
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.tasks.inputs import POINT_NAMES, Inputs

# Rows of a row group of Parquet with lists.
ROWS = 512

WEAVER_MISSING = "weaver-core is not installed (pip install 'weaver-core>=0.5,<0.6'), so it is left out"


@dataclass(frozen=True)
class Peer:
    """``jets`` jets in the file ``path``; ``read`` reads them into shuffled batches and gives their number."""

    name: str
    note: str
    path: Path
    jets: int
    read: Callable[[], int]

    @property
    def bytes_per_jet(self) -> float:
        return self.path.stat().st_size / self.jets


def list_parquet(clouds: PointClouds, inputs: Inputs, folder: Path, batch_size: int) -> Peer:
    """A row for each jet, a list column for each node variable: pyarrow's defaults with zstd (schema 2 of e2egraph)."""
    path = folder / "lists.parquet"
    pq.write_table(list_table(clouds), path, compression="zstd", row_group_size=ROWS)
    columns = ["label", "weight", *inputs.object_names, *node_columns(inputs)]

    def batches() -> Iterator[JetBatch]:
        file, rng = pq.ParquetFile(path), np.random.default_rng(1)
        for group in rng.permutation(file.num_row_groups):
            jets = _from_lists(file.read_row_group(int(group), columns=columns, use_threads=False))
            order = rng.permutation(len(jets))
            for start in range(0, len(order), batch_size):
                yield JetBatch.from_arrays(pad(jets.take(order[start : start + batch_size]), inputs))

    note = "list columns, zstd, dictionaries (pyarrow's defaults); into padded batches, one thread"
    return Peer("list Parquet", note, path, len(clouds), lambda: sum(map(len, batches())))


def padded_hdf5(clouds: PointClouds, inputs: Inputs, folder: Path, batch_size: int, compression: str | None) -> Peer:
    """All jets padded to the longest in one array [J, N, 2 + V + 1] of h5py, in chunks of a batch.

    Batches are chunks in random order, as they are: no one-hot channels are made.
    """
    kind = compression or "uncompressed"
    path = folder / f"padded-{kind}.h5"
    names = (*POINT_NAMES, *inputs.variable_names, "channel")
    dense = np.zeros((len(clouds), int(clouds.counts.max(initial=1)), len(names)), np.float32)
    place = np.arange(clouds.offsets[-1]) - np.repeat(clouds.offsets[:-1], clouds.counts)
    for number, name in enumerate(names):
        dense[clouds.jet_of_node, place, number] = clouds.nodes[name]
    with h5py.File(path, "w") as file:
        chunk = (min(batch_size, len(dense)), *dense.shape[1:])
        file.create_dataset("nodes", data=dense, chunks=chunk, compression=compression)
        file.create_dataset("label", data=clouds.jets["label"])

    def read() -> int:
        read = 0
        with h5py.File(path) as file:
            for batch in np.random.default_rng(1).permutation(-(-len(clouds) // batch_size)):
                rows = slice(batch * batch_size, (batch + 1) * batch_size)
                nodes, label = torch.from_numpy(file["nodes"][rows]), torch.from_numpy(file["label"][rows])
                read += min(len(nodes), len(label))
        return read

    return Peer(f"HDF5, {kind}", f"h5py, padded to {dense.shape[1]} nodes", path, len(clouds), read)


def weaver(lists: Peer, classes: list[str], inputs: Inputs, longest: int, batch_size: int) -> Peer | None:
    """weaver-core's own loader on the file of ``list_parquet``; None where it is not installed."""
    if find_spec("weaver") is None:
        return None
    from torch.utils.data import DataLoader
    from weaver.utils.dataset import SimpleIterDataset

    def group(names: tuple[str, ...]) -> dict[str, object]:
        return {"length": longest, "pad_mode": "constant", "vars": [[name, None] for name in names]}

    settings = {
        "new_variables": {
            "node_mask": "ak.ones_like(deta)",
            **{f"is_{name}": f"label == {number}" for number, name in enumerate(classes)},
        },
        "preprocess": {"method": "manual", "data_fraction": 0.1},
        "inputs": {
            "points": group(POINT_NAMES),
            "features": group((*inputs.variable_names, "channel")),
            "mask": group(("node_mask",)),
        },
        "labels": {"type": "simple", "value": [f"is_{name}" for name in classes]},
    }
    config = lists.path.with_suffix(".yaml")
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")

    def read() -> int:
        logging.getLogger("weaver").setLevel(logging.WARNING)
        files = {"train": [str(lists.path)]}
        data = SimpleIterDataset(files, str(config), load_range_and_fraction=((0, 1), 1, 1), fetch_step=1, name="train")
        return sum(len(next(iter(x.values()))) for x, *_ in DataLoader(data, batch_size=batch_size))

    return Peer(
        "weaver-core", f"its loader on the list Parquet, padded to {longest} nodes", lists.path, lists.jets, read
    )


def _from_lists(table: pa.Table) -> PointClouds:
    """The columns of ``list_table`` as flat arrays."""
    jets: dict[str, NDArray] = {}
    nodes: dict[str, NDArray] = {}
    offsets = np.zeros(table.num_rows + 1, np.int64)
    for name in table.column_names:
        column = table[name].combine_chunks()
        if hasattr(column, "offsets"):
            offsets = column.offsets.to_numpy().astype(np.int64)
            nodes[name] = column.values.to_numpy()
        else:
            jets[name] = column.to_numpy(zero_copy_only=False)
    return PointClouds(jets, nodes, offsets)
