"""What tracker material does to particles: photons convert, hadrons interact; both leave displaced daughters.

The material is thought to sit on thin cylinders. Electrons' bremsstrahlung, multiple scattering of the trajectory (it
is in the track resolutions) and ionisation losses are left out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from e2egraph.detector.geometry import Floats, Integers
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
from e2egraph.simulation.response.response import MaterialConfig

# Pair production: mean free path 9/7 X₀ (PDG Review of Particle Physics, "Passage of particles through matter").
CONVERSIONS_PER_RADIATION_LENGTH = 7.0 / 9.0
ELECTRON_MASS = 0.000511
PION, NEUTRAL_PION_AS_PHOTON = 211, PHOTON


def interact(
    particles: Particles, field: float, config: MaterialConfig, rng: np.random.Generator
) -> tuple[Particles, Integers]:
    """``particles`` with conversions and nuclear interactions applied, and each one's origin.

    Those that convert or interact end there (``stop_radius``); their daughters follow, with the same links. Daughters
    do not interact again. The origin is the index of the parent, or of the particle itself if it has none.
    """
    thickness = np.interp(np.abs(particles.eta), config.eta, config.radiation_lengths)
    code = np.abs(particles.pdg)
    photon = (code == PHOTON) & (particles.momentum > config.conversion_min_energy)
    lepton_or_photon = (code == PHOTON) | (code == ELECTRON) | (code == MUON)
    hadron = ~lepton_or_photon & (particles.momentum > config.interaction_min_momentum)
    depth = np.where(
        photon,
        thickness * CONVERSIONS_PER_RADIATION_LENGTH,
        np.where(hadron, thickness * config.interaction_per_radiation, 0.0),
    )
    # The depth at which a particle would interact, in units of its own mean free path.
    target = rng.exponential(size=len(particles))
    hit = np.flatnonzero(target < depth)
    share = np.cumsum(config.share) / np.sum(config.share)
    cylinder = np.searchsorted(share, target[hit] / depth[hit])
    radius, path = _reach(helices(particles.take(hit), field), np.minimum(cylinder, len(share) - 1), config.radius)
    reached = np.isfinite(path)
    hit, radius, path = hit[reached], radius[reached], path[reached]

    stop_radius = particles.stop_radius.copy()
    stop_radius[hit] = radius
    parents = _moved(particles.take(hit), path, field)
    is_photon = photon[hit]
    pairs, pair_origin = _convert(parents.take(is_photon), rng)
    pions, pion_origin = _shatter(parents.take(~is_photon), config, rng)
    origin = [np.arange(len(particles)), hit[is_photon][pair_origin], hit[~is_photon][pion_origin]]
    return concatenate([particles.with_stop(stop_radius), pairs, pions]), np.concatenate(origin)


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
    """Secondary pions and the index of each one's hadron: uniform energy shares, exponential transverse kicks."""
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
    energy = share * parent.energy
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
        parents,
        px=fraction * parents.px,
        py=fraction * parents.py,
        pz=fraction * parents.pz,
        pdg=np.full(size, pdg, dtype=np.int64),
        charge=np.full(size, charge),
        mass=np.full(size, mass),
    )
