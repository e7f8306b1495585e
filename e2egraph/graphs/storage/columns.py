"""The columns of a shard: what every node and every object carries, with its type (DESIGN §6)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.objects.objects import IDENTITY_TYPES, ObjectKind
from e2egraph.tasks.task import TaskConfig

# Node columns of every shard; ``value`` decides the canonical order, whether or not a network reads it. The other node
# variables follow, float32 each, zero where a variable has no meaning. deta, dphi: to the region's centre [rad].
NODE_TYPES: dict[str, str] = {"deta": "float32", "dphi": "float32", "channel": "uint8"}
VALUE = "value"

# Plain columns of every shard. ``jet`` is the object's index in its event, ``label`` the class index in the task,
# nodes_cut the number of nodes that caps removed.
BEFORE: dict[str, str] = {**IDENTITY_TYPES, "label": "uint8", "weight": "float32", "split": "U10"}
AFTER: dict[str, str] = {"n_pv": "uint16", "n_nodes": "uint32", "nodes_cut": "uint32"}

SPLITS = ("train", "validation", "test")

TARGET_PREFIX = "target_"

# Side columns of events with elements, each a list of particles: the true ones (``sim_``, of all collisions, and
# ``gen_``, the generator's final state of the hard one, neutrinos among them), those that rule-based particle flow
# finds (``pf_``), and those that it would find if every deposit's particle were known (``perfect_``). ``class``: as
# ``node_class``; ``element``: the event's node that stands for it, −1 for none; ``particle``: in ``sim_``; ``pileup``:
# 1 for a track that is another vertex's. GeV and radians.
_MOMENTUM = ("pt", "eta", "phi", "energy")
SIDE_TYPES: dict[str, str] = {
    "sim_class": "uint8", **{f"sim_{name}": "float32" for name in _MOMENTUM}, "sim_collision": "int32",
    "sim_element": "int32",
    "gen_pdg": "int32", **{f"gen_{name}": "float32" for name in _MOMENTUM},
    "pf_class": "uint8", **{f"pf_{name}": "float32" for name in _MOMENTUM}, "pf_pileup": "uint8",
    "pf_element": "int32",
    "perfect_class": "uint8", **{f"perfect_{name}": "float32" for name in _MOMENTUM}, "perfect_pileup": "uint8",
    "perfect_particle": "int32",
}  # fmt: skip

# Optional node column: indices (in the object) of each node's nearest neighbours, −1 for none.
NEIGHBORS = "neighbors"


def variable_columns(inputs: Inputs) -> tuple[str, ...]:
    """Node variables that a shard holds, in order: those of ``inputs``, and ``value`` in front where it is not one."""
    names = inputs.variable_names
    return names if VALUE in names else (VALUE, *names)


def node_types(inputs: Inputs) -> dict[str, str]:
    """Node column → NumPy type, in the order of a shard."""
    return {**NODE_TYPES, **dict.fromkeys(variable_columns(inputs), "float32")}


def object_types(kind: ObjectKind, targets: tuple[str, ...] = ()) -> dict[str, str]:
    """Plain column → NumPy type, in the order of a shard; targets without their prefix."""
    return {**BEFORE, **kind.columns, **AFTER, **{TARGET_PREFIX + name: "float32" for name in targets}}


def arrow_schema(
    objects: Mapping[str, str], nodes: Mapping[str, str], neighbors: int = 0, side: Mapping[str, str] | None = None
) -> pa.Schema:
    """A column for each of these plain, node and ``side`` columns, with ``neighbors`` of each node where that is not
    0."""
    fields = [pa.field(name, _arrow(kind)) for name, kind in (*objects.items(), *nodes.items())]
    if neighbors:
        fields.append(pa.field(NEIGHBORS, pa.list_(pa.int32(), neighbors)))
    fields += [pa.field(name, pa.list_(_arrow(kind))) for name, kind in (side or {}).items()]
    return pa.schema(fields)


def task_schema(task: TaskConfig) -> pa.Schema:
    """Columns of the shards of a task, those of objects and those of nodes; how a file holds them: ``layout``."""
    plain = object_types(task.object_kind, task.target_names)
    return arrow_schema(plain, task_node_types(task), task.inputs.neighbors, task_side_types(task))


def task_node_types(task: TaskConfig) -> dict[str, str]:
    """Node column → NumPy type of the shards of a task, those that are learnt among them."""
    return {**node_types(task.network_inputs), **task.objective.node_columns}


def task_side_types(task: TaskConfig) -> dict[str, str]:
    """Side column → NumPy type of the shards of a task: lists of each object that are none of its nodes."""
    return {} if task.elements is None else dict(SIDE_TYPES)


def numpy_type(name: str) -> np.dtype:
    """NumPy type of a column that every shard has; KeyError for any other."""
    return np.dtype({**BEFORE, **AFTER, **NODE_TYPES}[name])


def _arrow(kind: str) -> pa.DataType:
    return pa.string() if kind.startswith("U") else pa.from_numpy_dtype(np.dtype(kind))
