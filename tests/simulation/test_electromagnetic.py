"""Shower profiles: the published means, widths and correlation, integrals over crystals, fluctuations, and energies."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from e2egraph.detector.geometry import ECAL_COLUMNS, ecal_eta, ecal_phi
from e2egraph.simulation.generation.particles import helices
from e2egraph.simulation.response.electromagnetic import (
    corner_integral,
    draw_profiles,
    mean_shares,
    number_of_spots,
    radial,
)
from e2egraph.simulation.response.showers import enter, shower
from tests.simulation.particle_gun import detector, gun

SIZE = 20000
CRYSTALS = detector().ecal.crystals
CENTRE = {"eta": float(ecal_eta(150)), "phi": float(ecal_phi(60))}


def profiles_of(energy, photon=False, size=SIZE, seed=2):
    full = np.full(size, float(energy))
    return full, draw_profiles(full, np.full(size, photon), CRYSTALS, np.random.default_rng(seed))


def in_crystals(pdg, energy, size, seed=3):
    """Energies in 7 × 7 crystals around the one entered, [size, 7, 7], and in all towers, [size]."""
    config = detector("ecal.stochastic=0", "ecal.constant=0")
    charge, mass = (0.0, 0.0) if pdg == 22 else (-1.0, 0.000511)
    pt = energy / np.cosh(CENTRE["eta"])
    particles = gun(pdg=pdg, charge=charge, mass=mass, pt=pt, size=size, event=np.arange(size), **CENTRE)
    entry = enter(particles, helices(particles, 0.0), config.ecal.end_plane, config.tracks.max_turns)
    ecal, hcal = shower(particles, entry, config.ecal, config.hcal, np.random.default_rng(seed))
    row, column = ecal.cell // ECAL_COLUMNS - 147, ecal.cell % ECAL_COLUMNS - 57
    block = np.zeros((size, 7, 7))
    block[ecal.event, row, column] = ecal.energy
    return block, np.bincount(hcal.event, hcal.energy, minlength=size)


@pytest.mark.parametrize("energy", [2.0, 50.0])
def test_depth_and_shape_have_the_published_means_widths_and_correlation(energy):
    # hep-ex/0001020, A.1.2, with Z = 68.36 and E_c = 8.62 MeV.
    log_y = math.log(energy / 0.00862)
    _, profiles = profiles_of(energy)
    depth, alpha = np.log(profiles.depth), np.log(profiles.alpha)
    assert np.mean(depth) == pytest.approx(math.log(log_y - 0.812), abs=0.01)
    assert np.mean(alpha) == pytest.approx(math.log(0.81 + (0.458 + 2.26 / 68.36) * log_y), abs=0.01)
    assert np.std(depth) == pytest.approx(1 / (-1.4 + 1.26 * log_y), rel=0.03)
    assert np.std(alpha) == pytest.approx(1 / (-0.58 + 0.86 * log_y), rel=0.03)
    assert np.corrcoef(depth, alpha)[0, 1] == pytest.approx(0.705 - 0.023 * log_y, abs=0.02)


def test_what_leaks_is_the_tail_of_the_gamma_density_and_photons_leak_more():
    _, electrons = profiles_of(50.0)
    alpha, beta = electrons.alpha[0], (electrons.alpha[0] - 1) / electrons.depth[0]
    assert electrons.leakage(20.0)[0] == pytest.approx(stats.gamma.sf(20.0, alpha, scale=1 / beta))
    _, photons = profiles_of(50.0, photon=True)
    assert np.mean(photons.start) == pytest.approx(9 / 7, rel=0.03)
    assert np.mean(electrons.leakage(25.8)) < np.mean(photons.leakage(25.8)) < 0.01


@pytest.mark.parametrize("box", [(-0.4, 0.6, -0.5, 0.5), (0.6, 1.6, 0.5, 1.5)])
def test_shares_of_squares_are_integrals_of_the_radial_density(box):
    left, right, low, high = box
    radius = 0.3
    density = lambda y, x: radius**2 / (np.pi * (x**2 + y**2 + radius**2) ** 2)  # noqa: E731
    expected, _ = integrate.dblquad(density, left, right, low, high)
    corners = [(right, high, 1), (left, high, -1), (right, low, -1), (left, low, 1)]
    found = sum(sign * corner_integral(np.array(x), np.array(y), np.array(radius)) for x, y, sign in corners)
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("energy", "u", "v"), [(50.0, 0.5, 0.5), (20.0, 0.03, 0.4), (2.0, 0.97, 0.9)])
def test_mean_shares_are_those_of_spots_thrown_one_by_one(energy, u, v):
    full, profiles = profiles_of(energy, size=400)
    share = mean_shares(full, profiles, np.full(400, u), np.full(400, v), CRYSTALS, reach=3).mean(axis=0)
    # The paper's recipe: depth, then core or tail, then a radius and an angle, for many spots of the same showers.
    rng, spots = np.random.default_rng(1), 3000
    relative = rng.gamma(profiles.alpha[:, None], 1.0, (400, spots)) / profiles.alpha[:, None]
    tau = relative * (profiles.typical / (profiles.typical - 1))[:, None]
    core, tail, weight = radial(tau, np.full((400, 1), energy), CRYSTALS.atomic_number)
    radius = np.where(rng.uniform(size=tau.shape) < weight, core, tail)
    number = rng.uniform(size=tau.shape)
    radius = radius * np.sqrt(number / (1 - number)) * CRYSTALS.moliere_radius / CRYSTALS.width
    angle = rng.uniform(-np.pi, np.pi, tau.shape)
    edges = np.arange(-3, 5)
    thrown, _, _ = np.histogram2d(
        (u + radius * np.cos(angle)).ravel(), (v + radius * np.sin(angle)).ravel(), bins=(edges, edges)
    )
    np.testing.assert_allclose(share, thrown / thrown.sum(), atol=0.004)


def test_showers_in_the_middle_of_a_crystal_are_as_wide_as_in_test_beams():
    # 80% in one, 94% in 3 × 3, 97% in 5 × 5 crystals (CMS, JINST 3 (2008) S08004, §4).
    block, _ = in_crystals(11, 100.0, 500)
    total = block.sum(axis=(1, 2))
    for reach, share in ((0, 0.80), (1, 0.94), (2, 0.97)):
        around = slice(3 - reach, 4 + reach)
        assert np.mean(block[:, around, around].sum(axis=(1, 2)) / total) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("energy", [1.0, 50.0])
def test_showers_differ_from_one_another_as_their_number_of_spots_says(energy):
    block, _ = in_crystals(11, energy, 4000)
    central = block[:, 3, 3] / block.sum(axis=(1, 2))
    spots = number_of_spots(np.array([energy]), CRYSTALS.atomic_number)[0]
    mean = np.mean(central)
    # Depth and shape, drawn for each shower, come on top.
    least = math.sqrt(mean * (1 - mean) / spots)
    assert 0.9 * least < np.std(central) < 0.06


@pytest.mark.parametrize(("pdg", "energy"), [(11, 0.3), (22, 3.0), (22, 200.0)])
def test_crystals_and_towers_together_hold_the_energy(pdg, energy):
    block, behind = in_crystals(pdg, energy, 300)
    # Cells with less than 4 MeV are dropped.
    np.testing.assert_allclose(block.sum(axis=(1, 2)) + behind, energy, rtol=0.05)
    assert np.mean(block.sum(axis=(1, 2)) + behind) == pytest.approx(energy, rel=0.01)


def test_the_same_seed_gives_the_same_showers():
    one, again, other = (in_crystals(22, 20.0, 50, seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
