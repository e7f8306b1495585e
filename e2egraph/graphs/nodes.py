"""Deposits around a jet's seed → nodes: the window, what each node carries, canonical order and cap (DESIGN §5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from e2egraph.detector import geometry
from e2egraph.detector.channels import Channel, hit_channels
from e2egraph.graphs.columns import NODE_TYPES, numpy_type
from e2egraph.graphs.nodeselection import above_threshold, first_nodes, near_centre
from e2egraph.graphs.pixels import inside_pixel
from e2egraph.graphs.pointclouds import PointClouds
from e2egraph.tasks.objects.jet import Jets
from e2egraph.tasks.task import Nodes

# arXiv:2104.14659, §3: displacements beyond these [cm] are not lifetimes and are set to zero.
D0_LIMIT = 10.0
DZ_LIMIT = 20.0

_Variables = dict[str, NDArray]


@dataclass(frozen=True)
class _Pairs:
    """Every (jet, deposit of its event) pair inside the window, P in all, with the offset in rows and columns."""

    jet: NDArray[np.int64]
    deposit: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]


def node_fates(nodes: Nodes) -> tuple[str, ...]:
    """What becomes of a deposit in a jet's window of ±62 crystals, in the order it is decided.

    Negative energies are noise: below any threshold, dropped and counted. ``outside_selection``: beyond the task's
    half window or radius, where it has one.
    """
    narrowed = ("outside_selection",) if nodes.narrows else ()
    return ("in_windows", "negative", "below_threshold", *narrowed, "over_cap", "kept")


def collections_needed(nodes: Nodes) -> tuple[str, ...]:
    """Collections of the event record that the task's channels are made from."""
    return tuple(name for name, (_, makes) in _MAKERS.items() if set(makes) & set(nodes.members))


def point_clouds(events: ak.Array, jets: Jets, nodes: Nodes) -> PointClouds:
    """Point clouds of the selected jets; adds the jet columns ``n_nodes`` and ``nodes_cut``."""
    return make_nodes(events, jets, nodes)[0]


def make_nodes(events: ak.Array, jets: Jets, nodes: Nodes) -> tuple[PointClouds, dict[str, int]]:
    """``point_clouds`` and what became of every deposit of a wanted channel in the windows: ``node_fates`` → number."""
    makers = [_MAKERS[name][0] for name in collections_needed(nodes)]
    parts = [maker(events, jets) for maker in makers]
    made = {name: np.concatenate([part[name] for part in parts]) for name in ("owner", *NODE_TYPES)}
    return finish_nodes(made, jets, nodes)


def finish_nodes(
    made: dict[str, NDArray], jets: Jets, nodes: Nodes, exempt: NDArray[np.bool_] | None = None
) -> tuple[PointClouds, dict[str, int]]:
    """Deposits in windows → ordered, capped nodes. ``made``: the node columns and ``owner`` (index of its jet), [S].

    ``exempt`` [S]: deposits kept whatever their value.
    """
    channel, value = made["channel"], made["value"]
    chosen = np.isin(channel, nodes.members)
    above = above_threshold(channel, value, nodes, default=0.0)
    loud = chosen & (above if exempt is None else above | exempt)
    negative = chosen & ~loud & (value < 0)
    wanted = loud & near_centre(made["deta"], made["dphi"], nodes)
    fates = dict.fromkeys(node_fates(nodes), 0)
    fates |= {"in_windows": int(chosen.sum()), "negative": int(negative.sum())}
    fates["below_threshold"] = int((chosen & ~loud).sum()) - fates["negative"]
    if nodes.narrows:
        fates["outside_selection"] = int((loud & ~wanted).sum())
    made = {name: column[wanted] for name, column in made.items()}
    if nodes.suppress_displaced:
        _suppress(made)
    order = canonical_order(made["owner"], made)
    counts = np.bincount(made["owner"], minlength=len(jets))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    ordered = {name: made[name][order] for name in NODE_TYPES}
    clouds = first_nodes(PointClouds(dict(jets.columns), ordered, offsets), nodes.cap)
    clouds.jets["n_nodes"] = clouds.counts
    clouds.jets["nodes_cut"] = counts - clouds.counts
    fates |= {"over_cap": int(clouds.jets["nodes_cut"].sum()), "kept": int(clouds.offsets[-1])}
    return clouds, fates


def canonical_order(owner: NDArray, variables: _Variables) -> NDArray[np.int64]:
    """Indices that sort nodes by jet, channel, falling value, Δη, Δφ; what ties then keeps its order in the event."""
    return np.lexsort(
        (variables["dphi"], variables["deta"], -variables["value"], variables["channel"], owner),
    )


def _from_tracks(events: ak.Array, jets: Jets) -> _Variables:
    tracks = _flat(events.tracks)
    pairs = _window(jets, events.tracks, geometry.ecal_row(tracks["eta"]), geometry.ecal_column(tracks["phi"]))
    near = {name: array[pairs.deposit] for name, array in tracks.items()}
    return _variables(
        pairs,
        **_coordinates(jets, pairs, near["eta"], near["phi"]),
        channel=Channel.TRACK,
        rho=geometry.ECAL_RADIUS,
        value=near["pt"],
        **{name: near[name] for name in ("d0", "dz", "d0_sig", "dz_sig", "charge")},
    )


