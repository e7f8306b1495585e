"""Showers: what each particle leaves in the crystals and towers, before noise and suppression.

The barrel grid is continued over the whole 280 × 360 (56 × 72) image: endcaps have the barrel's cells and resolutions.
Showers of photons and electrons fluctuate in depth and width, and what is beyond the crystals reaches the towers. Those
of hadrons fluctuate in energy and in how it is shared between the calorimeters; their width is fixed. The material
between both, leakage out of the HCAL and the hadron response's non-linearity are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from e2egraph.detector.geometry import (
    ECAL_COLUMNS,
    ECAL_RADIUS,
    ECAL_ROWS,
    ETA_PITCH,
    FIRST_COLUMN_DEGREES,
    HCAL_COLUMNS,
    HCAL_RADIUS,
    HCAL_ROWS,
    Floats,
    Integers,
)
from e2egraph.detector.helix import Helices, position, to_barrel
from e2egraph.simulation.generation.particles import ELECTRON, MUON, PHOTON, SPEED_OF_LIGHT, Particles
from e2egraph.simulation.response.calorimeterconfig import CrystalConfig, EcalConfig, HcalConfig, ShowerConfig
from e2egraph.simulation.response.electromagnetic import Profiles, draw_profiles, mean_shares, number_of_spots

# Showers spread over this many cells on either side of the one they enter; soft ones (below SOFT [GeV]) of photons and
# electrons leave next to nothing further out.
ECAL_REACH, HCAL_REACH = 2, 1
SOFT, SOFT_REACH, HARD_REACH = 0.5, 1, 3

# Smaller shares of a shower are dropped [GeV]: far below the noise of a cell.
NEGLIGIBLE = 0.004


@dataclass(frozen=True)
class Deposits:
    """Energy that one particle leaves in one cell, flat [D]; ``cell`` counts row-major in the image of one event."""

    event: Integers
    cell: Integers
    particle: Integers
    energy: Floats
    time: Floats


@dataclass(frozen=True)
class Entry:
    """Where particles enter the calorimeter, [N]: particle index, ECAL and HCAL (η, φ), time after a light signal."""

    particle: Integers
    ecal_eta: Floats
    ecal_phi: Floats
    hcal_eta: Floats
    hcal_phi: Floats
    delay: Floats


def enter(particles: Particles, helix: Helices, end_plane: float, max_turns: float) -> Entry:
    """Entry points of the particles that reach the ECAL; the HCAL's lie straight on from there."""
    path = to_barrel(helix, ECAL_RADIUS, end_plane, max_turns)
    path = np.where(np.isinf(particles.stop_radius), path, np.nan)
    index = np.flatnonzero(np.isfinite(path))
    arriving, helix, path = particles.take(index), helix.take(index), path[index]
    x, y, z = position(helix, path)
    direction = helix.phi + helix.kappa * path
    # On to the HCAL's face; those that left through the end, no further than the gap between the calorimeters.
    along = x * np.cos(direction) + y * np.sin(direction)
    step = np.sqrt(np.maximum(along**2 + HCAL_RADIUS**2 - x**2 - y**2, 0.0)) - along
    at_end = np.hypot(x, y) < ECAL_RADIUS * (1 - 1e-6)
    step = np.where(at_end, np.minimum(step, HCAL_RADIUS - ECAL_RADIUS), step)
    hx, hy, hz = x + step * np.cos(direction), y + step * np.sin(direction), z + step * helix.dip
    # Time of flight less that of light from the detector's centre, which is how crystals are timed.
    flight = path * arriving.energy / (np.maximum(arriving.pt, 1e-9) * SPEED_OF_LIGHT)
    return Entry(
        particle=index,
        ecal_eta=np.arcsinh(z / np.hypot(x, y)),
        ecal_phi=np.arctan2(y, x),
        hcal_eta=np.arcsinh(hz / np.hypot(hx, hy)),
        hcal_phi=np.arctan2(hy, hx),
        delay=arriving.t + flight - np.sqrt(x**2 + y**2 + z**2) / SPEED_OF_LIGHT,
    )


