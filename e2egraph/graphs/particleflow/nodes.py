"""Events with elements: their nodes, what these stand for, and the particles that evaluations compare."""

from __future__ import annotations

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.channels import Channel
from e2egraph.detector.geometry import Integers, between_phi_steps, ecal_row, wrap_phi
from e2egraph.errors import InputError
from e2egraph.graphs.making.nodes import finish_nodes
from e2egraph.graphs.making.pixels import inside_crystal_row
from e2egraph.graphs.particleflow.given import given_energies
from e2egraph.graphs.particleflow.perfect import perfect_candidates
from e2egraph.graphs.particleflow.record import FlowRecord, read_record
from e2egraph.graphs.particleflow.targets import Targets, TrueTracks, assign
from e2egraph.graphs.storage.columns import NODE_TYPES, SIDE_TYPES, variable_columns
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.graphs.storage.ragged import Ragged
from e2egraph.reconstruction.elements import COLUMNS, Elements, make_elements
from e2egraph.reconstruction.rules import FlowCandidates, rule_based
from e2egraph.tasks.elements import TaskElements
from e2egraph.tasks.objects.objects import Objects
from e2egraph.tasks.task import TaskConfig

# Column that carries the elements' numbers through ordering and caps.
_ELEMENT = "element"


def make_flow_nodes(events: ak.Array, objects: Objects, task: TaskConfig) -> tuple[PointClouds, dict[str, float]]:
    """Point clouds of the selected events, with what nodes are and their side columns; and what became of elements
    (``making.nodes.node_outcomes``) and of true particles (``targets.Targets.books``).

    InputError: a variable that elements do not have, or energies that do not add up.
    """
    config = task.elements
    assert config is not None, "a task with nodes as its objective is checked for elements before"
    if len(objects) < len(events):
        events = events[objects.event]
    record = read_record(events, config.rules.charged_dz)
    elements = make_elements(record.measured, config, task.inputs.field)
    clouds, outcomes = finish_nodes(_columns(elements, task), objects, task)
    kept = clouds.nodes.pop(_ELEMENT).astype(np.int64)
    targets = _targets(record, elements, kept, config)
    clouds.nodes.update(_target_columns(targets, record))
    rules = rule_based(
        _clusters_of(record, elements, config, task), record.other_vertex[_tracks(elements)], config.rules
    )
    lists = {**record.particles, **_side_columns(record, elements, rules, config)}
    place = np.full(len(elements), -1, np.int64)
    if config.kind == "clusters":
        place[kept] = np.arange(len(kept))
        lists["pf_element"] = Ragged(_in_event(place[rules.element], clouds), lists["pf_pt"].offsets)
    else:
        # Clusters are no nodes here.
        lists["pf_element"] = Ragged(np.full(len(rules), -1), lists["pf_pt"].offsets)
    lists["sim_element"] = Ragged(_in_event(targets.element, clouds), record.sim.offsets)
    clouds.side.update(
        {name: Ragged(lists[name].values.astype(kind), lists[name].offsets) for name, kind in SIDE_TYPES.items()}
    )
    return clouds, {**outcomes, **targets.books}


def _columns(elements: Elements, task: TaskConfig) -> dict[str, NDArray]:
    """What ``finish_nodes`` orders: the elements of the region, in the columns of a shard, with owner and number."""
    inputs, config = task.network_inputs, task.elements
    assert config is not None
    inside = np.abs(elements.columns["deta"]) < inputs.region.half_eta
    inside &= np.isin(elements.channel, [channel.number for channel in inputs.channels])
    columns: dict[str, NDArray] = {"owner": elements.event[inside], _ELEMENT: np.flatnonzero(inside)}
    columns["channel"] = elements.channel[inside].astype(NODE_TYPES["channel"])
    for name in ("deta", "dphi", *variable_columns(inputs)):
        if name not in ("deta", "dphi") and name not in COLUMNS:
            raise InputError(f"variable {name} is none that elements have; take it out of inputs.variables.")
        columns[name] = elements.columns[name][inside].astype(np.float32)
    between = np.ones(int(inside.sum()), bool) if config.kind == "clusters" else columns["channel"] == Channel.TRACK
    columns["deta"][between], columns["dphi"][between] = _off_the_borders(elements, np.flatnonzero(inside)[between])
    return columns


