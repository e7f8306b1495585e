"""Deposits around an object → nodes: the region, what each node carries, canonical order and caps (DESIGN §6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from e2egraph.detector import geometry
from e2egraph.errors import InputError
from e2egraph.events.flat import flat
from e2egraph.graphs.making.nodeselection import above_threshold, first_nodes, near_centre
from e2egraph.graphs.making.pixels import inside_crystal_row, inside_pixel
from e2egraph.graphs.particleflow.record import COLLECTIONS as COLLECTIONS_OF_FLOW
from e2egraph.graphs.storage.columns import NODE_TYPES, variable_columns
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.tasks.objects.objects import Objects
from e2egraph.tasks.region import Region
from e2egraph.tasks.task import TaskConfig, TaskInputs
from e2egraph.tasks.variables import DISPLACEMENT_LIMITS, distance_to_beam, values_of, variables

_Columns = dict[str, NDArray]


@dataclass(frozen=True)
class Places:
    """Where the S deposits of a collection lie: crystal ``row`` and ``column``, and their own η and φ [rad] where these
    are finer than the crystal (None: at its centre)."""

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    eta: NDArray[np.float64] | None = None
    phi: NDArray[np.float64] | None = None

    @property
    def directions(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """η and φ [rad] of the deposits, [S] each: their own, or the crystal's."""
        if self.eta is None or self.phi is None:
            return geometry.ecal_eta(self.row), geometry.ecal_phi(self.column)
        return self.eta, self.phi


@dataclass(frozen=True)
class _Pairs:
    """Every (object, deposit of its event) pair inside the region, P in all, with the offset in rows and columns (0
    where the region has no centre)."""

    object: NDArray[np.int64]
    deposit: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]


def node_outcomes(inputs: TaskInputs) -> tuple[str, ...]:
    """What becomes of a deposit in an object's region, in the order it is decided.

    Negative energies are noise: below any threshold, dropped and counted. ``outside_selection``: beyond the task's
    half window or radius, where it has one.
    """
    narrowed = ("outside_selection",) if inputs.narrows else ()
    return ("in_windows", "negative", "below_threshold", *narrowed, "over_cap", "kept")


def collections_needed(task: TaskConfig) -> tuple[str, ...]:
    """Collections of the event record that the task's channels are made from."""
    if task.elements is not None:
        return COLLECTIONS_OF_FLOW
    wanted = {channel.collection for channel in task.network_inputs.channels}
    return tuple(name for name in _PLACES if name in wanted)


def point_clouds(events: ak.Array, objects: Objects, task: TaskConfig) -> PointClouds:
    """Point clouds of the selected objects; adds the columns ``n_nodes`` and ``nodes_cut``."""
    return make_nodes(events, objects, task)[0]


def make_nodes(events: ak.Array, objects: Objects, task: TaskConfig) -> tuple[PointClouds, dict[str, int]]:
    """``point_clouds`` and what became of every deposit of a wanted channel in the regions: ``node_outcomes`` → number.

    InputError when a variable cannot be made from the event record.
    """
    parts = [_from_collection(name, events, objects, task) for name in collections_needed(task)]
    made = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return finish_nodes(made, objects, task)


