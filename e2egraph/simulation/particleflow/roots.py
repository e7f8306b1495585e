"""The particles that collisions gave, as what they became in the tracker's material goes back to them."""

from __future__ import annotations

import numpy as np

from e2egraph.detector.geometry import Integers
from e2egraph.simulation.generation.particles import ELECTRON, PHOTON, Particles

# What became of a particle in the tracker's material, as it is stored.
WHOLE, CONVERTED, INTERACTED, RADIATED = range(4)


def find_roots(origin: Integers) -> Integers:
    """For each of P particles the one that it goes back to: ``origin`` [P] followed to the end.

    ``origin`` is the index of the particle that each comes from, its own for one that a collision gave.
    """
    root = origin
    while True:
        further = root[root]
        if np.array_equal(further, root):
            return root
        root = further


def material_outcome(particles: Particles) -> Integers:
    """What became of each particle [P] in the tracker's material: 0 nothing, 1 a photon that converted, 2 a hadron that
    interacted, 3 an electron that radiated."""
    code = np.abs(particles.pdg)
    what = np.where(code == PHOTON, CONVERTED, np.where(code == ELECTRON, RADIATED, INTERACTED))
    return np.where(np.isfinite(particles.stop_radius), what, WHOLE)
