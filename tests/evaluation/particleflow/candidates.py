"""Targets of a data set of particle flow, written as if a network had found them."""

import numpy as np

from e2egraph.data.candidates import COLUMNS, Candidates, write_candidates
from e2egraph.evaluation.particleflow.columns import TARGET
from e2egraph.tasks.objectives.nodes import CLASSES


def write_targets(path, events, data_sha256, split=None, classes=CLASSES, decoding="hard", **changes):
    """The targets as if a network had found them."""
    found = events.columns[TARGET]
    columns = {"row": found.event, "node": found.node, "class": found.kind, "pt": found.pt, "eta": found.eta,
               "phi": found.phi, "energy": found.energy, "pileup": found.pile_up, **changes}  # fmt: skip
    columns = {"charge": np.zeros(len(found)), "probability": np.ones(len(found)), **columns}
    columns = {name: np.asarray(columns[name]).astype(kind) for name, kind in COLUMNS.items()}
    about = {"data_sha256": data_sha256, "split": split, "decoding": decoding}
    return write_candidates(path, Candidates(columns, classes, about))
