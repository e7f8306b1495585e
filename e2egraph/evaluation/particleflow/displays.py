"""Displays of single events: true particles, rule-based candidates and those of each network side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from e2egraph.detector.geometry import Booleans, wrap_phi
from e2egraph.evaluation.particleflow.columns import PERFECT, PILE_UP, TARGET, FlowEvents, Particles
from e2egraph.evaluation.particleflow.jets import (
    JETS_ABS_ETA,
    LEAST_GEN,
    LEAST_MEASURED,
    RADIUS,
    FlowJets,
    cluster_jets,
    match,
)
from e2egraph.plots.displays.particle_panels import Panel, by_class, draw_panels
from e2egraph.plots.style import label_of
from e2egraph.tasks.objectives.nodes import CLASSES

STEM = "event_display"

# Measured jets from here on are drawn [GeV], like the generated ones.
LEAST_DRAWN = 15.0


@dataclass(frozen=True)
class Shown:
    """An event to draw: its place among those compared, the ``rank`` of its leading jet (0 the best measured, 1 the
    worst) and that jet's generated ``pt`` [GeV] and direction, and measured over generated pT by column."""

    event: int
    rank: float
    pt: float
    eta: float
    phi: float
    responses: Mapping[str, float]


def choose_events(events: FlowEvents, number: int) -> list[Shown]:
    """``number`` events (fewer where there are fewer), from the one whose leading generated jet is measured as in
    the median to the one where it is measured worst, in even steps.

    Measured: |ln(pT,reco/pT,gen)| on average over rules and networks. Events count whose leading generated jet is
    central, found by all of them, and has no other one near that may be merged with it.
    """
    gen = cluster_jets(events.gen, events.size, LEAST_GEN)
    first = np.flatnonzero(np.append(True, gen.event[1:] != gen.event[:-1])[: len(gen)])
    there = (np.abs(gen.eta[first]) < JETS_ABS_ETA) & ~_near_another(gen)[first]
    responses = {}
    for name, column in measured_columns(events).items():
        jets = cluster_jets(column.hard, events.size, LEAST_MEASURED)
        found = match(gen, jets)[first]
        there &= found >= 0
        responses[name] = np.append(jets.pt, np.nan)[found] / gen.pt[first]
    places = np.flatnonzero(there)
    if not len(places) or number < 1:
        return []
    error = np.mean([np.abs(np.log(values[places])) for values in responses.values()], axis=0)
    order = places[np.argsort(error, kind="stable")]
    ranks = np.linspace(0.5, 1.0, number) if number > 1 else np.array([0.5])
    chosen = np.unique(np.round(ranks * (len(order) - 1)).astype(int))
    shown = []
    for rank in chosen:
        place = order[rank]
        jet = first[place]
        shown.append(
            Shown(
                event=int(gen.event[jet]),
                rank=float(rank / max(len(order) - 1, 1)),
                pt=float(gen.pt[jet]),
                eta=float(gen.eta[jet]),
                phi=float(gen.phi[jet]),
                responses={name: float(values[place]) for name, values in responses.items()},
            )
        )
    return shown


def draw_displays(folder: Path, events: FlowEvents, number: int) -> dict[str, tuple[str, str]]:
    """Draw ``number`` events into ``folder``; name of each figure without suffix → its caption and what it shows."""
    drawn = {}
    for place, shown in enumerate(choose_events(events, number)):
        ids = {name: int(events.clouds.jets[name][shown.event]) for name in ("run", "event")}
        panels = [_panel("truth", events.true, events.gen, shown.event, LEAST_GEN)]
        for name, column in measured_columns(events).items():
            panels.append(_panel(name, column, column.hard, shown.event, LEAST_DRAWN))
        responses = ", ".join(f"{name} {value:.2f}" for name, value in shown.responses.items())
        title = f"{label_of(np.array([ids['run']]))}: event {ids['event']}, leading jet {shown.pt:.0f} GeV"
        draw_panels(panels, (shown.eta, shown.phi), title, folder / f"{STEM}_{place + 1}")
        said = (
            f"Event {ids['event']}: its leading generated jet ({shown.pt:.0f} GeV) is measured "
            f"{_in_words(shown.rank)}; measured over generated pT: {responses}."
        )
        drawn[f"{STEM}_{place + 1}"] = (
            said,
            f"Particles by class in η and φ. {', '.join(one.title for one in panels)}",
        )
    return drawn


def measured_columns(events: FlowEvents) -> dict[str, Particles]:
    """Those that know no truth: rules and networks, of several seeds the first."""
    further = {column for members in events.seeds.values() for column in members[1:]}
    return {
        name: column for name, column in events.columns.items() if name not in (TARGET, PERFECT) and name not in further
    }


def _near_another(jets: FlowJets) -> Booleans:
    """Which jets have another one of their event so near that the two could be one."""
    index = np.arange(len(jets))
    crowded = np.zeros(len(jets), bool)
    # Jets of an event follow one another: as many steps as an event has jets find every pair.
    for step in range(1, int(np.bincount(jets.event).max(initial=1))):
        one, two = index[:-step], index[step:]
        apart = np.hypot(jets.eta[one] - jets.eta[two], wrap_phi(jets.phi[one] - jets.phi[two]))
        close = (jets.event[one] == jets.event[two]) & (apart < 2 * RADIUS)
        crowded[one[close]] = crowded[two[close]] = True
    return crowded


def _panel(title: str, particles: Particles, jets_of: Particles, event: int, least: float) -> Panel:
    own = particles.take(particles.event == event)
    alone = jets_of.take(jets_of.event == event)
    jets: FlowJets = cluster_jets(_as_first(alone), 1, least)
    marks = by_class(CLASSES, own.kind, own.eta, own.phi, own.pt, own.pile_up >= PILE_UP)
    return Panel(f"{title}: {len(own)} particles", marks, np.stack([jets.pt, jets.eta, jets.phi], axis=1))


def _as_first(particles: Particles) -> Particles:
    """The particles of one event, as those of event 0."""
    columns = {**vars(particles), "event": np.zeros(len(particles), np.int64)}
    return Particles(**columns)


def _in_words(rank: float) -> str:
    if rank >= 1.0:
        return "worst of all"
    return "as well as that of the median event" if abs(rank - 0.5) < 0.02 else f"worse than {100 * rank:.0f}% of them"
