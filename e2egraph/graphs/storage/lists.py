"""Objects as rows with a list column for each node variable: the form that weaver-core, Awkward and pandas read."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from e2egraph.errors import InputError
from e2egraph.graphs.storage.columns import NEIGHBORS
from e2egraph.graphs.storage.pointclouds import PointClouds


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
    return pa.table(arrays)
