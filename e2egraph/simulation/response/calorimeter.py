"""Read-out cells: deposits summed, noise added, small signals suppressed, each cell linked to what gave most of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from e2egraph.detector.geometry import Booleans, Floats, Integers
from e2egraph.simulation.generation.particles import Particles
from e2egraph.simulation.response.calorimeterconfig import EcalConfig
from e2egraph.simulation.response.showers import Deposits

NOISE_LINK = -1


@dataclass(frozen=True)
class Cells:
    """C cells above threshold, flat, ordered by event and cell (row-major in the image of one event).

    ``energy`` [GeV], ``time`` [ns], ``gen`` the stored generator particle that gave most (−1: pile-up or noise),
    ``neutral`` the share of the energy that particles without a reconstructed track gave.
    """

    event: Integers
    cell: Integers
    energy: Floats
    time: Floats
    gen: Integers
    neutral: Floats


def read_out(
    deposits: Deposits,
    particles: Particles,
    tracked: Booleans,
    cells: int,
    events: int,
    noise: float,
    threshold: float,
    rng: np.random.Generator,
) -> Cells:
    """Cells of a calorimeter of ``cells`` cells in ``events`` events.

    ``tracked`` [P] says which particles' energy a reconstructed track explains. ``noise`` and ``threshold`` in GeV.
    Times are energy-weighted means, without resolution; noise alone has time 0 (see ``time_cells``).
    """
    gen = particles.gen[deposits.particle]
    # One group for each (cell, stored particle); pile-up as a whole is one more. Then one for each cell.
    links = int(gen.max(initial=NOISE_LINK)) + 2
    key = (deposits.event * cells + deposits.cell) * links + gen - NOISE_LINK
    order = np.argsort(key, kind="stable")
    begins = _starts(key[order])
    energy = deposits.energy[order]
    amount = _sums(energy, begins)
    pair = key[order][begins]
    cell_begins = _starts(pair // links)
    total = _sums(amount, cell_begins)
    sizes = np.diff(np.append(cell_begins, len(pair)))
    most = np.repeat(np.maximum.reduceat(amount, cell_begins), sizes) if len(pair) else amount
    winner = np.flatnonzero(amount == most)
    owner = np.repeat(np.arange(len(cell_begins)), sizes)[winner]
    gave_most = np.empty(len(cell_begins), dtype=np.int64)
    # Written backwards, so that a tie goes to the first.
    gave_most[owner[::-1]] = pair[winner[::-1]] % links + NOISE_LINK
    time = _sums(_sums(energy * deposits.time[order], begins), cell_begins)
    untracked = _sums(_sums(energy * ~tracked[deposits.particle[order]], begins), cell_begins)
    place = pair[cell_begins] // links if len(pair) else np.zeros(0, dtype=np.int64)

    measured = total + rng.normal(0.0, noise, len(total))
    passing = measured > threshold
    signal = Cells(
        event=place[passing] // cells,
        cell=place[passing] % cells,
        energy=measured[passing],
        time=(time / np.maximum(total, 1e-12))[passing],
        gen=gave_most[passing],
        neutral=(untracked / np.maximum(total, 1e-12))[passing],
    )
    return _with_noise(signal, place, cells, events, noise, threshold, rng)


def time_cells(cells: Cells, config: EcalConfig, rng: np.random.Generator) -> Floats:
    """Measured times [ns]: σ(t) = time_noise/(E/noise) ⊕ time_constant (JINST 5 (2010) T03011)."""
    sigma = np.hypot(config.time_noise * config.noise / cells.energy, config.time_constant)
    return cells.time + sigma * rng.normal(size=len(sigma))


def _with_noise(
    signal: Cells, occupied: Integers, cells: int, events: int, noise: float, threshold: float, rng: np.random.Generator
) -> Cells:
    """``signal`` and the otherwise empty cells whose noise alone passes the threshold."""
    passes = 0.5 * math.erfc(threshold / noise / math.sqrt(2.0))
    # A cell drawn twice counts once; so many are drawn that each is drawn at all with the probability ``passes``.
    number = rng.poisson(-cells * events * math.log1p(-passes))
    place = np.unique(rng.integers(cells * events, size=number))
    at = np.searchsorted(occupied, place)
    free = occupied[np.minimum(at, len(occupied) - 1)] != place if len(occupied) else np.ones(len(place), dtype=bool)
    place = place[free]
    size = len(place)
    event = np.concatenate([signal.event, place // cells])
    cell = np.concatenate([signal.cell, place % cells])
    order = np.argsort(event * cells + cell, kind="stable")
    return Cells(
        event=event[order],
        cell=cell[order],
        energy=np.concatenate([signal.energy, noise * _gaussian_tail(threshold / noise, size, rng)])[order],
        time=np.concatenate([signal.time, np.zeros(size)])[order],
        gen=np.concatenate([signal.gen, np.full(size, NOISE_LINK, dtype=np.int64)])[order],
        neutral=np.concatenate([signal.neutral, np.ones(size)])[order],
    )


def _gaussian_tail(least: float, size: int, rng: np.random.Generator) -> Floats:
    """Unit-normal numbers above ``least`` ≥ 0, from uniform ones by the inverse of the distribution (L. Devroye,
    Non-Uniform Random Variate Generation (1986), II.2): as many are needed for any ``least``."""
    # From the upper end, where the small probabilities of a far tail are not lost next to 1.
    return np.maximum(-ndtri(ndtr(-least) * (1.0 - rng.random(size))), least)


def _starts(key: Integers) -> Integers:
    """Where each run of equal, sorted keys begins."""
    if len(key) == 0:
        return np.zeros(0, dtype=np.int64)
    return np.concatenate([[0], np.flatnonzero(np.diff(key)) + 1])


def _sums(values: Floats, begins: Integers) -> Floats:
    return np.add.reduceat(values, begins) if len(begins) else np.zeros(0)
