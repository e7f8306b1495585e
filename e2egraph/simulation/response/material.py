"""What tracker material does to particles: photons convert, electrons radiate, hadrons interact.

The material is thought to sit on thin cylinders, outside of a layer's sensors where both have one radius. Multiple
scattering of the trajectory (it is in the track resolutions) and ionisation losses are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from e2egraph.detector.geometry import Booleans, Floats, Integers
from e2egraph.detector.helix import Helices, position, to_cylinder
from e2egraph.simulation.generation.particles import (
    ELECTRON,
    MUON,
    PHOTON,
    PION_MASS,
    SPEED_OF_LIGHT,
    Particles,
    concatenate,
    helices,
)
from e2egraph.simulation.response.bremsstrahlung import photons_per_radiation_length, radiate
from e2egraph.simulation.response.response import MaterialConfig

# Pair production: mean free path 9/7 X₀ (PDG Review of Particle Physics, "Passage of particles through matter").
CONVERSIONS_PER_RADIATION_LENGTH = 7.0 / 9.0
ELECTRON_MASS = 0.000511
PION, NEUTRAL_PION_AS_PHOTON = 211, PHOTON


@dataclass(frozen=True)
class Passage:
    """What left the material, [P]: ``particles`` and how they belong together.

    ``origin``: index of the particle that each comes from, of itself if from none. An electron that radiates ends there
    and goes on as a further particle: ``first`` is the index of the piece that each began as, of itself for all others.
    """

    particles: Particles
    origin: Integers
    first: Integers

    @property
    def whole(self) -> Particles:
        """The particles, as many, as track finding sees them: each electron is its first piece and ends with its last.

        Further pieces have no charge.
        """
        last = self._last
        return replace(
            self.particles,
            charge=np.where(self.first == np.arange(len(last)), self.particles.charge, 0.0),
            stop_radius=self.particles.stop_radius[last],
        )

    @property
    def radiated(self) -> Floats:
        """Share of its momentum that each has lost by its last piece [P]."""
        momentum = self.particles.momentum
        return 1.0 - momentum[self._last] / np.maximum(momentum, 1e-12)

    @property
    def _last(self) -> Integers:
        last = np.arange(len(self.first))
        np.maximum.at(last, self.first, last.copy())
        return last


@dataclass(frozen=True)
class _Daughters:
    """Particles made in the material, the index of each one's parent, whether it is the parent going on."""

    particles: Particles
    parent: Integers
    goes_on: Booleans


def interact(particles: Particles, field: float, config: MaterialConfig, rng: np.random.Generator) -> Passage:
    """``particles`` after the tracker's material: conversions, bremsstrahlung and nuclear interactions applied.

    Those that convert, radiate or interact end there (``stop_radius``); what they give follows, with the same links.
    Photons and electrons made in the material convert and radiate further out; hadrons do not interact again.
    """
    edges = np.concatenate([[0.0], np.cumsum(config.share) / np.sum(config.share)])
    stopped, pions, origin = _nuclear(particles, edges, field, config, rng)
    young = concatenate([stopped, pions])
    pieces: list[Particles] = []
    origins = [np.concatenate([np.arange(len(particles)), origin])]
    firsts = [np.arange(len(young))]
    # How much of the material lies inside of where each was born, as a share.
    passed = edges[np.searchsorted(config.radius, np.hypot(young.x, young.y), side="right")]
    begin = 0
    while len(young) or not pieces:  # once also where there is nothing: particles of a batch may all be neutrinos
        stopped, daughters, passed = _electromagnetic(young, passed, edges, field, config, rng)
        pieces.append(stopped)
        end = begin + len(young)
        origins.append(begin + daughters.parent)
        own = end + np.arange(len(daughters.parent))
        firsts.append(np.where(daughters.goes_on, firsts[-1][daughters.parent], own))
        begin, young = end, daughters.particles
    return Passage(concatenate(pieces), np.concatenate(origins), np.concatenate(firsts))


