"""Single particles far from one another (processes ``*_grid``): what calibrations are fitted and checked on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from e2egraph.detector.channels import Channel
from e2egraph.detector.geometry import Floats, Integers, wrap_phi
from e2egraph.errors import InputError
from e2egraph.events.schema import PointSource
from e2egraph.events.sources.registry import opened
from e2egraph.graphs.particleflow.classes import CHARGED_HADRON, NEUTRAL_HADRON, PHOTON
from e2egraph.graphs.particleflow.record import COLLECTIONS, FlowRecord, read_record
from e2egraph.reconstruction.calibrationfit import SingleParticles, in_bins
from e2egraph.reconstruction.elements import Elements, ElementsConfig, make_elements
from e2egraph.reconstruction.links import nearest
from e2egraph.reconstruction.rules import FlowCandidates, rule_based
from e2egraph.reconstruction.rulesconfig import RulesConfig
from e2egraph.reconstruction.sums import sums

# Particles of a grid are twice as far apart, and more.
CONE = 0.2

# Single particles have no pile-up [cm].
CHARGED_DZ = 0.1

# In the tracker's material neither converted nor interacted.
WHOLE = 0


@dataclass(frozen=True)
class GunEvents:
    """Events of single particles: the record, its elements, and of each of the N particles its fate in the material."""

    record: FlowRecord
    elements: Elements
    fate: Integers

    @property
    def eta(self) -> Floats:
        return np.asarray(self.record.sim.columns["eta"], np.float64)

    @property
    def phi(self) -> Floats:
        return np.asarray(self.record.sim.columns["phi"], np.float64)


@dataclass(frozen=True)
class GateRow:
    """Particles of one kind in one bin of energy [GeV]: their ``number``, ``mean`` and ``median`` response (energy of
    all candidates around over the true one), and half the central 68% of it (``spread``)."""

    kind: str
    low: float
    high: float
    number: int
    mean: float
    median: float
    spread: float


def read_gun(path: Path, config: ElementsConfig | None = None, field: float = 3.8) -> GunEvents:
    """All events of a file of ``simulate --particle-flow``; InputError when it is none."""
    with opened(str(path)) as source:
        if isinstance(source, PointSource):
            raise InputError(f"{path}: holds images of jets; give a file of simulate --particle-flow.")
        record = read_record(source.read(0, source.n_events, ["id", "pv", *COLLECTIONS]), CHARGED_DZ)
    elements = make_elements(record.measured, config or ElementsConfig(), field)
    return GunEvents(record, elements, np.asarray(record.sim.columns["fate"]))


def single_particles(events: GunEvents) -> SingleParticles:
    """The whole particles (neither converted nor interacted) with the clusters around each."""
    elements, column = events.elements, events.elements.columns
    truth = events.record.truth
    held = []
    for channel in (Channel.ECAL, Channel.HCAL):
        own = elements.of(channel)
        to = nearest(
            elements.event[own], (column["deta"] + column["deta0"])[own],
            wrap_phi((column["dphi"] + column["dphi0"])[own]), truth.event, events.eta, events.phi, CONE,
        )  # fmt: skip
        near = to >= 0
        held.append(sums(to[near], column["energy"][own][near], len(truth.event)))
    found = SingleParticles(truth.momentum[3], events.eta, *held)
    return found.take(events.fate == WHOLE)


def gun_candidates(events: GunEvents, config: RulesConfig) -> FlowCandidates:
    """What rule-based particle flow makes of the events."""
    tracks = events.elements.of(Channel.TRACK)
    return rule_based(events.elements, np.zeros(len(tracks), bool), config)


def neutral_gate(events: GunEvents, config: RulesConfig, kind: str, edges: Sequence[float]) -> list[GateRow]:
    """Response of whole neutral particles: energies of all candidates around them over theirs, in bins of energy."""
    around = _around(events, gun_candidates(events, config), None)
    return _rows(kind, events, around, events.fate == WHOLE, edges)


def charged_gate(events: GunEvents, config: RulesConfig, edges: Sequence[float]) -> list[GateRow]:
    """Of whole charged hadrons with a track: response of all candidates, extra neutral energy, and charged
    candidates for each track (rows ``charged hadron``, ``neutral energy next to charged hadron`` and ``charged
    candidates per track``)."""
    found = gun_candidates(events, config)
    record, elements = events.record, events.elements
    track = elements.source[elements.of(Channel.TRACK)]
    particle = record.track_particle[track]
    tracked = np.bincount(particle[particle >= 0], minlength=len(events.fate)) == 1
    whole = tracked & (events.fate == WHOLE)
    energy = record.truth.momentum[3]
    rows = _rows("charged hadron", events, _around(events, found, None), whole, edges)
    neutral = _around(events, found, (NEUTRAL_HADRON, PHOTON))
    rows += _rows("neutral energy next to charged hadron", events, neutral, whole, edges)
    number = _around(events, found, (CHARGED_HADRON,), np.ones(len(found))) * energy
    return rows + _rows("charged candidates per track", events, number, whole, edges)


def _around(
    events: GunEvents, found: FlowCandidates, kinds: tuple[int, ...] | None, weight: Floats | None = None
) -> Floats:
    """Energies (or weights) of the candidates that are nearest to each particle."""
    chosen = np.ones(len(found), bool) if kinds is None else np.isin(found.kind, kinds)
    truth = events.record.truth
    to = nearest(found.event[chosen], found.eta[chosen], found.phi[chosen], truth.event, events.eta, events.phi, CONE)
    near = to >= 0
    values = (found.energy if weight is None else weight)[chosen]
    return sums(to[near], values[near], len(truth.event))


def _rows(kind: str, events: GunEvents, around: Floats, chosen: np.ndarray, edges: Sequence[float]) -> list[GateRow]:
    energy = events.record.truth.momentum[3]
    place = np.where(chosen, in_bins(energy, edges), -1)
    rows = []
    for number in range(len(edges) - 1):
        ratio = (around / energy)[place == number]
        if len(ratio):
            low, middle, high = np.quantile(ratio, [0.16, 0.5, 0.84])
            spread = 0.5 * float(high - low)
            rows.append(
                GateRow(kind, edges[number], edges[number + 1], len(ratio), float(ratio.mean()), float(middle), spread)
            )
    return rows
