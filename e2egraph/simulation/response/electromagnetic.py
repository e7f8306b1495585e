"""Showers of photons and electrons in a homogeneous calorimeter: their profiles, different for each shower.

G. Grindhammer and S. Peters, "The Parameterized Simulation of Electromagnetic Showers in Homogeneous and Sampling
Calorimeters" (GFlash), hep-ex/0001020; the numbers are those of its appendix A.1 ("Homogeneous media"), as Geant4
(GVFlashHomoShowerTuning) and CMSSW (SimGeneral/GFlash) have them too, but for two digits: 0.0412 for 0.0421 in Geant4,
2.623 for 2.632 in CMSSW (see ``radial``). E in GeV, y = E/E_c, depth t in X₀, radii in R_M.

Along (§2.1, A.1.2): dE/dt is a Gamma density with shape α and maximum at T, whose logarithms are drawn for each shower
from correlated Gaussians. Across (§2.2, A.1.3): at each depth a core and a tail, each with the density
f(r) = 2rR²/(r² + R²)². Fluctuations across (A.1.4): a shower is a number of spots of equal energy, spread as f says.
A photon's shower begins where it converts, on average 9/7 X₀ deep.

Here cells are not filled spot by spot. The mean share of each cell follows from integrals of f over squares, tabulated
in R and in the point of impact; the spots of a cell are then a Poisson number, which is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array
from scipy.special import gammaincc, ndtri

from e2egraph.detector.geometry import Booleans, Floats, Integers
from e2egraph.simulation.response.calorimeterconfig import CrystalConfig

# Mean free path of a photon [X₀] (PDG Review of Particle Physics, "Passage of particles through matter").
CONVERSION_LENGTH = 9.0 / 7.0

# Below this ln y (some 0.1 GeV in lead tungstate) the fluctuations are no longer described; softer showers are taken to
# be like those. A maximum needs α > 1.
LEAST_LOG_Y, LEAST_ALPHA = 2.3, 1.1

# Depths that the radial profile is averaged over, each with the same share of the energy.
_SLICES = 12
_QUANTILES = ndtri((np.arange(_SLICES) + 0.5) / _SLICES)

# Radii [R_M] that shares of cells are tabulated for, and points of impact across a cell, closest at its edges.
_RADII = np.geomspace(0.02, 4.0, 12)
_STEPS = 16
_IMPACTS = 0.5 - 0.5 * np.cos(np.pi * np.arange(_STEPS + 1) / _STEPS)


@dataclass(frozen=True)
class Profiles:
    """Longitudinal profiles of showers, [S]: Gamma densities of shape ``alpha`` with their maximum ``depth`` T [X₀]
    after where each begins (``start`` [X₀]). ``typical`` is α of the average shower of that energy."""

    alpha: Floats
    depth: Floats
    start: Floats
    typical: Floats

    def take(self, chosen: Integers | Booleans) -> Profiles:
        """The profiles that a mask or an index array chooses."""
        return Profiles(self.alpha[chosen], self.depth[chosen], self.start[chosen], self.typical[chosen])

    def leakage(self, depth: float) -> Floats:
        """Share of each shower's energy beyond ``depth`` [X₀]."""
        beta = (self.alpha - 1.0) / self.depth
        return np.asarray(gammaincc(self.alpha, beta * np.maximum(depth - self.start, 0.0)), dtype=np.float64)


def draw_profiles(energy: Floats, photon: Booleans, crystals: CrystalConfig, rng: np.random.Generator) -> Profiles:
    """Longitudinal profiles of showers of ``energy`` [S] [GeV] (A.1.2)."""
    log_y = np.maximum(np.log(np.maximum(energy, 1e-9) / crystals.critical_energy), LEAST_LOG_Y)
    mean_depth = np.log(log_y - 0.812)
    mean_alpha = np.log(0.81 + (0.458 + 2.26 / crystals.atomic_number) * log_y)
    sigma_depth = 1.0 / (-1.4 + 1.26 * log_y)
    sigma_alpha = 1.0 / (-0.58 + 0.86 * log_y)
    correlation = 0.705 - 0.023 * log_y
    both, other = rng.normal(size=(2, len(energy)))
    both, other = np.sqrt((1.0 + correlation) / 2.0) * both, np.sqrt((1.0 - correlation) / 2.0) * other
    start = np.where(photon, CONVERSION_LENGTH * rng.exponential(size=len(energy)), 0.0)
    return Profiles(
        alpha=np.maximum(np.exp(mean_alpha + sigma_alpha * (both - other)), LEAST_ALPHA),
        depth=np.exp(mean_depth + sigma_depth * (both + other)),
        start=start,
        typical=np.exp(mean_alpha),
    )


def radial(tau: Floats, energy: Floats, atomic_number: float) -> tuple[Floats, Floats, Floats]:
    """Radii R of core and tail [R_M], and the core's share, at depths ``tau``; ``energy`` in GeV (A.1.3)."""
    log_energy = np.log(energy)
    core = 0.0251 + 0.00319 * log_energy + (0.1162 - 0.000381 * atomic_number) * tau
    growth = 0.3585 + 0.0421 * log_energy
    tail = (0.659 - 0.00309 * atomic_number) * (np.exp(-2.59 * (tau - 0.645)) + np.exp(growth * (tau - 0.645)))
    along = (0.401 + 0.00187 * atomic_number - tau) / (1.313 - 0.0686 * log_energy)
    share = (2.632 - 0.00094 * atomic_number) * np.exp(along - np.exp(along))
    return core, tail, np.clip(share, 0.0, 1.0)