def finish_nodes(
    made: _Columns, objects: Objects, task: TaskConfig, exempt: NDArray[np.bool_] | None = None
) -> tuple[PointClouds, dict[str, int]]:
    """Deposits in regions → ordered, capped nodes. ``made``: the node columns and ``owner`` (index of its object), [S].

    ``exempt`` [S]: deposits kept whatever their value.
    """
    inputs, numbers = task.inputs, task.numbers
    channel, value = made["channel"], made["value"]
    chosen = np.isin(channel, inputs.members(numbers))
    above = above_threshold(channel, value, inputs, numbers, default=0.0)
    passed = chosen & (above if exempt is None else above | exempt)
    negative = chosen & ~passed & (value < 0)
    wanted = passed & near_centre(made["deta"], made["dphi"], inputs)
    outcomes = dict.fromkeys(node_outcomes(inputs), 0)
    outcomes |= {"in_windows": int(chosen.sum()), "negative": int(negative.sum())}
    outcomes["below_threshold"] = int((chosen & ~passed).sum()) - outcomes["negative"]
    if inputs.narrows:
        outcomes["outside_selection"] = int((passed & ~wanted).sum())
    made = {name: column[wanted] for name, column in made.items()}
    if inputs.suppress_displaced:
        _suppress(made)
    order = canonical_order(made["owner"], made)
    counts = np.bincount(made["owner"], minlength=len(objects))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    ordered = {name: column[order] for name, column in made.items() if name != "owner"}
    clouds = first_nodes(PointClouds(dict(objects.columns), ordered, offsets), inputs, numbers)
    clouds.jets["n_nodes"] = clouds.counts
    clouds.jets["nodes_cut"] = counts - clouds.counts
    outcomes |= {"over_cap": int(clouds.jets["nodes_cut"].sum()), "kept": int(clouds.offsets[-1])}
    return clouds, outcomes


def canonical_order(owner: NDArray, nodes: Mapping[str, NDArray]) -> NDArray[np.int64]:
    """Indices that sort nodes by object, channel, falling value, Δη, Δφ; of equal ones, those earlier in the event."""
    # Two numbers for five: sorting takes time by their number.
    deta, dphi = (_as_ordered(nodes[name]).astype(np.uint64) for name in ("deta", "dphi"))
    places = (deta << np.uint64(32)) | dphi
    channel = nodes["channel"].astype(np.uint64) << np.uint64(32)
    values = channel | _as_ordered(-nodes["value"]).astype(np.uint64)
    if owner.max(initial=0) < 1 << 24:
        return np.lexsort((places, values | (owner.astype(np.uint64) << np.uint64(40))))
    return np.lexsort((places, values, owner))