def _nuclear(
    particles: Particles, edges: Floats, field: float, config: MaterialConfig, rng: np.random.Generator
) -> tuple[Particles, Particles, Integers]:
    """``particles`` with the hadrons that interact ended, the secondaries, and the index of each one's hadron."""
    thickness = np.interp(np.abs(particles.eta), config.eta, config.radiation_lengths)
    code = np.abs(particles.pdg)
    lepton_or_photon = (code == PHOTON) | (code == ELECTRON) | (code == MUON)
    hadron = ~lepton_or_photon & (particles.momentum > config.interaction_min_momentum)
    depth = np.where(hadron, thickness * config.interaction_per_radiation, 0.0)
    # The depth at which a particle would interact, in units of its own mean free path.
    target = rng.exponential(size=len(particles))
    hit = np.flatnonzero(target < depth)
    cylinder = _cylinder(target[hit] / depth[hit], edges)
    radius, path = _reach(helices(particles.take(hit), field), cylinder, config.radius)
    reached = np.isfinite(path)
    hit, radius, path = hit[reached], radius[reached], path[reached]
    stop_radius = particles.stop_radius.copy()
    stop_radius[hit] = radius
    pions, origin = _shatter(_moved(particles.take(hit), path, field), config, rng)
    return particles.with_stop(stop_radius), pions, hit[origin]


def _electromagnetic(
    particles: Particles,
    passed: Floats,
    edges: Floats,
    field: float,
    config: MaterialConfig,
    rng: np.random.Generator,
) -> tuple[Particles, _Daughters, Floats]:
    """The next conversion or radiation of each photon and electron that has ``passed`` a share of the material.

    Returns the particles, those concerned ended, what they become, and the share that those have passed. On one
    cylinder an electron may radiate several photons.
    """
    thickness = np.interp(np.abs(particles.eta), config.eta, config.radiation_lengths)
    code, momentum = np.abs(particles.pdg), particles.momentum
    photon = (code == PHOTON) & (momentum > config.conversion_min_energy)
    electron = (code == ELECTRON) & (momentum > config.radiation_min_energy)
    least = np.clip(config.radiation_min_energy / np.maximum(momentum, 1e-12), config.radiation_min_share, 1.0)
    rate = np.where(photon, CONVERSIONS_PER_RADIATION_LENGTH, 0.0)
    rate[electron] = photons_per_radiation_length(least[electron])
    rate *= thickness
    with np.errstate(divide="ignore"):
        target = passed + rng.exponential(size=len(particles)) / rate
    hit = np.flatnonzero((target < 1.0) & np.isinf(particles.stop_radius))
    cylinder = _cylinder(target[hit], edges)
    radius, path = _reach(helices(particles.take(hit), field), cylinder, config.radius)
    reached = np.isfinite(path)
    hit, cylinder, radius, path = hit[reached], cylinder[reached], radius[reached], path[reached]
    stop_radius = particles.stop_radius.copy()
    stop_radius[hit] = radius

    parents = _moved(particles.take(hit), path, field)
    converts, radiates = np.flatnonzero(photon[hit]), np.flatnonzero(electron[hit])
    pairs, pair_parent = _convert(parents.take(converts), rng)
    source = hit[radiates]
    more = rng.poisson(rate[source] * (edges[cylinder[radiates] + 1] - target[source]))
    owner, taken, left = radiate(1 + more, least[source], rng)
    electrons = parents.take(radiates)
    made = concatenate(
        [pairs, _scaled(electrons.take(owner), taken, pdg=PHOTON, charge=0.0, mass=0.0), _shrunk(electrons, left)]
    )
    parent = np.concatenate([converts[pair_parent], radiates[owner], radiates])
    goes_on = np.arange(len(parent)) >= len(parent) - len(radiates)
    return particles.with_stop(stop_radius), _Daughters(made, hit[parent], goes_on), edges[cylinder[parent] + 1]


def _cylinder(passed: Floats, edges: Floats) -> Integers:
    """The cylinder in which a share of the material has been ``passed``."""
    return np.minimum(np.searchsorted(edges[1:], passed), len(edges) - 2)


def _reach(helix: Helices, cylinder: Integers, radii: tuple[float, ...]) -> tuple[Floats, Floats]:
    """Radius and path length at which each trajectory first meets its cylinder, from inside; NaN when it does not."""
    radius = np.asarray(radii)[cylinder]
    path = np.full(len(helix), np.nan)
    for number, value in enumerate(radii):
        here = cylinder == number
        path[here] = to_cylinder(helix.take(here), value)[0]
    born = np.hypot(helix.x, helix.y)
    return radius, np.where(born < radius, path, np.nan)