def _from_hits(events: ak.Array, jets: Jets) -> _Variables:
    hits = _flat(events.hits)
    rho = np.hypot(hits["x"].astype(np.float64), hits["y"].astype(np.float64))
    # A hit on the beam line has no direction; the smallest radius keeps η finite, and it falls outside the window.
    eta = np.arcsinh(hits["z"] / np.maximum(rho, 1e-9))
    phi = np.arctan2(hits["y"].astype(np.float64), hits["x"].astype(np.float64))
    pairs = _window(jets, events.hits, geometry.ecal_row(eta), geometry.ecal_column(phi))
    return _variables(
        pairs,
        **_coordinates(jets, pairs, eta[pairs.deposit], phi[pairs.deposit]),
        channel=hits["channel"][pairs.deposit],
        rho=rho[pairs.deposit],
        value=1.0,
    )


def _from_ecal(events: ak.Array, jets: Jets) -> _Variables:
    cells = _flat(events.ecal)
    pairs = _window(jets, events.ecal, cells["ieta"], cells["iphi"])
    return _variables(
        pairs,
        **_pixel_centres(pairs),
        channel=Channel.ECAL,
        rho=geometry.ECAL_RADIUS,
        value=cells["energy"][pairs.deposit],
        time=cells["time"][pairs.deposit],
    )


def _from_hcal(events: ak.Array, jets: Jets) -> _Variables:
    towers = _flat(events.hcal)
    row, column = (geometry.centre_crystal(towers[name]) for name in ("ieta", "iphi"))
    pairs = _window(jets, events.hcal, row, column)
    return _variables(
        pairs,
        **_pixel_centres(pairs),
        channel=Channel.HCAL,
        rho=geometry.HCAL_RADIUS,
        value=towers["energy"][pairs.deposit],
    )


# Collection of the event record → what makes its nodes, and the channels these can have.
_MAKERS: dict[str, tuple[Callable[[ak.Array, Jets], _Variables], tuple[Channel, ...]]] = {
    "tracks": (_from_tracks, (Channel.TRACK,)),
    "hits": (_from_hits, hit_channels()),
    "ecal": (_from_ecal, (Channel.ECAL,)),
    "hcal": (_from_hcal, (Channel.HCAL,)),
}


def _flat(collection: ak.Array) -> _Variables:
    return {name: ak.to_numpy(ak.flatten(collection[name])) for name in collection.fields}


def _window(jets: Jets, collection: ak.Array, row: NDArray, column: NDArray) -> _Pairs:
    """Pairs of jets and deposits (rows and columns [S], crystal units) within 62 crystals of the centre, φ wrapped."""
    per_event = ak.to_numpy(ak.num(collection))
    first = np.concatenate([[0], np.cumsum(per_event)])[:-1]
    per_jet = per_event[jets.event]
    jet = np.repeat(np.arange(len(jets)), per_jet)
    start = np.concatenate([[0], np.cumsum(per_jet)])[:-1]
    deposit = np.arange(len(jet)) + np.repeat(first[jets.event] - start, per_jet)
    centre_row, centre_column = (geometry.centre_crystal(jets.columns[name]) for name in ("seed_ieta", "seed_iphi"))
    rows = row[deposit] - centre_row[jet]
    half_turn = geometry.ECAL_COLUMNS // 2
    columns = (column[deposit] - centre_column[jet] + half_turn) % geometry.ECAL_COLUMNS - half_turn
    inside = (np.abs(rows) <= geometry.WINDOW_HALF_WIDTH) & (np.abs(columns) <= geometry.WINDOW_HALF_WIDTH)
    return _Pairs(jet[inside], deposit[inside], rows[inside].astype(np.int64), columns[inside].astype(np.int64))


def _coordinates(jets: Jets, pairs: _Pairs, eta: NDArray, phi: NDArray) -> _Variables:
    """Δη and Δφ [P] to the centre of the window's centre crystal, at the deposit's own resolution."""
    centre_row, centre_column = (geometry.centre_crystal(jets.columns[name]) for name in ("seed_ieta", "seed_iphi"))
    deta = eta - geometry.ecal_eta(centre_row)[pairs.jet]
    dphi = geometry.delta_phi(phi, geometry.ecal_phi(centre_column)[pairs.jet])
    return {
        "deta": inside_pixel(deta, pairs.rows, geometry.ETA_PITCH),
        "dphi": inside_pixel(dphi, pairs.columns, geometry.PHI_PITCH),
    }


def _pixel_centres(pairs: _Pairs) -> _Variables:
    """Δη and Δφ [P] of the middle of each deposit's pixel: where crystals and towers stand."""
    return {
        "deta": inside_pixel(pairs.rows * geometry.ETA_PITCH, pairs.rows, geometry.ETA_PITCH),
        "dphi": inside_pixel(pairs.columns * geometry.PHI_PITCH, pairs.columns, geometry.PHI_PITCH),
    }


def _variables(pairs: _Pairs, **given: NDArray | float) -> _Variables:
    """All node columns and their ``owner`` jet; what is not given has no meaning for the channel and is 0."""
    size = len(pairs.jet)
    columns = {name: np.broadcast_to(given.get(name, 0), size).astype(numpy_type(name)) for name in NODE_TYPES}
    return {"owner": pairs.jet, **columns}


def _suppress(made: _Variables) -> None:
    for name, limit in (("d0", D0_LIMIT), ("dz", DZ_LIMIT)):
        far = np.abs(made[name]) > limit
        made[name][far] = 0.0
        made[f"{name}_sig"][far] = 0.0