def shower(
    particles: Particles, entry: Entry, ecal: EcalConfig, hcal: HcalConfig, rng: np.random.Generator
) -> tuple[Deposits, Deposits]:
    """Deposits in ECAL crystals and HCAL towers."""
    arriving = particles.take(entry.particle)
    code = np.abs(arriving.pdg)
    size = len(code)
    electromagnetic = (code == PHOTON) | (code == ELECTRON)
    muon = code == MUON
    hadron = ~(electromagnetic | muon)
    available = arriving.calorimetric_energy

    measured_em = smear(available, ecal.stochastic, ecal.constant, rng)
    measured_hadron = smear(available, hcal.stochastic, hcal.constant, rng)
    starts = rng.uniform(size=size) < -np.expm1(-ecal.interaction_lengths)
    fraction = rng.beta(ecal.hadron_alpha, ecal.hadron_beta, size)
    charged = arriving.charge != 0
    mip = np.minimum(ecal.mip, measured_hadron) * charged
    in_ecal = np.where(starts, fraction * measured_hadron, mip)
    front = np.where(electromagnetic, measured_em, np.where(muon, np.minimum(ecal.mip, available), in_ecal))
    # Muons' ionisation fluctuates like the sum of some ten independent losses.
    ionisation = np.minimum(hcal.mip * rng.gamma(10.0, 0.1, size), available - front)
    behind = np.where(electromagnetic, 0.0, np.where(muon, ionisation, measured_hadron - in_ecal))

    row = entry.ecal_eta / ETA_PITCH + ECAL_ROWS / 2
    column = np.degrees(entry.ecal_phi) - FIRST_COLUMN_DEGREES
    image = (ECAL_ROWS, ECAL_COLUMNS)
    some = np.flatnonzero(electromagnetic & (front > NEGLIGIBLE))
    profiles = draw_profiles(available[some], code[some] == PHOTON, ecal.crystals, rng)
    behind[some] = profiles.leakage(ecal.crystals.depth) * front[some]
    front[some] -= behind[some]
    soft = available[some] < SOFT
    crystals = [
        _share_electromagnetic(
            arriving, entry, some[kind], available, front, row, column, profiles.take(kind), ecal.crystals, reach, rng
        )
        for kind, reach in ((soft, SOFT_REACH), (~soft, HARD_REACH))
    ]
    crystals += [
        _share(arriving, entry, np.flatnonzero(kind), front, row, column, image, profile, ECAL_REACH)
        for kind, profile in ((muon | (hadron & ~starts), ecal.ionisation), (hadron & starts, ecal.hadronic))
    ]
    tower_row = entry.hcal_eta / ETA_PITCH / 5.0 + HCAL_ROWS / 2
    tower_column = (np.degrees(entry.hcal_phi) - FIRST_COLUMN_DEGREES) / 5.0
    shape = (HCAL_ROWS, HCAL_COLUMNS)
    some = np.flatnonzero(behind > NEGLIGIBLE)
    towers = _share(arriving, entry, some, behind, tower_row, tower_column, shape, hcal.shower, HCAL_REACH)
    return _join(crystals), towers


def smear(energy: Floats, stochastic: float, constant: float, rng: np.random.Generator) -> Floats:
    """Measured energies with mean E and σ/E = stochastic/√E ⊕ constant, always positive (Gamma-distributed)."""
    variance = stochastic**2 / np.maximum(energy, 1e-9) + constant**2
    if stochastic == 0 and constant == 0:
        return energy.copy()
    return energy * rng.standard_gamma(1.0 / variance) * variance


