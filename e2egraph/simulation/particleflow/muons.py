"""The muon system, reduced to one bit a track: was it found behind the calorimeters?"""

from __future__ import annotations

import numpy as np

from e2egraph.detector.geometry import Booleans
from e2egraph.simulation.generation.particles import ELECTRON, MUON, Particles
from e2egraph.simulation.particleflow.muonconfig import MuonsConfig
from e2egraph.simulation.response.tracking import Tracks


def tag_muons(tracks: Tracks, particles: Particles, config: MuonsConfig, rng: np.random.Generator) -> Booleans:
    """Which of the ``tracks`` [T] are taken for muons; fakes and electrons never are.

    ``particles`` are those that the tracks count. Hadrons that end in the tracker do not punch through.
    """
    true = particles.take(tracks.particle)
    code = np.abs(true.pdg)
    hadron = (code != MUON) & (code != ELECTRON) & np.isinf(true.stop_radius)
    probability = np.where(code == MUON, config.efficiency, np.where(hadron, config.punch_through, 0.0))
    inside = (tracks.particle >= 0) & (tracks.pt > config.min_pt) & (np.abs(tracks.eta0) < config.max_eta)
    return np.asarray(inside & (rng.uniform(size=len(tracks)) < probability), dtype=np.bool_)
