"""Jets of each column against jets of the generator's visible particles (anti-kT, FastJet)."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.geometry import Booleans, Floats, Integers
from e2egraph.evaluation.particleflow.columns import Particles
from e2egraph.reconstruction.links import nearest
from e2egraph.simulation.clustering import Constituents, clustered, inclusive_jets, kinematics, library

RADIUS = 0.4
# Jets further apart than this are not the same; half of the radius.
MATCHED = 0.2
# Generated jets from here on are looked at; those measured from here on may be theirs [GeV].
LEAST_GEN, LEAST_MEASURED = 20.0, 5.0
JETS_ABS_ETA = 1.5


@dataclass(frozen=True)
class FlowJets:
    """J jets by event and falling pT: ``event``, ``pt``, ``eta``, ``phi``, ``mass`` (GeV, radians)."""

    event: Integers
    pt: Floats
    eta: Floats
    phi: Floats
    mass: Floats

    def __len__(self) -> int:
        return len(self.event)

    def take(self, chosen: NDArray) -> FlowJets:
        """The jets that a mask or an index array chooses."""
        return FlowJets(**{column.name: getattr(self, column.name)[chosen] for column in fields(self)})

    def central(self, low: float, high: float) -> Booleans:
        """Which jets of pT from ``low`` to ``high`` [GeV] lie within ``JETS_ABS_ETA``."""
        return np.asarray((np.abs(self.eta) < JETS_ABS_ETA) & (self.pt >= low) & (self.pt < high))


def cluster_jets(particles: Particles, events: int, least: float, radius: float = RADIUS) -> FlowJets:
    """Anti-kT jets with pT above ``least`` [GeV]."""
    momenta = np.stack(
        [
            particles.pt * np.cos(particles.phi),
            particles.pt * np.sin(particles.phi),
            particles.pt * np.sinh(particles.eta),
            np.maximum(particles.energy, particles.pt * np.cosh(particles.eta)),
        ]
    )
    counts = np.bincount(particles.event, minlength=events)
    sequence = clustered(Constituents(counts, momenta), library().antikt_algorithm, radius)
    event, found = inclusive_jets(sequence, least)
    pt, eta, phi, mass = kinematics(found)
    order = np.lexsort((-pt, event))
    return FlowJets(event[order], pt[order], eta[order], phi[order], mass[order])


def match(gen: FlowJets, measured: FlowJets) -> Integers:
    """The measured jet of each generated one: nearest to one another, within ``MATCHED``; −1 for none."""
    there = nearest(gen.event, gen.eta, gen.phi, measured.event, measured.eta, measured.phi, MATCHED)
    back = nearest(measured.event, measured.eta, measured.phi, gen.event, gen.eta, gen.phi, MATCHED)
    mutual = (there >= 0) & (np.append(back, -1)[there] == np.arange(len(gen)))
    return np.where(mutual, there, -1)
