"""The branches of the option ``particle_flow``: particles of all collisions, links to them, and more of the tracks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.geometry import Booleans, Integers
from e2egraph.simulation.generation.particles import Particles
from e2egraph.simulation.particleflow.links import CellLinks
from e2egraph.simulation.particleflow.roots import material_outcome
from e2egraph.simulation.response.response import TracksConfig
from e2egraph.simulation.response.tracking import Tracks, pt_resolution

Columns = dict[str, NDArray]

# Of fakes, which have no particle.
NO_PARTICLE = -1


def particle_flow_columns(
    particles: Particles,
    root: Integers,
    tracks: Tracks,
    muon: Booleans,
    links: dict[str, tuple[CellLinks, Integers]],
    config: TracksConfig,
) -> dict[str, Columns]:
    """Collection ``sim`` and one of each of the ``links``, with their ``event`` index, and further members of
    ``track``.

    ``particles`` [N] are those that the collisions gave, as they left the material; ``root`` [P] counts in them, for
    all particles that tracks know. ``sim`` holds those with a track or with a deposit in a stored cell, whatever its
    energy, in the order of events. ``muon`` [T]: the muon system's bit. ``links``: collection → links and the event of
    each stored cell. ``sim`` and ``cell`` of links, and ``simIndex`` of tracks, count in the event's own lists.
    """
    real = tracks.particle >= 0
    of_track = root[tracks.particle[real]]
    seen = np.zeros(len(particles), dtype=bool)
    seen[of_track] = True
    for found, _ in links.values():
        seen[found.particle] = True
    stored = np.flatnonzero(seen)
    stored = stored[np.argsort(particles.event[stored], kind="stable")]
    true = particles.take(stored)
    number = np.full(len(particles), NO_PARTICLE, dtype=np.int64)
    number[stored] = _in_event(true.event)

    simulated = np.full(len(tracks), NO_PARTICLE, dtype=np.int64)
    simulated[real] = number[of_track]
    columns: dict[str, Columns] = {
        "sim": _particle_columns(true),
        "track": {
            "eta0": tracks.eta0,
            "phi0": tracks.phi0,
            "ptErr": tracks.pt * pt_resolution(tracks.pt, tracks.eta0, config),
            "muon": muon,
            "simIndex": simulated,
            "secondary": tracks.particle >= len(particles),
        },
    }
    for name, (found, event) in links.items():
        columns[name] = {
            "event": event[found.cell],
            "cell": _in_event(event)[found.cell],
            "sim": number[found.particle],
            "energy": found.energy,
        }
    return columns


def _particle_columns(particles: Particles) -> Columns:
    """Particles as their collisions gave them: momentum where they were born, and where that was."""
    return {
        "event": particles.event,
        "pdgId": particles.pdg,
        "charge": particles.charge,
        "pt": particles.pt,
        "eta": particles.eta,
        "phi": particles.phi,
        "m": particles.mass,
        "vx": particles.x,
        "vy": particles.y,
        "vz": particles.z,
        "collision": particles.collision,
        "genIndex": particles.gen,
        "fate": material_outcome(particles),
    }


def _in_event(event: Integers) -> Integers:
    """Number of each member in its own event's list; ``event`` rises."""
    return np.arange(len(event)) - np.searchsorted(event, event)