def number_of_spots(energy: Floats, atomic_number: float) -> Floats:
    """Number of spots of a shower of ``energy`` [GeV] (A.1.4)."""
    return np.maximum(93.0 * np.log(atomic_number) * energy**0.876, 1.0)


def mean_shares(
    energy: Floats, profiles: Profiles, u: Floats, v: Floats, crystals: CrystalConfig, reach: int
) -> Floats:
    """Mean share of each shower's energy in the (2·reach+1)² cells around the one it enters, [S, cells, cells].

    ``u`` and ``v`` [S], in [0, 1): the point of impact in that cell. What lies further out is shared in proportion.
    """
    table = _table(crystals.width / crystals.moliere_radius, reach)
    across = 2 * reach + 1
    size, radii = len(energy), len(_RADII)
    weight = _radius_weights(energy, profiles, crystals.atomic_number)
    (low_u, beyond_u), (low_v, beyond_v) = _between_impacts(u), _between_impacts(v)
    columns, values = [], []
    for step_u in (0, 1):
        for step_v in (0, 1):
            near = np.abs(1 - step_u - beyond_u) * np.abs(1 - step_v - beyond_v)
            node = (low_u + step_u) * (_STEPS + 1) + low_v + step_v
            columns.append(node[:, None] * radii + np.arange(radii))
            values.append(near[:, None] * weight)
    entries = 4 * radii
    chosen = csr_array(
        (np.hstack(values).ravel(), np.hstack(columns).ravel(), np.arange(size + 1) * entries),
        shape=(size, len(table)),
    )
    share = np.asarray(chosen @ table)
    return (share / share.sum(axis=1, keepdims=True)).reshape(size, across, across)


def _between_impacts(point: Floats) -> tuple[Integers, Floats]:
    """The tabulated point of impact below each, and how far on to the next one it is, from 0 to 1."""
    low = np.clip(np.searchsorted(_IMPACTS, point, side="right") - 1, 0, _STEPS - 1)
    return low, (point - _IMPACTS[low]) / (_IMPACTS[low + 1] - _IMPACTS[low])


def _radius_weights(energy: Floats, profiles: Profiles, atomic_number: float) -> Floats:
    """How much of each shower has each of the tabulated radii, [S, radii]: its radial profile, summed over depth."""
    size, radii = len(energy), len(_RADII)
    alpha = profiles.alpha[:, None]
    # Quantiles of a Gamma distribution over its mean (E. B. Wilson and M. M. Hilferty, PNAS 17 (1931) 684).
    relative = np.maximum(1.0 - 1.0 / (9.0 * alpha) + _QUANTILES / (3.0 * np.sqrt(alpha)), 0.0) ** 3
    # τ is the depth in units of T in the average shower, but scales with each shower's own centre of gravity (A.1.4).
    tau = relative * (profiles.typical / (profiles.typical - 1.0))[:, None]
    core, tail, share = radial(tau, np.maximum(energy, 0.05)[:, None], atomic_number)
    radius = np.concatenate([core, tail], axis=1)
    amount = np.concatenate([share, 1.0 - share], axis=1) / _SLICES
    step = np.log(_RADII[1] / _RADII[0])
    at = np.clip(np.log(np.maximum(radius, 1e-9) / _RADII[0]) / step, 0.0, radii - 1.001)
    low = at.astype(np.int64)
    upper = at - low
    place = np.arange(size)[:, None] * radii + low
    weight = np.bincount(place.ravel(), (amount * (1.0 - upper)).ravel(), minlength=size * radii)
    weight += np.bincount(place.ravel() + 1, (amount * upper).ravel(), minlength=size * radii)
    return np.asarray(weight, dtype=np.float64).reshape(size, radii)


@lru_cache(maxsize=8)
def _table(width: float, reach: int) -> Floats:
    """Shares of cells of ``width`` [R_M], [impacts in u · impacts in v · radii, cells · cells]."""
    edge = (np.arange(-reach, reach + 2) - _IMPACTS[:, None]) * width
    corner = corner_integral(edge[:, None, None, :, None], edge[None, :, None, None, :], _RADII[:, None, None])
    share = np.diff(np.diff(corner, axis=-1), axis=-2)
    return np.ascontiguousarray(share.reshape(len(_IMPACTS) ** 2 * len(_RADII), -1))


def corner_integral(x: Floats, y: Floats, radius: Floats) -> Floats:
    """∫₀ˣ∫₀ʸ R²/(π(ξ² + η² + R²)²) dξ dη: the share of f in a rectangle that has a corner on the axis."""
    long_x, long_y = np.hypot(x, radius), np.hypot(y, radius)
    return np.asarray((x / long_x * np.arctan(y / long_x) + y / long_y * np.arctan(x / long_y)) / (2.0 * np.pi))
