"""Which jets of a chunk of events are taken: kinematics, the seed's distance to the edge, truth; with a cutflow."""

from __future__ import annotations

from dataclasses import dataclass

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.geometry import HCAL_ROWS, signed_tower_ieta
from e2egraph.tasks.task import Selection

# CMS towers run to |ieta| = 28; MLAnalyzer rejects a seed with 28 − |ieta| < 12.
OUTERMOST_TOWER = HCAL_ROWS // 2


@dataclass(frozen=True)
class Jets:
    """J jets of a chunk. ``event`` [J]: index in the chunk, rising; ``columns``: jet columns of a shard, each [J]."""

    event: NDArray[np.int64]
    columns: dict[str, NDArray]

    def __len__(self) -> int:
        return len(self.event)

    def take(self, keep: NDArray[np.bool_]) -> Jets:
        """The jets where ``keep`` [J] is true."""
        return Jets(self.event[keep], {name: column[keep] for name, column in self.columns.items()})


def flatten_jets(events: ak.Array) -> Jets:
    """All jets of a chunk (``id``, ``pv`` and ``jets`` read), with the jet columns that need no graph.

    τ21 and τ32 are ratios of the stored τN, 0 where the denominator is; fields that the file lacks are 0.
    """
    counts = ak.to_numpy(ak.num(events.jets))
    event = np.repeat(np.arange(len(counts)), counts)
    flat = {field: ak.to_numpy(ak.flatten(events.jets[field])) for field in events.jets.fields}
    zeros = np.zeros(len(event), np.float32)
    columns = {name: ak.to_numpy(events[name])[event] for name in ("run", "lumi", "event", "n_pv")}
    first = np.concatenate([[0], np.cumsum(counts)])[:-1]
    columns["jet"] = np.arange(len(event)) - first[event]
    columns |= {f"jet_{name}": flat[name] for name in ("pt", "eta", "phi", "mass")}
    columns |= {name: flat[name].astype(np.int64) for name in ("seed_ieta", "seed_iphi")}
    columns["softdrop_mass"] = flat.get("softdrop_mass", zeros)
    columns["tau21"] = _ratio(flat.get("tau2", zeros), flat.get("tau1", zeros))
    columns["tau32"] = _ratio(flat.get("tau3", zeros), flat.get("tau2", zeros))
    if "truth_label" in flat:
        columns["truth_label"] = flat["truth_label"]
    return Jets(event, columns)


def kinematic_cuts(jets: Jets, selection: Selection) -> dict[str, NDArray[np.bool_]]:
    """Name of each cut → the jets [J] that pass it, in the order they are applied."""
    pt = jets.columns["jet_pt"]
    cuts = {"pt": pt > selection.jet_pt_min}
    if selection.jet_pt_max is not None:
        cuts["pt"] &= pt < selection.jet_pt_max
    cuts["eta"] = np.abs(jets.columns["jet_eta"]) < selection.jet_abs_eta_max
    tower = np.abs(signed_tower_ieta(jets.columns["seed_ieta"]))
    cuts["seed_edge"] = tower <= OUTERMOST_TOWER - selection.seed_edge_towers
    return cuts


def _ratio(numerator: NDArray, denominator: NDArray) -> NDArray[np.float32]:
    safe = np.where(denominator > 0, denominator, 1)
    return np.where(denominator > 0, numerator / safe, 0).astype(np.float32)
