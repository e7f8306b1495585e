"""Particles one by one: efficiency, fakes and energy of each class, and how well pile-up is told apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from e2egraph.evaluation.particleflow.byelement import ABS_ETA, LEAST_MATCH, LEAST_PT, element_figures
from e2egraph.evaluation.particleflow.columns import (
    PERFECT,
    PILE_UP,
    RULES,
    TARGET,
    FlowEvents,
    Particles,
    from_primary_vertex,
    track_nodes,
)
from e2egraph.evaluation.particleflow.resampling import Add, half_width, quantiles, shares
from e2egraph.graphs.particleflow.classes import CHARGED_HADRON, NEUTRAL_HADRON
from e2egraph.reconstruction.links import nearest
from e2egraph.tasks.objectives.nodes import CLASSES

# Directions of candidates agree with the truth within these: a crystal and a half, or a tower and a half.
NEAR = {CHARGED_HADRON: 0.03, NEUTRAL_HADRON: 0.13}
USUAL = 0.03
# A factor e in pT counts like so much in η.
PT_COUNTS = 0.001


def particle_figures(events: FlowEvents, column: Particles, draws: NDArray[np.int32], add: Add) -> None:
    """Efficiency and fake rate by class (nearest to one another, of the same class), and energies of those found, next
    to the targets: what could be found at all, pairs of converted photons among the electrons.

    All collisions' particles count, in their true direction or as seen from the primary vertex, and nothing is taken
    out as pile-up.
    """
    true = events.columns[TARGET]
    if column is true:
        return
    for kind, name in enumerate(CLASSES):
        if kind == 0:
            continue
        reach = NEAR.get(kind, USUAL)
        # What lies within ABS_ETA may belong to what lies beyond, and that to what lies further.
        wanted = true.take((true.kind == kind) & (np.abs(true.eta) < ABS_ETA + reach) & (true.pt > LEAST_MATCH))
        within = np.abs(column.eta) < ABS_ETA + 2.0 * reach
        made = column.take((column.kind == kind) & within & (column.pt > LEAST_MATCH))
        there, back = _pairs(wanted, made, reach)
        # What has no track is seen from the primary vertex, also where it comes from another.
        left, over = np.flatnonzero(there < 0), np.flatnonzero(back < 0)
        seen = from_primary_vertex(wanted.take(left), events.clouds)
        then, _ = _pairs(seen, made.take(over), reach)
        there[left[then >= 0]], back[over[then[then >= 0]]] = over[then[then >= 0]], left[then >= 0]
        looked = (wanted.pt > LEAST_PT) & (np.abs(wanted.eta) < ABS_ETA)
        add("particles", "efficiency", name, shares(there[looked] >= 0, wanted.event[looked], draws), int(looked.sum()))
        suspect = (made.pt > LEAST_PT) & (np.abs(made.eta) < ABS_ETA)
        add("particles", "fake rate", name, shares(back[suspect] < 0, made.event[suspect], draws), int(suspect.sum()))
        element_figures(events, column, kind, draws, add)
        found = looked & (there >= 0)
        ratio = made.energy[there[found]] / wanted.energy[found]
        around = quantiles(ratio, wanted.event[found], draws)
        add("particles", "median energy response", name, around[:, 1], int(found.sum()))
        add("particles", "energy resolution", name, half_width(around), int(found.sum()))


def pile_up_figures(events: FlowEvents, name: str, column: Particles, draws: NDArray[np.int32], add: Add) -> None:
    """Of elements with a target, how well those of pile-up are told from those of the hard collision; nothing without
    pile-up, and nothing for columns that know the truth."""
    if name in (TARGET, PERFECT):
        return
    if name == RULES:
        _charged(events, column, draws, add)
        return
    clouds = events.clouds
    here = (column.node >= 0) & (column.kind > 0)
    node = clouds.offsets[:-1][column.event[here]] + column.node[here]
    real = clouds.nodes["node_class"][node] > 0
    node, event, score = node[real], column.event[here][real], column.pile_up[here][real]
    other = clouds.nodes["node_target_pileup"][node] > PILE_UP
    groups = {"tracks": track_nodes(clouds)[node], "clusters": ~track_nodes(clouds)[node]}
    for what, mine in groups.items():
        area = _area(score[mine], other[mine], event[mine], draws)
        if area is not None:
            add("pile-up", "AUC of the flag", what, area, int(mine.sum()))


def _charged(events: FlowEvents, column: Particles, draws: NDArray[np.int32], add: Add) -> None:
    """Charged particles: shares of pile-up and of hard ones that are taken out."""
    charged = column.take((column.kind == CHARGED_HADRON) & (np.abs(column.eta) < ABS_ETA))
    true = events.columns[TARGET]
    true = true.take((true.kind == CHARGED_HADRON) & (true.pt > LEAST_MATCH))
    there, _ = _pairs(charged, true, NEAR[CHARGED_HADRON])
    matched = there >= 0
    other = true.pile_up[there[matched]] > PILE_UP
    if not other.any():
        return
    out, event = charged.pile_up[matched] >= PILE_UP, charged.event[matched]
    for what, mine in (("of pile-up", other), ("of the hard collision", ~other)):
        add("pile-up", "charged hadrons taken out", what, shares(out[mine], event[mine], draws), int(mine.sum()))


def _pairs(one: Particles, two: Particles, reach: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each of ``one`` that of ``two``, and for each of ``two`` that of ``one``, which are nearest to each other."""
    # Of particles in one direction, such as the parts of one that was split, those of like pT belong together.
    one_eta, two_eta = (part.eta + PT_COUNTS * np.log(part.pt) for part in (one, two))
    there = nearest(one.event, one_eta, one.phi, two.event, two_eta, two.phi, reach)
    back = nearest(two.event, two_eta, two.phi, one.event, one_eta, one.phi, reach)
    mutual = (there >= 0) & (np.append(back, -1)[there] == np.arange(len(one)))
    there = np.where(mutual, there, -1)
    back = np.full(len(two), -1, np.int64)
    back[there[mutual]] = np.flatnonzero(mutual)
    return there, back


def _area(
    score: NDArray, other: NDArray[np.bool_], event: NDArray[np.int64], draws: NDArray[np.int32]
) -> NDArray[np.float64] | None:
    """Area under the ROC curve [1 + R]; None where all are alike."""
    if other.all() or not other.any():
        return None
    order = np.argsort(score, kind="stable")
    ranked = score[order]
    group = np.cumsum(np.concatenate([[0], (ranked[1:] != ranked[:-1]).astype(np.int64)]))
    areas = []
    for row in draws:
        weight = row[event[order]].astype(np.float64)
        signal = np.bincount(group, weight * other[order])
        background = np.bincount(group, weight * ~other[order])
        below = np.cumsum(background) - 0.5 * background
        total = signal.sum() * background.sum()
        areas.append(float((signal * below).sum() / total) if total else np.nan)
    return np.asarray(areas)
