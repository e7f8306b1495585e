"""Reconstructed vertices: which collisions become one, and how well their positions are measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from e2egraph.detector.geometry import Floats, Integers
from e2egraph.simulation.generation.particles import Particles
from e2egraph.simulation.generation.pileup import Collisions
from e2egraph.simulation.response.response import VerticesConfig
from e2egraph.simulation.response.tracking import Tracks


@dataclass(frozen=True)
class Vertices:
    """V vertices, flat, the primary (hard) one first in each event; positions and errors [cm]. ``counts`` is [E]."""

    counts: Integers
    x: Floats
    y: Floats
    z: Floats
    sigma_xy: Floats
    sigma_z: Floats

    @property
    def primary(self) -> Integers:
        """Flat index of each event's primary vertex [E]."""
        return np.concatenate([[0], np.cumsum(self.counts)[:-1]]).astype(np.int64)


def reconstruct_vertices(
    collisions: Collisions, tracks: Tracks, particles: Particles, config: VerticesConfig, rng: np.random.Generator
) -> Vertices:
    """The vertices of a batch. The hard collision is always found, and taken as the primary vertex."""
    real = tracks.particle >= 0
    used = tracks.particle[real & (tracks.pt > config.min_track_pt)]
    collision = collisions.first[particles.event[used]] + particles.collision[used]
    number = np.bincount(collision, minlength=len(collisions.x))
    found = number >= config.min_tracks
    found[collisions.first] = True
    sigma_xy = np.maximum(config.sigma_xy / np.sqrt(np.maximum(number, 1)), config.floor)[found]
    sigma_z = np.maximum(config.sigma_z / np.sqrt(np.maximum(number, 1)), config.floor)[found]
    blur = rng.normal(size=(3, int(found.sum())))
    return Vertices(
        counts=np.bincount(collisions.event[found], minlength=len(collisions.counts)),
        x=collisions.x[found] + blur[0] * sigma_xy,
        y=collisions.y[found] + blur[1] * sigma_xy,
        z=collisions.z[found] + blur[2] * sigma_z,
        sigma_xy=sigma_xy,
        sigma_z=sigma_z,
    )
