"""Plain anti-kT jets, without substructure: for filters on generated events, and jets of large radius made of jets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from e2egraph.detector.geometry import Floats, Integers
from e2egraph.simulation.clustering import Constituents, clustered, inclusive_jets, kinematics, library
from e2egraph.simulation.generation.candidates import Candidates
from e2egraph.simulation.jets import Jets
from e2egraph.simulation.response.jetsconfig import FatJetsConfig


@dataclass(frozen=True)
class PlainJets:
    """J jets, flat, by event and then falling pT. GeV."""

    event: Integers
    pt: Floats
    eta: Floats
    phi: Floats
    mass: Floats


def fat_jets(jets: Jets | PlainJets, events: int, config: FatJetsConfig) -> PlainJets:
    """Jets of large radius made of ``jets`` in ``events`` events."""
    used = jets.pt > config.constituent_min_pt
    pt, eta, phi, mass = (column[used] for column in (jets.pt, jets.eta, jets.phi, jets.mass))
    pz = pt * np.sinh(eta)
    momenta = Candidates(jets.event[used], pt * np.cos(phi), pt * np.sin(phi), pz, np.sqrt(pt**2 + pz**2 + mass**2))
    return cluster_plain(momenta, events, config.radius, config.min_pt, config.max_eta)


def cluster_plain(momenta: Candidates, events: int, radius: float, min_pt: float, max_eta: float) -> PlainJets:
    """Anti-kT jets of ``momenta``, which come in the order of their ``events`` events."""
    counts = np.bincount(momenta.event, minlength=events)
    particles = Constituents(counts, np.stack([momenta.px, momenta.py, momenta.pz, momenta.energy]))
    sequence = clustered(particles, library().antikt_algorithm, radius)
    event, found = inclusive_jets(sequence, min_pt)
    pt, eta, phi, mass = kinematics(found)
    order = np.lexsort((-pt, event))
    order = order[(pt[order] >= min_pt) & (np.abs(eta[order]) < max_eta)]
    return PlainJets(event[order], pt[order], eta[order], phi[order], mass[order])
