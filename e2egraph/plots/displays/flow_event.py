"""One event of a particle-flow data set: its elements, the particles they stand for, and rule-based candidates."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from e2egraph.data.table import read_table
from e2egraph.detector.channels import Channel
from e2egraph.detector.geometry import wrap_phi
from e2egraph.errors import InputError
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.plots.displays.jet_display import COLOURS
from e2egraph.plots.displays.particle_panels import Marks, Panel, by_class, draw_panels
from e2egraph.plots.style import label_of
from e2egraph.tasks.objectives.nodes import CLASSES

# From this share of pile-up on an element's particle is pile-up.
PILE_UP = 0.5
# Directions within this of one another belong together, where the event's hardest region is looked for.
NEAR = 0.4

_ELEMENTS = ((Channel.HCAL, "HCAL", "HCAL towers", "s"), (Channel.ECAL, "ECAL", "ECAL crystals", "o"))

_COLUMNS = [
    "run", "event", "deta", "dphi", "channel", "value", "node_class", "node_target_pt", "node_target_eta",
    "node_target_phi", "node_target_pileup", "pf_class", "pf_pt", "pf_eta", "pf_phi", "pf_pileup",
]  # fmt: skip


def draw_flow_event(data: Path, stem: Path, *, number: int | None = None) -> list[Path]:
    """Draw an event of a data set into ``stem.png`` and ``stem.pdf``: its place in the data set, or by default the one
    whose number of elements is the median. InputError: no such event."""
    table = read_table(data)
    if number is None:
        by_size = np.argsort(table.columns["n_nodes"], kind="stable")
        number = int(by_size[len(by_size) // 2])
    if not 0 <= number < len(table):
        raise InputError(f"{data}: no event number {number}; give a number from 0 to {len(table) - 1}.")
    (group,) = table.group_of(np.array([number]))
    with open_shard(data / table.manifest.shards[int(table.group_shard[group])].name) as file:
        held = file.read(_COLUMNS, [int(table.group_number[group])])
    event = held.take(np.array([number - int(table.group_first[group])]))
    cells = table.manifest.configuration["elements"]["kind"] == "cells"
    panels = [_elements(event, "cells" if cells else "clusters"), _targets(event), _candidates(event)]
    title = f"{label_of(event.jets['run'])}: event {int(event.jets['event'][0])}, number {number} of the data set"
    return draw_panels(panels, _hardest(event), title, stem)


def _elements(event: PointClouds, what: str) -> Panel:
    nodes, marks = event.nodes, []
    groups = [(channel, f"{name} {what}", COLOURS[colour], marker) for channel, name, colour, marker in _ELEMENTS]
    for channel, label, colour, marker in (*groups, (Channel.TRACK, "tracks", COLOURS["tracks"], "x")):
        own = nodes["channel"] == int(channel)
        if own.any():
            eta, phi, value = (nodes[name][own] for name in ("deta", "dphi", "value"))
            marks.append(Marks(label, colour, marker, eta, phi, value, np.zeros(int(own.sum()), bool)))
    tracks = int((nodes["channel"] == int(Channel.TRACK)).sum())
    return Panel(f"{tracks} tracks, {int(event.counts[0]) - tracks} {what}", marks, _NO_JETS)


def _targets(event: PointClouds) -> Panel:
    nodes = event.nodes
    real = nodes["node_class"] > 0
    eta, phi, pt, pile_up = (nodes[f"node_target_{name}"][real] for name in ("eta", "phi", "pt", "pileup"))
    marks = by_class(CLASSES, nodes["node_class"][real], eta, phi, pt, pile_up > PILE_UP)
    return Panel(f"{int(real.sum())} targets", marks, _NO_JETS)


def _candidates(event: PointClouds) -> Panel:
    kind, eta, phi, pt, pile_up = (event.side[f"pf_{name}"].values for name in ("class", "eta", "phi", "pt", "pileup"))
    return Panel(f"{len(pt)} rule-based candidates", by_class(CLASSES, kind, eta, phi, pt, pile_up > 0), _NO_JETS)


def _hardest(event: PointClouds) -> tuple[float, float]:
    """The hardest target where the sum of pT around is largest; the middle of the event where there is none."""
    nodes = event.nodes
    real = (nodes["node_class"] > 0) & (nodes["node_target_pileup"] <= PILE_UP)
    if not real.any():
        return 0.0, 0.0
    eta, phi, pt = (nodes[f"node_target_{name}"][real].astype(np.float64) for name in ("eta", "phi", "pt"))
    near = np.hypot(eta[:, None] - eta, wrap_phi(phi[:, None] - phi)) < NEAR
    place = int(np.where(near[(near @ pt).argmax()], pt, 0.0).argmax())
    return float(eta[place]), float(phi[place])


_NO_JETS = np.empty((0, 3))
