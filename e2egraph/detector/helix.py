"""Charged particles in a solenoid, neutral ones on straight lines: crossings with cylinders, planes, and perigees.

A positive charge in a field along +z turns clockwise seen from +z. With the signed curvature κ = −q·c·B/pT a helix at
transverse path length s has direction φ(s) = φ₀ + κs and

    x(s) = x₀ + (sin φ(s) − sin φ₀)/κ,   y(s) = y₀ − (cos φ(s) − cos φ₀)/κ,   z(s) = z₀ + s·pz/pT.

All lengths in cm, momenta in GeV, fields in tesla; all arrays have shape [P].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from e2egraph.detector.geometry import Booleans, Floats, Integers, wrap_phi

# pT [GeV] = 0.299792458·B [T]·R [m] for unit charge (PDG Review of Particle Physics, "Particle detectors").
GEV_PER_TESLA_CM = 0.00299792458


@dataclass(frozen=True)
class Helices:
    """P trajectories: starting point [cm], direction φ₀ [rad], signed curvature κ [1/cm], dip pz/pT."""

    x: Floats
    y: Floats
    z: Floats
    phi: Floats
    kappa: Floats
    dip: Floats

    def __len__(self) -> int:
        return len(self.x)

    def take(self, chosen: Integers | Booleans) -> Helices:
        """The trajectories that a mask or an index array chooses."""
        return Helices(*(column[chosen] for column in (self.x, self.y, self.z, self.phi, self.kappa, self.dip)))

    @property
    def period(self) -> Floats:
        """Transverse path length of one full turn [cm]; infinite for straight lines."""
        with np.errstate(divide="ignore"):
            return 2.0 * np.pi / np.abs(self.kappa)


def position(helix: Helices, path: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Points (x, y, z) at transverse path lengths ``path`` [cm]."""
    length = np.asarray(path, dtype=np.float64)
    half_turn = 0.5 * helix.kappa * length
    # A chord of length 2 sin(κs/2)/κ along φ₀ + κs/2: exact, and stable as κ → 0.
    chord = length * np.sinc(half_turn / np.pi)
    x = helix.x + chord * np.cos(helix.phi + half_turn)
    y = helix.y + chord * np.sin(helix.phi + half_turn)
    return x, y, helix.z + length * helix.dip


def to_cylinder(helix: Helices, radius: ArrayLike) -> tuple[Floats, Floats]:
    """Path lengths s > 0 of the first and second crossing with the cylinder of ``radius`` about the z axis; NaN: none.

    ``radius`` is one for all or one each.

    In w = (2/κ)·tan(κs/2), |r(s)|² = radius² is a quadratic, A·w² + 2a·w − c = 0, that needs no centre of the circle
    and so loses no digits at high pT and stays valid for κ = 0, where w = s.
    """
    cos, sin = np.cos(helix.phi), np.sin(helix.phi)
    along = helix.x * cos + helix.y * sin
    across = helix.y * cos - helix.x * sin
    deficit = np.square(radius) - helix.x**2 - helix.y**2
    leading = 1.0 + across * helix.kappa - 0.25 * deficit * helix.kappa**2
    with np.errstate(invalid="ignore", divide="ignore"):
        root = np.sqrt(along**2 + deficit * leading)
        q = -(along + np.copysign(root, along))
        paths = [_path_of(helix, w) for w in (q / leading, -deficit / q)]
    first, second = np.fmin(*paths), np.fmax(*paths)
    return first, np.where(np.isnan(paths[0]) | np.isnan(paths[1]), np.nan, second)


def to_plane(helix: Helices, z: ArrayLike) -> Floats:
    """Path lengths at which the plane at ``z`` [cm] is crossed; NaN when it lies behind or is never reached."""
    with np.errstate(divide="ignore", invalid="ignore"):
        path = (np.asarray(z, dtype=np.float64) - helix.z) / helix.dip
    return np.where(np.isfinite(path) & (path > 0), path, np.nan)


def to_barrel(helix: Helices, radius: float, half_length: float, max_turns: float) -> Floats:
    """Path lengths to a closed barrel: its side at ``radius``, else the end at |z| = ``half_length``; NaN: neither.

    Particles born outside the barrel, and those that would turn by more than ``max_turns`` on the way, never arrive.
    """
    side, _ = to_cylinder(helix, radius)
    end = to_plane(helix, np.where(helix.dip >= 0, half_length, -half_length))
    path = np.fmin(side, end)
    inside = (np.hypot(helix.x, helix.y) < radius) & (np.abs(helix.z) < half_length)
    return np.where(inside & (path <= max_turns * helix.period), path, np.nan)


@dataclass(frozen=True)
class Perigee:
    """Closest approach to a point in the transverse plane: ``d0`` = −dxy and ``dz`` [cm], direction φ [rad]."""

    d0: Floats
    dz: Floats
    phi: Floats


def perigee(helix: Helices, x: ArrayLike, y: ArrayLike, z: ArrayLike) -> Perigee:
    """Perigee of charged trajectories with respect to points (x, y, z).

    d0 is minus CMS's dxy = −(x−x_v)·sin φ + (y−y_v)·cos φ, the sign of the ``RHTree`` ntuples.
    """
    cos, sin = np.cos(helix.phi), np.sin(helix.phi)
    dx, dy = helix.x - np.asarray(x, dtype=np.float64), helix.y - np.asarray(y, dtype=np.float64)
    along, across = dx * cos + dy * sin, dy * cos - dx * sin
    # In the frame of the starting direction κ·centre = (κ·along, 1 + κ·across), and its length is 1 + κ·dxy; solving
    # for dxy without forming the radius keeps every digit at high pT.
    scaled = np.hypot(1.0 + helix.kappa * across, helix.kappa * along)
    dxy = (2.0 * across + helix.kappa * (across**2 + along**2)) / (1.0 + scaled)
    turn = np.arctan2(-helix.kappa * along, 1.0 + helix.kappa * across)
    with np.errstate(divide="ignore", invalid="ignore"):
        path = np.where(helix.kappa == 0.0, -along, turn / helix.kappa)
    return Perigee(
        d0=-dxy,
        dz=helix.z + path * helix.dip - np.asarray(z, dtype=np.float64),
        phi=wrap_phi(helix.phi + turn),
    )


def _path_of(helix: Helices, w: Floats) -> Floats:
    """Positive transverse path length of w = (2/κ)·tan(κs/2); NaN when a straight line has it behind itself."""
    straight = helix.kappa == 0.0
    kappa = np.where(straight, 1.0, helix.kappa)
    bent = np.mod(2.0 / kappa * np.arctan(0.5 * kappa * w), 2.0 * np.pi / np.abs(kappa))
    path = np.where(straight, w, bent)
    return np.where(path > 0, path, np.nan)