def _off_the_borders(elements: Elements, chosen: Integers) -> tuple[NDArray, NDArray]:
    """η and φ of elements that lie anywhere, moved by a rounding so that turning an event moves none to another pixel,
    as of other deposits (``making.nodes``)."""
    eta, phi = elements.columns["deta"][chosen], elements.columns["dphi"][chosen]
    return inside_crystal_row(eta, ecal_row(eta)), between_phi_steps(phi)


def _targets(record: FlowRecord, elements: Elements, kept: Integers, config: TaskElements) -> Targets:
    """What the elements ``kept``, in their order, stand for."""
    place = np.full(len(elements), -1, np.int64)
    place[kept] = np.arange(len(kept))
    given = given_energies(elements.shares, record.links, len(record.truth.event)).of_elements(place)
    track = _tracks(elements)
    of = elements.of(Channel.TRACK)
    particle = record.track_particle[track]
    real = (particle >= 0) & (place[of] >= 0)
    tracks = TrueTracks(
        place[of[real]], particle[real], elements.columns["value"][of[real]], record.track_secondary[track[real]]
    )
    return assign(record.truth, tracks, given, elements.event[kept], elements.channel[kept], config.targets)


def _target_columns(targets: Targets, record: FlowRecord) -> dict[str, NDArray]:
    px, py, pz, energy = targets.momentum
    pt = np.hypot(px, py)
    there = targets.kind > 0
    eta = np.where(there, np.arcsinh(pz / np.maximum(pt, 1e-9)), 0.0)
    particle = np.where(
        there, targets.particle - np.append(record.sim.offsets[:-1][record.truth.event], 0)[targets.particle], -1
    )
    columns = {
        "node_class": targets.kind,
        "node_target_pt": np.where(there, pt, 0.0),
        "node_target_eta": eta,
        "node_target_phi": np.where(there, np.arctan2(py, px), 0.0),
        "node_target_energy": np.where(there, energy, 0.0),
        "node_target_pileup": targets.pile_up,
        "node_particle": particle,
    }
    types = {"node_class": "uint8", "node_particle": "int32"}
    return {name: values.astype(types.get(name, "float32")) for name, values in columns.items()}


def _clusters_of(record: FlowRecord, elements: Elements, config: TaskElements, task: TaskConfig) -> Elements:
    """Elements that the rules work on: clusters, whatever the nodes are."""
    if config.kind == "clusters":
        return elements
    clusters = TaskElements(
        kind="clusters", track_pt_min=config.track_pt_min, ecal=config.ecal, hcal=config.hcal, rules=config.rules
    )
    return make_elements(record.measured, clusters, task.inputs.field)


def _tracks(elements: Elements) -> Integers:
    """Index among the detector's tracks of each element that is one."""
    return elements.source[elements.of(Channel.TRACK)]


def _side_columns(
    record: FlowRecord, elements: Elements, rules: FlowCandidates, config: TaskElements
) -> dict[str, Ragged]:
    perfect = perfect_candidates(record, elements, config.rules.calibration)
    found: dict[str, Ragged] = {}
    for prefix, made in (("pf", rules), ("perfect", perfect)):
        counts = np.bincount(made.event, minlength=record.measured.events)
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        columns: dict[str, NDArray] = {
            "class": made.kind, "pt": made.pt, "eta": made.eta, "phi": wrap_phi(made.phi), "energy": made.energy,
            "pileup": made.pile_up,
        }  # fmt: skip
        found |= {f"{prefix}_{name}": Ragged(values, offsets) for name, values in columns.items()}
    particle = perfect.particle - record.sim.offsets[:-1][perfect.event]
    found["perfect_particle"] = Ragged(particle, found["perfect_pt"].offsets)
    return found


def _in_event(element: Integers, clouds: PointClouds) -> Integers:
    """Nodes counted in their own event, −1 for none."""
    first = np.append(clouds.offsets[:-1][clouds.jet_of_node], 0)
    return np.where(element >= 0, element - first[element], -1)
