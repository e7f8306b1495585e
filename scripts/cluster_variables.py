"""Variables of ECAL clusters for ``boosted_tree.py``: shower shapes, tracks and hits in front.

Shapes are those by which CMS tells electrons and photons apart (JINST 10 (2015) P06005 and P08010): shares of crystals,
spreads in 5 × 5 crystals with logarithmic weights, what lies along φ where bremsstrahlung goes, and around.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jet_variables import ratio
from numpy.typing import NDArray

from e2egraph.detector.geometry import ETA_PITCH, PHI_PITCH
from e2egraph.graphs.storage.pointclouds import PointClouds

Floats = NDArray[np.float64]

COLUMNS = ("jet_pt", "jet_eta", "cluster_energy", "r9", "eta_width", "phi_width")
NODE_COLUMNS = ("deta", "dphi", "channel", "value", "d0_sig", "charge")

OF_CRYSTALS = (
    "seed_share", "second_share", "share_5x5", "sigma_ieta_ieta", "sigma_iphi_iphi", "sigma_ieta_iphi", "crystals",
    "lopsided_eta", "lopsided_phi", "strip_share", "strip_largest", "strip_distance", "around_share",
)  # fmt: skip
OF_TRACKS = ("tracks", "track_pt_share", "track_deta", "track_bend", "track_d0_sig")

# Channels whose nodes count within the radius.
WITHIN_RADIUS = ("TRACK",)

# Crystals on either side of the seed that are looked at, and of these the rows and columns of the cluster.
REACH, ROWS, COLUMNS_OF_CLUSTER = 16, 2, 8
ABOVE_NOISE = 0.1  # [GeV]

# A crystal counts with ln(its share) + W0, from nothing up: CMS's weights (EcalClusterTools in CMSSW).
W0 = 4.7

# Hits are counted in front of the cluster: along φ they turn away from it by the field.
HITS_DETA, HITS_DPHI = 0.03, 0.2
TRACK_PT = 1.0  # [GeV]


def names(channels: Sequence[str]) -> tuple[str, ...]:
    """Names of the variables of ``of_nodes``, in order; of these channels."""
    hits = [f"{channel}_hits" for channel in channels if channel not in ("TRACK", "ECAL", "HCAL")]
    crystals, tracks = (OF_CRYSTALS if "ECAL" in channels else ()), (OF_TRACKS if "TRACK" in channels else ())
    return (*crystals, *tracks, *hits)


def of_nodes(
    clouds: PointClouds, own: Mapping[str, NDArray], numbers: Mapping[str, int], channels: Sequence[str], radius: float
) -> list[Floats]:
    """Variables of the clusters of ``clouds``, each [J]; ``own``: their columns; ``numbers``: of the channels in
    shards; ``radius``: ΔR of tracks to the seed."""
    result = crystal_variables(crops(clouds, numbers["ECAL"])) if "ECAL" in channels else []
    if "TRACK" in channels:
        result += _of_tracks(clouds, numbers["TRACK"], own["jet_pt"], radius)
    near = (np.abs(clouds.nodes["deta"]) < HITS_DETA) & (np.abs(clouds.nodes["dphi"]) < HITS_DPHI)
    for channel in channels:
        if channel not in ("TRACK", "ECAL", "HCAL"):
            here = near & (clouds.nodes["channel"] == numbers[channel])
            result.append(np.bincount(clouds.jet_of_node[here], minlength=len(clouds)).astype(np.float64))
    return result


def crops(clouds: PointClouds, ecal: int) -> Floats:
    """Energies of the crystals around the seeds, [J, 2 · REACH + 1, 2 · REACH + 1], the seed in the middle."""
    here = clouds.nodes["channel"] == ecal
    row, column = (
        np.rint(clouds.nodes[name][here] / pitch).astype(np.int64) + REACH
        for name, pitch in (("deta", ETA_PITCH), ("dphi", PHI_PITCH))
    )
    size = 2 * REACH + 1
    inside = (row >= 0) & (row < size) & (column >= 0) & (column < size)
    cell = (clouds.jet_of_node[here] * size + row) * size + column
    value = clouds.nodes["value"][here].astype(np.float64)
    summed = np.bincount(cell[inside], value[inside], minlength=len(clouds) * size * size)
    return np.asarray(summed, np.float64).reshape(len(clouds), size, size)


def crystal_variables(crop: Floats) -> list[Floats]:
    """The variables ``OF_CRYSTALS``, each [J], of ``crop`` as of ``crops``."""
    core = crop[:, REACH - ROWS : REACH + ROWS + 1]
    strip = core[:, :, REACH - COLUMNS_OF_CLUSTER : REACH + COLUMNS_OF_CLUSTER + 1]
    square = core[:, :, REACH - ROWS : REACH + ROWS + 1]
    total, whole = square.sum((1, 2)), strip.sum((1, 2))
    ordered = np.sort(square.reshape(len(square), -1), axis=1)
    share = ratio(square, total[:, None, None])
    weight = np.maximum(W0 + np.log(np.maximum(share, 1e-9)), 0.0)
    weights = weight.sum((1, 2))
    offset = np.arange(-ROWS, ROWS + 1.0)
    mean_row = ratio((weight * offset[:, None]).sum((1, 2)), weights)
    mean_column = ratio((weight * offset).sum((1, 2)), weights)
    rows, columns = offset[:, None] - mean_row[:, None, None], offset - mean_column[:, None, None]
    along = strip.sum(1)
    outside = along.copy()
    outside[:, COLUMNS_OF_CLUSTER - ROWS : COLUMNS_OF_CLUSTER + ROWS + 1] = 0.0
    place = outside.argmax(1)
    found = outside.max(1) > 0
    return [
        ratio(ordered[:, -1], total),
        ratio(ordered[:, -2], total),
        ratio(total, whole),
        np.sqrt(ratio((weight * rows**2).sum((1, 2)), weights)),
        np.sqrt(ratio((weight * columns**2).sum((1, 2)), weights)),
        ratio((weight * rows * columns).sum((1, 2)), weights),
        (strip > ABOVE_NOISE).sum((1, 2)).astype(np.float64),
        np.abs(ratio((square * offset[:, None]).sum((1, 2)), total)),
        np.abs(ratio((square * offset).sum((1, 2)), total)),
        ratio(outside.sum(1), whole),
        ratio(outside.max(1), whole),
        np.where(found, np.abs(place - COLUMNS_OF_CLUSTER), 0).astype(np.float64),
        ratio(crop.sum((1, 2)) - whole, whole),
    ]


def _of_tracks(clouds: PointClouds, number: int, et: NDArray, radius: float) -> list[Floats]:
    """Tracks near the seed, and of the hardest its pT over E_T, |Δη|, Δφ times charge (which the field's bend leaves
    alike for both signs) and |d0| over its error; 0 where there is none."""
    nodes = clouds.nodes
    near = np.hypot(nodes["deta"], nodes["dphi"]) < radius
    here = np.flatnonzero((nodes["channel"] == number) & near & (nodes["value"] > TRACK_PT))
    owner = clouds.jet_of_node[here]
    order = np.lexsort((-nodes["value"][here], owner))
    here, owner = here[order], owner[order]
    jets, first = np.unique(owner, return_index=True)
    hardest = here[first]
    zeros = np.zeros(len(nodes["value"]), np.float32)
    values = (
        nodes["value"][hardest] / et[jets],
        np.abs(nodes["deta"][hardest]),
        nodes["dphi"][hardest] * nodes.get("charge", zeros)[hardest],
        np.abs(nodes.get("d0_sig", zeros)[hardest]),
    )
    result = [np.bincount(owner, minlength=len(clouds)).astype(np.float64)]
    for one in values:
        column = np.zeros(len(clouds))
        column[jets] = one
        result.append(column)
    return result
