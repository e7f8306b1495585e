"""Reconstructed tracks: which charged particles are found, how well they are measured, and fakes."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from e2egraph.detector.geometry import ECAL_RADIUS, Booleans, Floats, Integers, wrap_phi
from e2egraph.detector.helix import Helices, perigee, position, to_barrel
from e2egraph.simulation.generation.particles import Particles
from e2egraph.simulation.response.response import TracksConfig

# Bits to spare for cell numbers in one event when tracks are counted by cell.
_CELLS = 1 << 12

# Particles born within this distance from the beam of one another begin alike, none further out than _FURTHEST [cm].
_APART, _FURTHEST = 1.0, 1024.0


@dataclass(frozen=True)
class Tracks:
    """T tracks, flat and in the order of their events; every array has shape [T].

    ``eta``, ``phi`` at the ECAL surface, ``eta0``, ``phi0`` at the perigee. ``d0`` = −dxy, ``dz`` [cm], with respect
    to the origin given, and their errors. ``particle`` is the index of the true particle, −1 for fakes.
    """

    event: Integers
    particle: Integers
    pt: Floats
    eta: Floats
    phi: Floats
    eta0: Floats
    phi0: Floats
    d0: Floats
    dz: Floats
    d0_err: Floats
    dz_err: Floats
    charge: Floats

    def __len__(self) -> int:
        return len(self.event)

    def take(self, chosen: Integers | Booleans) -> Tracks:
        """The tracks that a mask or an index array chooses."""
        return Tracks(**{column.name: getattr(self, column.name)[chosen] for column in fields(self)})


def efficiency(particles: Particles, config: TracksConfig) -> Floats:
    """Probability [P] that each particle is reconstructed as a track (0 outside the acceptance)."""
    pt, eta = particles.pt, np.abs(particles.eta)
    accepted = (particles.charge != 0) & (pt > config.min_pt) & (eta < config.max_eta)
    accepted &= particles.stop_radius > config.min_stop_radius
    turn_on = 1.0 - config.turn_on_loss * np.exp(-(pt - config.min_pt) / config.turn_on_scale)
    forward = np.where(eta > config.forward_eta, 1.0 - config.forward_loss, 1.0)
    displaced = np.exp(-np.hypot(particles.x, particles.y) / config.displacement_scale)
    crowded = np.exp(-config.core_loss * _neighbours(particles, accepted, config.core_cell))
    return np.where(accepted, config.plateau * turn_on * forward * displaced * crowded, 0.0)


def pt_resolution(pt: Floats, eta: Floats, config: TracksConfig) -> Floats:
    """σ(pT)/pT: multiple scattering ⊕ curvature measurement, both growing forwards."""
    forward = 1.0 + config.pt_forward_growth * eta**2
    return forward * np.hypot(config.pt_scattering, config.pt_curvature * pt)


def impact_errors(pt: Floats, eta: Floats, config: TracksConfig) -> tuple[Floats, Floats]:
    """σ(d0), σ(dz) [cm]: detector resolution ⊕ scattering, which grows with the material crossed (1/sin θ)."""
    inverse_sine = np.cosh(eta)
    d0 = np.hypot(config.d0_asymptotic, config.d0_scattering / pt * np.sqrt(inverse_sine))
    dz = np.hypot(config.dz_asymptotic, config.dz_scattering / pt * np.sqrt(inverse_sine**3))
    return d0, dz


def reconstruct(
    particles: Particles,
    helix: Helices,
    end_plane: float,
    reference: tuple[float, float, float],
    config: TracksConfig,
    rng: np.random.Generator,
    radiated: Floats | None = None,
) -> Tracks:
    """Tracks of a batch, impact parameters still with respect to ``reference``, the beam spot (see ``relative_to``).

    ``radiated`` [P] is the share of its momentum that each particle loses on its way (None: nothing). As in the ntuple
    producers, a track that does not arrive at the ECAL surface is not kept; it gets there as if nothing were radiated.
    """
    found = np.flatnonzero(rng.uniform(size=len(particles)) < efficiency(particles, config))
    true, path = particles.take(found), helix.take(found)
    arrival = to_barrel(path, ECAL_RADIUS, end_plane, config.max_turns)
    arrives = np.isfinite(arrival)
    found, true, path, arrival = found[arrives], true.take(arrives), path.take(arrives), arrival[arrives]

    size = len(found)
    scale = np.where(rng.uniform(size=size) < config.tail_fraction, config.tail_scale, 1.0)
    d0_err, dz_err = impact_errors(true.pt, true.eta, config)
    # Curvature, not pT, is what is measured: 1/pT is the Gaussian quantity. Kept away from zero.
    pull = scale * rng.normal(size=size) * pt_resolution(true.pt, true.eta, config)
    if radiated is not None:
        pull += config.radiation_tail * radiated[found] * rng.exponential(size=size)
    pt = true.pt / np.maximum(1.0 + pull, 0.2)
    closest = perigee(path, *reference)
    x, y, z = position(path, arrival)
    blur = rng.normal(0.0, config.direction_sigma, (4, size))
    tracks = Tracks(
        event=true.event,
        particle=found,
        pt=pt,
        eta=np.arcsinh(z / np.hypot(x, y)) + blur[0],
        phi=wrap_phi(np.arctan2(y, x) + blur[1]),
        eta0=true.eta + blur[2],
        phi0=wrap_phi(closest.phi + blur[3]),
        d0=closest.d0 + scale * rng.normal(size=size) * d0_err,
        dz=closest.dz + scale * rng.normal(size=size) * dz_err,
        d0_err=d0_err,
        dz_err=dz_err,
        charge=np.sign(true.charge),
    )
    accepted = np.flatnonzero(pt > config.min_pt)
    return _with_fakes(tracks.take(accepted), config, rng)


def relative_to(tracks: Tracks, x: Floats, y: Floats, z: Floats, sigma_xy: Floats, sigma_z: Floats) -> Tracks:
    """The same tracks with d0 and dz to a vertex an event, (x, y, z) from the former reference [cm] ([E] each).

    The vertex's errors are added in quadrature. Over its distance from the beam spot, some 20 µm, a track is straight.
    """
    event = tracks.event
    cos, sin = np.cos(tracks.phi0), np.sin(tracks.phi0)
    # d0 = −dxy = (x−x_v)·sin φ − (y−y_v)·cos φ; moving the reference by (x_v, y_v) subtracts its own.
    return replace(
        tracks,
        d0=tracks.d0 - (x[event] * sin - y[event] * cos),
        dz=tracks.dz - z[event] + (x[event] * cos + y[event] * sin) * np.sinh(tracks.eta0),
        d0_err=np.hypot(tracks.d0_err, sigma_xy[event]),
        dz_err=np.hypot(tracks.dz_err, sigma_z[event]),
    )


def _neighbours(particles: Particles, accepted: Booleans, cell: float) -> Floats:
    """Number of other accepted particles in each one's η–φ cell that begin no further out than it does itself.

    Those that begin in the material further out leave the inner layers clear.
    """
    row = np.floor(particles.eta / cell).astype(np.int64) + _CELLS // 2
    column = np.floor(particles.phi / cell).astype(np.int64) + _CELLS // 2
    key = ((particles.event * _CELLS + row) * _CELLS + column)[accepted].astype(np.float64) * _FURTHEST
    radius = np.minimum(np.hypot(particles.x, particles.y)[accepted], _FURTHEST - 2 * _APART)
    place = np.sort(key + radius)
    number = np.zeros(len(particles))
    number[accepted] = np.searchsorted(place, key + radius + _APART) - np.searchsorted(place, key) - 1
    return number


def _with_fakes(tracks: Tracks, config: TracksConfig, rng: np.random.Generator) -> Tracks:
    """``tracks`` and fakes: wrong combinations of hits, so most common where there are many; sorted by event."""
    if len(tracks) == 0:
        return tracks
    number = rng.poisson(config.fakes_per_track * len(tracks))
    near = tracks.take(np.sort(rng.integers(len(tracks), size=number)))
    shift = rng.normal(0.0, config.fake_spread, (2, number))
    pt = config.min_pt + rng.exponential(config.fake_pt, number)
    fakes = Tracks(
        event=near.event,
        particle=np.full(number, -1, dtype=np.int64),
        pt=pt,
        eta=near.eta + shift[0],
        phi=wrap_phi(near.phi + shift[1]),
        eta0=near.eta0 + shift[0],
        phi0=wrap_phi(near.phi0 + shift[1]),
        d0=near.d0 + rng.normal(0.0, config.fake_d0, number),
        dz=near.dz + rng.normal(0.0, config.fake_dz, number),
        d0_err=near.d0_err,
        dz_err=near.dz_err,
        charge=rng.choice(np.array([-1.0, 1.0]), number),
    )
    both = Tracks(
        **{
            column.name: np.concatenate([getattr(tracks, column.name), getattr(fakes, column.name)])
            for column in fields(Tracks)
        }
    )
    return both.take(np.argsort(both.event, kind="stable"))
