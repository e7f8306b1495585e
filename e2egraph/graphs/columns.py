"""The columns of a shard: what every node and every jet carries, with its type (DESIGN §5)."""

import numpy as np
import pyarrow as pa

# One list column each. deta, dphi: to the window's centre [rad]; rho [cm]; value: pT or energy [GeV], or 1 for a hit;
# d0, dz [cm] and their significances; charge [e]; time [ns]. Zero where a variable has no meaning.
NODE_TYPES: dict[str, pa.DataType] = {
    "deta": pa.float32(),
    "dphi": pa.float32(),
    "channel": pa.uint8(),
    "rho": pa.float32(),
    "value": pa.float32(),
    "d0": pa.float32(),
    "dz": pa.float32(),
    "d0_sig": pa.float32(),
    "dz_sig": pa.float32(),
    "charge": pa.float32(),
    "time": pa.float32(),
}

# The physical variables a network reads, in order; the one-hot channel follows them.
VARIABLES = ("rho", "value", "d0", "dz", "d0_sig", "dz_sig", "charge", "time")

# One plain column each. ``jet`` is the jet's index in its event, ``label`` the class index in the task, nodes_cut the
# number of nodes that the cap removed; pt, mass [GeV].
JET_TYPES: dict[str, pa.DataType] = {
    "run": pa.uint32(),
    "lumi": pa.uint32(),
    "event": pa.uint64(),
    "jet": pa.uint16(),
    "label": pa.uint8(),
    "weight": pa.float32(),
    "split": pa.string(),
    "jet_pt": pa.float32(),
    "jet_eta": pa.float32(),
    "jet_phi": pa.float32(),
    "jet_mass": pa.float32(),
    "softdrop_mass": pa.float32(),
    "tau21": pa.float32(),
    "tau32": pa.float32(),
    "seed_ieta": pa.uint8(),
    "seed_iphi": pa.uint8(),
    "n_pv": pa.uint16(),
    "n_nodes": pa.uint32(),
    "nodes_cut": pa.uint32(),
}

# The jet quantities a network may read as ``jet [B, G]``.
JET_VARIABLES = ("jet_pt", "jet_eta", "jet_mass", "softdrop_mass", "tau21", "tau32")

SPLITS = ("train", "validation", "test")

TARGET_PREFIX = "target_"

# Optional node column: indices (in the jet) of each node's nearest neighbours, −1 for none.
NEIGHBORS = "neighbors"


def arrow_schema(targets: tuple[str, ...] = (), neighbors: int = 0) -> pa.Schema:
    """Schema of a shard: a float32 column ``target_NAME`` for each of ``targets``, and ``neighbors`` of each node."""
    plain = [pa.field(name, kind) for name, kind in JET_TYPES.items()]
    goals = [pa.field(TARGET_PREFIX + name, pa.float32()) for name in targets]
    nodes = [pa.field(name, pa.list_(kind)) for name, kind in NODE_TYPES.items()]
    if neighbors:
        nodes.append(pa.field(NEIGHBORS, pa.list_(pa.list_(pa.int32(), neighbors))))
    return pa.schema(plain + goals + nodes)


def numpy_type(name: str) -> np.dtype:
    """NumPy type of a node or jet column, targets included; strings are fixed-width unicode."""
    if name.startswith(TARGET_PREFIX):
        return np.dtype(np.float32)
    kind = NODE_TYPES.get(name, JET_TYPES.get(name))
    if kind is None:
        raise KeyError(name)
    return np.dtype("U10") if kind == pa.string() else np.dtype(kind.to_pandas_dtype())
