"""The particles of a batch of events as flat, parallel arrays: the currency of every step of the simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from e2egraph.detector.geometry import Booleans, Floats, Integers
from e2egraph.detector.helix import GEV_PER_TESLA_CM, Helices

ELECTRON, MUON, PHOTON = 11, 13, 22
PION_MASS = 0.13957  # GeV, charged pion (PDG Review of Particle Physics)

# c in cm/ns.
SPEED_OF_LIGHT = 29.9792458


@dataclass(frozen=True)
class Particles:
    """P particles that leave their mark in the detector; every array has shape [P].

    ``event`` is the index in the batch, ``collision`` 0 for the hard one and 1… for pile-up, ``gen`` the index in the
    event's stored generator record (−1: none). GeV, cm, ns, units of e. The particle is born at (x, y, z) at time t
    and ends at radius ``stop_radius`` (infinite unless it converted or interacted in the tracker).
    """

    event: Integers
    collision: Integers
    gen: Integers
    pdg: Integers
    charge: Floats
    mass: Floats
    px: Floats
    py: Floats
    pz: Floats
    x: Floats
    y: Floats
    z: Floats
    t: Floats
    stop_radius: Floats

    def __len__(self) -> int:
        return len(self.event)

    @property
    def pt(self) -> Floats:
        """Transverse momentum [GeV]."""
        return np.hypot(self.px, self.py)

    @property
    def momentum(self) -> Floats:
        """|p| [GeV]."""
        return np.sqrt(self.px**2 + self.py**2 + self.pz**2)

    @property
    def energy(self) -> Floats:
        """Total energy [GeV]."""
        return np.sqrt(self.px**2 + self.py**2 + self.pz**2 + self.mass**2)

    @property
    def calorimetric_energy(self) -> Floats:
        """What a shower can leave of it [GeV]: of a baryon its kinetic energy, of all else the total one. That an
        antibaryon annihilates is not followed."""
        baryon = np.abs(self.pdg) % 10000 > 1000
        return np.where(baryon, self.energy - self.mass, self.energy)

    @property
    def eta(self) -> Floats:
        """Pseudorapidity of the momentum (not of the position)."""
        return np.arcsinh(self.pz / np.maximum(self.pt, 1e-12))

    @property
    def phi(self) -> Floats:
        """Azimuth of the momentum [rad], in (−π, π]."""
        return np.arctan2(self.py, self.px)

    def take(self, chosen: Integers | Booleans) -> Particles:
        """The particles that a mask or an index array chooses."""
        return Particles(**{column.name: getattr(self, column.name)[chosen] for column in fields(self)})

    def with_stop(self, stop_radius: Floats) -> Particles:
        """The same particles, ending at ``stop_radius`` [cm]."""
        return replace(self, stop_radius=stop_radius)


def concatenate(parts: Sequence[Particles]) -> Particles:
    """All particles of ``parts``, one after another."""
    return Particles(
        **{column.name: np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(Particles)}
    )


def helices(particles: Particles, field: float) -> Helices:
    """Trajectories of ``particles`` in a field of ``field`` tesla along +z."""
    pt = np.maximum(particles.pt, 1e-9)
    return Helices(
        x=particles.x,
        y=particles.y,
        z=particles.z,
        phi=particles.phi,
        kappa=-particles.charge * GEV_PER_TESLA_CM * field / pt,
        dip=particles.pz / pt,
    )
