"""The event record's collections of particle flow, as flat columns that count in all events of a chunk."""

from __future__ import annotations

from dataclasses import dataclass

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.channels import Channel
from e2egraph.detector.geometry import Booleans, Integers
from e2egraph.events.flat import Flat, flat
from e2egraph.graphs.particleflow.classes import NEUTRINOS, class_of, energy_of
from e2egraph.graphs.particleflow.given import Links
from e2egraph.graphs.particleflow.targets import Truth
from e2egraph.graphs.storage.ragged import Ragged
from e2egraph.reconstruction.elements import Measured
from e2egraph.reconstruction.rules import from_other_vertex

# Collections that events with elements are made from.
COLLECTIONS = (
    "tracks", "track_details", "ecal", "hcal", "vertices", "sim", "track_links", "ecal_links", "hcal_links", "gen",
)  # fmt: skip

FINAL_STATE = 1
# Leptons and photons of the hardest process are stored as such (Pythia's status 23, ``simulation.generation.truth``),
# with themselves among their daughters where they radiate; τ leptons decay.
OUTGOING = 23
LASTING = (11, 12, 13, 14, 16, 22)


@dataclass(frozen=True)
class FlowRecord:
    """A chunk of E events.

    ``measured``: what the detector has. ``links``: of each calorimeter. ``truth``: of all particles ``sim``, which
    ``sim`` counts; ``track_particle``: of each track in ``truth``, −1 for a fake; ``track_secondary``.
    ``other_vertex``: which tracks are another vertex's. ``particles``: side columns ``sim_`` and ``gen_``.
    """

    measured: Measured
    links: dict[Channel, Links]
    truth: Truth
    sim: Flat
    track_particle: Integers
    track_secondary: Booleans
    other_vertex: Booleans
    particles: dict[str, Ragged]


def read_record(events: ak.Array, charged_dz: float) -> FlowRecord:
    """The record of ``events``, whose ``COLLECTIONS`` and ``pv`` are read. ``charged_dz`` [cm]: see ``RulesConfig``."""
    found = {name: flat(events[name]) for name in COLLECTIONS}
    of = {name: np.repeat(np.arange(len(events)), part.counts) for name, part in found.items()}
    tracks, sim = found["tracks"], found["sim"]
    track_columns = {**tracks.columns, **found["track_details"].columns}
    cells = {
        name: {
            "event": of[name],
            "row": found[name].columns["ieta"],
            "column": found[name].columns["iphi"],
            **{each: found[name].columns[each] for each in ("energy", "time") if each in found[name].columns},
        }
        for name in ("ecal", "hcal")
    }
    vertex = np.stack([np.asarray(events.pv[axis], np.float64) for axis in ("x", "y", "z")], axis=1)
    measured = Measured(len(events), vertex, {"event": of["tracks"], **track_columns}, cells["ecal"], cells["hcal"])
    links = {
        channel: _links(found[f"{name}_links"], found[name], sim, of[f"{name}_links"])
        for channel, name in ((Channel.ECAL, "ecal"), (Channel.HCAL, "hcal"))
    }
    particle = found["track_links"].columns["particle"].astype(np.int64)
    particle = np.where(particle >= 0, particle + sim.offsets[:-1][of["tracks"]], -1)
    columns = sim.columns
    kind = class_of(columns["pdg_id"], columns["charge"])
    pt, eta, phi, energy = _kinematics(sim)
    momentum = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), energy])
    truth = Truth(of["sim"], kind, momentum, columns["collision"] > 0)
    sides = {
        "sim_class": kind, "sim_pt": pt, "sim_eta": eta, "sim_phi": phi, "sim_energy": energy,
        "sim_collision": columns["collision"],
    }  # fmt: skip
    gen = found["gen"].take(_is_final(found["gen"], of["gen"]))
    gen_pt, gen_eta, gen_phi, gen_energy = _kinematics(gen)
    final = {
        "gen_pdg": gen.columns["pdg_id"], "gen_pt": gen_pt, "gen_eta": gen_eta, "gen_phi": gen_phi,
        "gen_energy": gen_energy,
    }  # fmt: skip
    particles = {name: Ragged(values, sim.offsets) for name, values in sides.items()}
    particles |= {name: Ragged(values, gen.offsets) for name, values in final.items()}
    return FlowRecord(
        measured=measured,
        links=links,
        truth=truth,
        sim=sim,
        track_particle=particle,
        track_secondary=found["track_links"].columns["secondary"] > 0,
        other_vertex=from_other_vertex(
            of["tracks"], tracks.columns["dz"], of["vertices"], found["vertices"].columns["z"], charged_dz
        ),
        particles=particles,
    )


def is_visible(pdg: NDArray) -> Booleans:
    """Which particles of the final state a detector can see: all but neutrinos."""
    return ~np.isin(np.abs(pdg), NEUTRINOS)


def _is_final(gen: Flat, event: Integers) -> Booleans:
    """Which of the stored particles are left in the end."""
    columns = gen.columns
    mother = columns["mother"].astype(np.int64)
    above = (mother + gen.offsets[:-1][event])[mother >= 0]
    parent = np.zeros(len(mother), bool)
    parent[above] = True
    lasting = (columns["status"] == OUTGOING) & np.isin(np.abs(columns["pdg_id"]), LASTING) & ~parent
    return np.asarray((columns["status"] == FINAL_STATE) | lasting)


def _links(links: Flat, cells: Flat, sim: Flat, event: Integers) -> Links:
    columns = links.columns
    return Links(
        cell=columns["cell"] + cells.offsets[:-1][event],
        particle=columns["particle"] + sim.offsets[:-1][event],
        energy=columns["energy"].astype(np.float64),
    )


def _kinematics(particles: Flat) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    pt, eta, phi, mass = (particles.columns[name].astype(np.float64) for name in ("pt", "eta", "phi", "mass"))
    return pt, eta, phi, energy_of(pt, eta, mass)