def _as_ordered(numbers: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Whole numbers in the order of real ones, equal where these are: the bits of a positive number with the first one
    set, all bits of a negative one turned over."""
    bits = (numbers.astype(np.float32) + np.float32(0.0)).view(np.uint32)  # −0 becomes 0
    return np.where(bits >> np.uint32(31), ~bits, bits | np.uint32(1 << 31))


def _from_collection(name: str, events: ak.Array, objects: Objects, task: TaskConfig) -> _Columns:
    """The node columns of a collection's deposits in the regions, and their ``owner`` object."""
    inputs = task.network_inputs
    # Deposits of events without an object are in no region.
    wanted = np.zeros(len(events), bool)
    wanted[objects.event] = True
    collection = flat(events[name]).of_events(wanted)
    fields = collection.columns
    places = _PLACES[name](fields)
    pairs = _window(objects, collection.counts, places, inputs.region)
    size = len(places.row)
    if "channel" in fields:
        channel = fields["channel"]
    else:
        (number,) = {row.number for row in inputs.channels if row.collection == name}
        channel = np.broadcast_to(np.uint8(number), size)
    columns: _Columns = {"owner": pairs.object}
    columns |= _coordinates(objects, pairs, places, inputs.region)
    columns["channel"] = channel[pairs.deposit].astype(NODE_TYPES["channel"])
    near = _Gathered(fields, pairs.deposit)
    for variable in variable_columns(inputs):
        try:
            columns[variable] = values_of(variables()[variable], name, near, len(pairs.deposit))
        except (ValueError, KeyError) as error:
            raise InputError(
                f"variable {variable} cannot be made of {name} ({error}); give files that have what it needs, or take "
                "it out of inputs.variables."
            ) from error
    return columns


class _Gathered(Mapping[str, NDArray]):
    """The fields of a collection at some of its deposits, each gathered when it is first asked for."""

    def __init__(self, fields: Mapping[str, NDArray], deposit: NDArray[np.int64]) -> None:
        self._fields, self._deposit = fields, deposit
        self._made: dict[str, NDArray] = {}

    def __getitem__(self, name: str) -> NDArray:
        if name not in self._made:
            self._made[name] = self._fields[name][self._deposit]
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


def _tracks(fields: Mapping[str, NDArray]) -> Places:
    eta, phi = fields["eta"], fields["phi"]
    return Places(geometry.ecal_row(eta), geometry.ecal_column(phi), eta, phi)


def _hits(fields: Mapping[str, NDArray]) -> Places:
    rho = distance_to_beam(fields)
    # A hit on the beam line has no direction; the smallest radius keeps η finite, and it falls outside the region.
    eta = np.arcsinh(fields["z"] / np.maximum(rho, 1e-9))
    phi = np.arctan2(fields["y"].astype(np.float64), fields["x"].astype(np.float64))
    return Places(geometry.ecal_row(eta), geometry.ecal_column(phi), eta, phi)


def _crystals(fields: Mapping[str, NDArray]) -> Places:
    return Places(fields["ieta"], fields["iphi"])


def _towers(fields: Mapping[str, NDArray]) -> Places:
    return Places(geometry.centre_crystal(fields["ieta"]), geometry.centre_crystal(fields["iphi"]))


# Collection of the event record → where its deposits lie.
_PLACES: dict[str, Callable[[Mapping[str, NDArray]], Places]] = {
    "tracks": _tracks,
    "hits": _hits,
    "ecal": _crystals,
    "hcal": _towers,
}

COLLECTIONS_OF_NODES = tuple(_PLACES)


def _window(objects: Objects, per_event: NDArray[np.int64], places: Places, region: Region) -> _Pairs:
    """Pairs of objects and deposits (``per_event`` [E] in each event) inside the region, φ wrapped."""
    first = np.concatenate([[0], np.cumsum(per_event)])[:-1]
    per_object = per_event[objects.event]
    owner = np.repeat(np.arange(len(objects)), per_object)
    start = np.concatenate([[0], np.cumsum(per_object)])[:-1]
    deposit = np.arange(len(owner)) + np.repeat(first[objects.event] - start, per_object)
    if region.centre == "none":
        inside = np.abs(places.directions[0][deposit]) < region.half_eta
        zeros = np.zeros(int(inside.sum()), np.int64)
        return _Pairs(owner[inside], deposit[inside], zeros, zeros)
    rows = places.row[deposit] - objects.centres.row[owner]
    half_turn = geometry.ECAL_COLUMNS // 2
    columns = (places.column[deposit] - objects.centres.column[owner] + half_turn) % geometry.ECAL_COLUMNS - half_turn
    inside = (np.abs(rows) <= region.half_rows) & (np.abs(columns) <= region.half_columns)
    return _Pairs(owner[inside], deposit[inside], rows[inside].astype(np.int64), columns[inside].astype(np.int64))


def _coordinates(objects: Objects, pairs: _Pairs, places: Places, region: Region) -> _Columns:
    """Δη and Δφ [P] to the region's centre: the deposit's own, or the middle of its pixel."""
    deta: NDArray
    dphi: NDArray
    if region.centre == "none":
        deta, dphi = (values[pairs.deposit] for values in places.directions)
        if places.eta is not None:
            deta = inside_crystal_row(deta, places.row[pairs.deposit])
            dphi = geometry.between_phi_steps(dphi)
    elif places.eta is None or places.phi is None:
        deta, dphi = pairs.rows * region.eta_pitch, pairs.columns * region.phi_pitch
    else:
        deta = places.eta[pairs.deposit] - objects.centres.eta[pairs.object]
        dphi = geometry.delta_phi(places.phi[pairs.deposit], objects.centres.phi[pairs.object])
    if not region.lattice:
        return {"deta": deta.astype(np.float32), "dphi": dphi.astype(np.float32)}
    return {
        "deta": inside_pixel(deta, pairs.rows, region.eta_pitch),
        "dphi": inside_pixel(dphi, pairs.columns, region.phi_pitch),
    }


def _suppress(made: _Columns) -> None:
    for name, limit in DISPLACEMENT_LIMITS.items():
        if name not in made:
            continue
        far = np.abs(made[name]) > limit
        made[name][far] = 0.0
        if f"{name}_sig" in made:
            made[f"{name}_sig"][far] = 0.0