def _share(
    particles: Particles,
    entry: Entry,
    chosen: Integers,
    energy: Floats,
    row: Floats,
    column: Floats,
    shape: tuple[int, int],
    profile: ShowerConfig,
    reach: int,
) -> Deposits:
    """Spread the energies of the ``chosen`` showers over (2·reach+1)² cells around (row, column)."""
    u, v, amount = row[chosen], column[chosen], energy[chosen]
    base_u, base_v = np.floor(u), np.floor(v)
    share = np.zeros((len(chosen), 2 * reach + 1, 2 * reach + 1))
    parts = ((profile.core, 1.0 - profile.halo_fraction), (profile.halo, profile.halo_fraction))
    for scale, weight in parts:
        along_u = _fractions(u - base_u, scale, reach)
        along_v = _fractions(v - base_v, scale, reach)
        share += weight * along_u[:, :, None] * along_v[:, None, :]
    share *= (amount / share.sum(axis=(1, 2)))[:, None, None]
    which, i, j = np.nonzero(share > NEGLIGIBLE)
    return _deposits(particles, entry, chosen[which], base_u, base_v, which, i, j, share[which, i, j], shape, reach)


def _share_electromagnetic(
    particles: Particles,
    entry: Entry,
    chosen: Integers,
    energy: Floats,
    measured: Floats,
    row: Floats,
    column: Floats,
    profiles: Profiles,
    crystals: CrystalConfig,
    reach: int,
    rng: np.random.Generator,
) -> Deposits:
    """Spread what is ``measured`` of the ``chosen`` photons and electrons over (2·reach+1)² crystals, spot by spot."""
    u, v = row[chosen], column[chosen]
    base_u, base_v = np.floor(u), np.floor(v)
    mean = mean_shares(energy[chosen], profiles, u - base_u, v - base_v, crystals, reach)
    which, i, j = np.nonzero(mean * measured[chosen][:, None, None] > NEGLIGIBLE)
    expected = mean[which, i, j] * number_of_spots(energy[chosen], crystals.atomic_number)[which]
    spots = rng.poisson(expected).astype(np.float64)
    # A shower with no spot at all keeps its mean shares. Energies add up to what is measured.
    total = np.bincount(which, spots, minlength=len(chosen))
    spots = np.where(total[which] > 0, spots, expected)
    total = np.bincount(which, spots, minlength=len(chosen))
    amount = spots / total[which] * measured[chosen][which]
    kept = amount > 0
    which, i, j, amount = which[kept], i[kept], j[kept], amount[kept]
    shape = (ECAL_ROWS, ECAL_COLUMNS)
    return _deposits(particles, entry, chosen[which], base_u, base_v, which, i, j, amount, shape, reach)


def _deposits(
    particles: Particles,
    entry: Entry,
    owner: Integers,
    base_u: Floats,
    base_v: Floats,
    which: Integers,
    i: Integers,
    j: Integers,
    energy: Floats,
    shape: tuple[int, int],
    reach: int,
) -> Deposits:
    """Energies in the cells (i, j) of the blocks around the cells (base_u, base_v); what is off the rows is lost."""
    rows, columns = shape
    cell_u = base_u.astype(np.int64)[which] + i - reach
    cell_v = (base_v.astype(np.int64)[which] + j - reach) % columns
    inside = (cell_u >= 0) & (cell_u < rows)
    owner = owner[inside]
    return Deposits(
        event=particles.event[owner],
        cell=cell_u[inside] * columns + cell_v[inside],
        particle=entry.particle[owner],
        energy=energy[inside],
        time=entry.delay[owner],
    )


def _fractions(offset: Floats, scale: float, reach: int) -> Floats:
    """Integrals of a logistic density of ``scale``, centred ``offset`` into the middle cell, over 2·reach+1 cells."""
    edges = np.arange(-reach, reach + 2) - offset[:, None]
    return np.diff(0.5 * (1.0 + np.tanh(0.5 * edges / scale)), axis=1)


def _join(parts: list[Deposits]) -> Deposits:
    names = Deposits.__dataclass_fields__
    return Deposits(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
