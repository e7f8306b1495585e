"""Variables of jets for ``boosted_tree.py``.

For tracks, ECAL and HCAL each: multiplicity, pT^D, widths, share of the hardest, of the first three and of the core,
summed pT and mass, and share of the jet's pT; of tracks also displacement and charge; and the jet's own columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from e2egraph.graphs.storage.pointclouds import PointClouds

Floats = NDArray[np.float64]

CHANNELS = ("TRACK", "ECAL", "HCAL")
COLUMNS = ("jet_pt", "jet_eta", "jet_mass", "softdrop_mass", "tau21", "tau32", "n_pv")
NODE_COLUMNS = ("deta", "dphi", "channel", "value", "dz", "d0_sig", "charge")

# Tracks of the primary vertex, and deposits well above noise.
TRACK_PT, TRACK_DZ, DEPOSIT = 1.0, 0.5, 0.5  # [GeV], [cm], [GeV]

# Channels whose nodes count within the radius.
WITHIN_RADIUS = CHANNELS

CORE = 0.1  # ΔR: the largest signal cone of CMS's taus (arXiv:1809.02816)

OF_CHANNEL = (
    *("number", "pt_d", "width", "width_eta", "width_phi", "hardest", "first_three"),
    *("core", "total", "mass", "share_of_pt"),
)
OF_TRACKS = ("tracks_displaced", "tracks_largest_d0_sig", "tracks_charge")


def names(channels: Sequence[str]) -> tuple[str, ...]:
    """Names of the variables of ``of_nodes``, in order; of these channels."""
    found = [f"{channel}_{name}" for channel in CHANNELS if channel in channels for name in OF_CHANNEL]
    return tuple([*found, *OF_TRACKS] if "TRACK" in channels else found)


def of_nodes(
    clouds: PointClouds, own: Mapping[str, NDArray], numbers: Mapping[str, int], channels: Sequence[str], radius: float
) -> list[Floats]:
    """Variables of the jets of ``clouds``, each [J]; ``own``: their columns; ``numbers``: of the channels in shards;
    ``radius``: ΔR of nodes to the axis."""
    jets = len(clouds)
    deta, dphi = (clouds.nodes[name].astype(np.float64) for name in ("deta", "dphi"))
    value = clouds.nodes["value"].astype(np.float64)
    near = np.hypot(deta, dphi) < radius
    result: list[Floats] = []
    for channel in (channel for channel in CHANNELS if channel in channels):
        here = near & (clouds.nodes["channel"] == numbers[channel])
        if channel == "TRACK":
            here &= value > TRACK_PT
            if "dz" in clouds.nodes:
                here &= np.abs(clouds.nodes["dz"]) < TRACK_DZ
        else:
            here &= value > DEPOSIT
        result += _shape(clouds.jet_of_node[here], value[here], deta[here], dphi[here], jets, own["jet_pt"])
        if channel == "TRACK":
            tracks = here
    if "TRACK" in channels:
        owner = clouds.jet_of_node[tracks]
        significance = np.abs(clouds.nodes.get("d0_sig", np.zeros(len(value)))[tracks])
        charge = clouds.nodes.get("charge", np.zeros(len(value)))[tracks] * value[tracks]
        largest = np.zeros(jets)
        np.maximum.at(largest, owner, significance)
        total = np.bincount(owner, value[tracks], jets)
        result += [
            np.bincount(owner, significance > 3.0, jets),
            largest,
            ratio(np.bincount(owner, charge, jets), total),
        ]
    return result


def _shape(owner: NDArray, value: Floats, deta: Floats, dphi: Floats, jets: int, jet_pt: Floats) -> list[Floats]:
    """The variables ``OF_CHANNEL`` of J jets from nodes with their ``owner``, hardest first within each."""
    total = np.bincount(owner, value, jets)
    squares = np.bincount(owner, value**2, jets)
    axis = [ratio(np.bincount(owner, value * delta, jets), total)[owner] for delta in (deta, dphi)]
    spread = [
        ratio(np.bincount(owner, value * (d - a) ** 2, jets), total) for d, a in zip((deta, dphi), axis, strict=True)
    ]
    count = np.bincount(owner, minlength=jets)
    rank = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    first = [ratio(np.bincount(owner[rank < n], value[rank < n], jets), total) for n in (1, 3)]
    width = ratio(np.bincount(owner, value * np.hypot(deta, dphi), jets), total)
    return [
        count.astype(np.float64),
        ratio(np.sqrt(squares), total),
        width,
        np.sqrt(spread[0]),
        np.sqrt(spread[1]),
        *first,
        ratio(np.bincount(owner, value * (np.hypot(deta, dphi) < CORE), jets), total),
        total,
        _mass(owner, value, deta, dphi, jets),
        total / jet_pt,
    ]


def _mass(owner: NDArray, value: Floats, deta: Floats, dphi: Floats, jets: int) -> Floats:
    """Mass [GeV] of the nodes of each jet as massless particles of pT ``value``; the same for any η of the axis."""
    momenta = (np.cosh(deta), np.cos(dphi), np.sin(dphi), np.sinh(deta))
    energy, *momentum = (np.bincount(owner, value * part, jets) for part in momenta)
    return np.sqrt(np.clip(energy**2 - sum(part**2 for part in momentum), 0.0, None))


def ratio(above: Floats, below: Floats) -> Floats:
    """``above`` over ``below``, which may have fewer dimensions; 0 where there is nothing below."""
    below = np.broadcast_to(below, above.shape)
    return np.divide(above, below, out=np.zeros(above.shape), where=below > 0)
