"""The collisions of a bunch crossing: the hard one, and pile-up from a pool of minimum-bias events."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from e2egraph.detector.geometry import Booleans, Floats, Integers
from e2egraph.errors import InputError
from e2egraph.simulation.generation.generated import Generated
from e2egraph.simulation.generation.particles import Particles, concatenate
from e2egraph.simulation.response.response import AcceptanceConfig, BeamSpotConfig

HARD = 0


@dataclass(frozen=True)
class Collisions:
    """C pp collisions, those of one event side by side and the hard one first: where [cm] and when [ns].

    ``counts`` [E] is the number of collisions an event.
    """

    counts: Integers
    x: Floats
    y: Floats
    z: Floats
    t: Floats

    @property
    def first(self) -> Integers:
        """Flat index of each event's hard collision [E]."""
        return np.concatenate([[0], np.cumsum(self.counts)[:-1]]).astype(np.int64)

    @property
    def event(self) -> Integers:
        """Event index of each collision [C]."""
        return np.repeat(np.arange(len(self.counts)), self.counts)


@dataclass(frozen=True)
class Pool:
    """Final-state particles of minimum-bias events at the origin; those of event i are ``offsets[i]:offsets[i+1]``.

    ``weight`` [events]: how often each is drawn, relative to the others; None: all alike.
    """

    offsets: Integers
    particles: Particles
    weight: Floats | None = None

    def draw(self, size: int, rng: np.random.Generator) -> Integers:
        """``size`` random events of the pool, with repetition."""
        if self.weight is None:
            return rng.integers(len(self.offsets) - 1, size=size)
        return rng.choice(len(self.weight), size=size, p=self.weight / self.weight.sum())


def final_state(generated: Generated, link: Integers | None, acceptance: AcceptanceConfig) -> Particles:
    """Visible final-state particles in the acceptance, at their production vertex relative to the collision.

    ``link`` [M] gives their index in the stored generator record; None leaves them unlinked (pile-up).
    """
    pt = np.hypot(generated.px, generated.py)
    chosen: Booleans = (generated.status > 0) & generated.visible
    chosen &= np.abs(generated.pz) < np.sinh(acceptance.max_eta) * pt
    # A neutral particle needs energy to be seen, a charged one pT to leave the beam pipe.
    size = np.where(generated.charge != 0, pt, np.hypot(pt, generated.pz))
    chosen &= size > acceptance.min_pt
    keep = np.flatnonzero(chosen)
    return Particles(
        event=generated.event[keep],
        collision=np.zeros(len(keep), dtype=np.int64),
        gen=np.full(len(keep), -1, dtype=np.int64) if link is None else link[keep],
        pdg=generated.pdg[keep],
        charge=generated.charge[keep],
        mass=generated.mass[keep],
        px=generated.px[keep],
        py=generated.py[keep],
        pz=generated.pz[keep],
        x=generated.x[keep],
        y=generated.y[keep],
        z=generated.z[keep],
        t=generated.t[keep],
        stop_radius=np.full(len(keep), np.inf),
    )


def make_pool(generated: Generated, acceptance: AcceptanceConfig) -> Pool:
    """The pool of a batch of minimum-bias events; InputError when one has a negative weight."""
    if (generated.weight < 0).any():
        raise InputError(
            "pile-up: the generator gives events of negative weight, which cannot be drawn; choose another "
            "process.pile_up.process."
        )
    particles = final_state(generated, None, acceptance)
    counts = np.bincount(particles.event, minlength=generated.n_events)
    weight = None if (generated.weight == generated.weight[0]).all() else generated.weight
    return Pool(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), particles, weight)


def draw_collisions(events: int, mean: float, spot: BeamSpotConfig, rng: np.random.Generator) -> Collisions:
    """One hard collision and Poisson(``mean``) others an event, each at a random point of the beam spot."""
    counts = 1 + rng.poisson(mean, events).astype(np.int64)
    total = int(counts.sum())
    return Collisions(
        counts=counts,
        x=rng.normal(spot.x, spot.sigma_xy, total),
        y=rng.normal(spot.y, spot.sigma_xy, total),
        z=rng.normal(spot.z, spot.sigma_z, total),
        t=rng.normal(0.0, spot.sigma_t, total),
    )


def overlay(hard: Particles, pool: Pool | None, collisions: Collisions, rng: np.random.Generator) -> Particles:
    """All particles of a batch: the hard collisions' and, for every further collision, a random event of the pool.

    Pool events are turned by a random angle about the beam. Everything is moved to its collision's vertex.
    """
    parts = [hard] if pool is None else [hard, _draw_pileup(pool, collisions, rng)]
    particles = concatenate(parts)
    where = collisions.first[particles.event] + particles.collision
    return replace(
        particles,
        x=particles.x + collisions.x[where],
        y=particles.y + collisions.y[where],
        z=particles.z + collisions.z[where],
        t=particles.t + collisions.t[where],
    )


def _draw_pileup(pool: Pool, collisions: Collisions, rng: np.random.Generator) -> Particles:
    numbers = np.arange(len(collisions.event)) - collisions.first[collisions.event]
    extra = np.flatnonzero(numbers != HARD)
    drawn = pool.draw(len(extra), rng)
    angle = rng.uniform(-np.pi, np.pi, len(extra))
    sizes = np.diff(pool.offsets)[drawn]
    begins = np.concatenate([[0], np.cumsum(sizes)[:-1]]) if len(sizes) else np.zeros(0, dtype=np.int64)
    members = np.repeat(pool.offsets[drawn] - begins, sizes) + np.arange(int(sizes.sum()))
    copies = pool.particles.take(members)
    cos, sin = np.repeat(np.cos(angle), sizes), np.repeat(np.sin(angle), sizes)
    return Particles(
        event=np.repeat(collisions.event[extra], sizes),
        collision=np.repeat(numbers[extra], sizes),
        gen=copies.gen,
        pdg=copies.pdg,
        charge=copies.charge,
        mass=copies.mass,
        px=cos * copies.px - sin * copies.py,
        py=sin * copies.px + cos * copies.py,
        pz=copies.pz,
        x=cos * copies.x - sin * copies.y,
        y=sin * copies.x + cos * copies.y,
        z=copies.z,
        t=copies.t,
        stop_radius=copies.stop_radius,
    )
