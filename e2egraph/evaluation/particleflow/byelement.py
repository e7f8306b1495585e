"""Particles by the element that candidates come from: efficiency and fake rate of a class, also at the fake rate of the
rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.geometry import Booleans, Floats, Integers
from e2egraph.evaluation.particleflow.columns import RULES, FlowEvents, Particles
from e2egraph.evaluation.particleflow.resampling import Add, shares
from e2egraph.evaluation.particleflow.workingpoint import efficiency_at
from e2egraph.tasks.objectives.nodes import CLASSES

ABS_ETA = 1.5
SAME_FAKES = "efficiency by element at the rules' fake rate"
# GeV: of particles that are looked for, and of those that may be fakes.
LEAST_PT, LEAST_MATCH = 1.0, 0.5


@dataclass(frozen=True)
class AtElements:
    """A column's candidates of one class and the elements whose target is of it: at each of these S the probability of
    its candidate (``found``, −1 for none, 0 where nothing says it), and of the C candidates ``probability``, whether
    they are ``fake``, and their ``event``."""

    found: Floats
    sought_event: Integers
    probability: Floats
    fake: Booleans
    event: Integers


def element_figures(events: FlowEvents, column: Particles, kind: int, draws: NDArray[np.int32], add: Add) -> None:
    """Figures of class ``kind``; nothing for columns that come from no element, and none at the fake rate of the rules
    for those without probabilities, or where the rules were given other elements."""
    if not (column.node >= 0).any():
        return
    name, own = CLASSES[kind], at_elements(events, column, kind)
    efficiency = shares(own.found >= 0, own.sought_event, draws)
    add("particles", "efficiency by element", name, efficiency, len(own.found))
    add("particles", "fake rate by element", name, shares(own.fake, own.event, draws), len(own.fake))
    rules = events.columns.get(RULES)
    if column is rules:
        add("particles", SAME_FAKES, name, efficiency, len(own.found))
    elif rules is not None and (rules.node >= 0).any() and np.isfinite(column.probability).all():
        of_rules = at_elements(events, rules, kind)
        allowed = shares(of_rules.fake, of_rules.event, draws)
        # Soft decoding counts a part of the momentum of what is doubtful; here the cut decides.
        whole = at_elements(events, column, kind, column.pt / column.share)
        candidates = (whole.probability, whole.fake, whole.event)
        values = efficiency_at(allowed, candidates, (whole.found, whole.sought_event), draws)
        add("particles", SAME_FAKES, name, values, len(whole.found))


def at_elements(events: FlowEvents, column: Particles, kind: int, pt: Floats | None = None) -> AtElements:
    """Of class ``kind``, within the tracker's barrel. ``pt`` [GeV]: of the column's particles, if not theirs."""
    clouds, nodes = events.clouds, events.clouds.nodes
    central = np.abs(nodes["deta"]) < ABS_ETA
    chosen = (column.kind == kind) & (column.node >= 0)
    pt = (column.pt if pt is None else pt)[chosen]
    made = column.take(chosen)
    node = clouds.offsets[:-1][made.event] + made.node
    best = np.full(len(central), -1.0)
    near = pt > LEAST_MATCH
    np.maximum.at(best, node[near], np.nan_to_num(made.probability[near], nan=0.0))
    sought = np.flatnonzero(central & (nodes["node_class"] == kind) & (nodes["node_target_pt"] > LEAST_PT))
    suspect = (pt > LEAST_PT) & central[node]
    return AtElements(
        found=best[sought],
        sought_event=clouds.jet_of_node[sought],
        probability=made.probability[suspect],
        fake=nodes["node_class"][node[suspect]] != kind,
        event=made.event[suspect],
    )