def _moved(particles: Particles, path: Floats, field: float) -> Particles:
    """The particles, further along their trajectories by the transverse path [cm]."""
    helix = helices(particles, field)
    x, y, z = position(helix, path)
    turn = helix.kappa * path
    cos, sin = np.cos(turn), np.sin(turn)
    flight = path * particles.energy / (np.maximum(particles.pt, 1e-9) * SPEED_OF_LIGHT)
    return replace(
        particles,
        x=x,
        y=y,
        z=z,
        t=particles.t + flight,
        px=cos * particles.px - sin * particles.py,
        py=sin * particles.px + cos * particles.py,
    )


def _convert(photons: Particles, rng: np.random.Generator) -> tuple[Particles, Integers]:
    """e⁺e⁻ pairs along the photons, and the index of each one's photon.

    The energy is shared uniformly, which Bethe–Heitler's formula is at high energy to some 25%.
    """
    first = rng.uniform(size=len(photons))
    pair = [
        _scaled(photons, fraction, pdg=sign * -ELECTRON, charge=float(sign), mass=ELECTRON_MASS)
        for sign, fraction in ((1, first), (-1, 1.0 - first))
    ]
    return concatenate(pair), np.tile(np.arange(len(photons)), 2)


def _shatter(hadrons: Particles, config: MaterialConfig, rng: np.random.Generator) -> tuple[Particles, Integers]:
    """Secondary pions and the index of each one's hadron: uniform shares of what it would leave in the calorimeters,
    exponential transverse kicks."""
    momentum = hadrons.momentum
    mean = config.secondaries_base + config.secondaries_per_log * np.log1p(momentum)
    number = np.maximum(2, rng.poisson(mean))
    origin = np.repeat(np.arange(len(hadrons)), number)
    # Exponential weights, normalised, are uniform on the simplex.
    weight = rng.exponential(size=len(origin))
    share = weight / np.bincount(origin, weight, minlength=len(hadrons))[origin]
    kick = rng.exponential(config.secondary_kick, len(origin))
    angle = rng.uniform(-np.pi, np.pi, len(origin))
    neutral = rng.uniform(size=len(origin)) < config.neutral_pion_fraction
    sign = rng.choice(np.array([-1.0, 1.0]), len(origin))

    parent = hadrons.take(origin)
    energy = share * hadrons.calorimetric_energy[origin]
    mass = np.where(neutral, 0.0, PION_MASS)
    # Too little energy for a pion: nothing that leaves a mark.
    made = energy > mass + 0.05
    length = np.sqrt(np.maximum(energy**2 - mass**2, 0.0))
    across = np.minimum(kick, 0.7 * length)
    along = np.sqrt(np.maximum(length**2 - across**2, 0.0))
    unit = np.stack([parent.px, parent.py, parent.pz]) / np.maximum(parent.momentum, 1e-12)
    flat = np.maximum(np.hypot(unit[0], unit[1]), 1e-12)
    sideways = np.stack([-unit[1] / flat, unit[0] / flat, np.zeros(len(origin))])
    upwards = np.cross(unit, sideways, axis=0)
    vector = along * unit + across * (np.cos(angle) * sideways + np.sin(angle) * upwards)
    pions = replace(
        parent,
        px=vector[0],
        py=vector[1],
        pz=vector[2],
        mass=mass,
        charge=np.where(neutral, 0.0, sign),
        pdg=np.where(neutral, NEUTRAL_PION_AS_PHOTON, PION * sign.astype(np.int64)),
    )
    return pions.take(made), origin[made]


def _scaled(parents: Particles, fraction: Floats, pdg: int, charge: float, mass: float) -> Particles:
    """Particles along their parents that carry ``fraction`` of the momentum."""
    size = len(parents)
    return replace(
        _shrunk(parents, fraction),
        pdg=np.full(size, pdg, dtype=np.int64),
        charge=np.full(size, charge),
        mass=np.full(size, mass),
    )


def _shrunk(particles: Particles, fraction: Floats) -> Particles:
    """The particles with ``fraction`` of their momentum."""
    return replace(particles, px=fraction * particles.px, py=fraction * particles.py, pz=fraction * particles.pz)
