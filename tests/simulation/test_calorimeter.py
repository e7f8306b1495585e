"""Showers and read-out: energies, sharing, noise, suppression, times and truth links."""

import math

import numpy as np
import pytest
from scipy.stats import kstest, truncnorm

from e2egraph.detector.geometry import ECAL_COLUMNS, ECAL_ROWS, HCAL_COLUMNS, HCAL_ROWS, ecal_eta, ecal_phi
from e2egraph.reconstruction.elements import at_hcal
from e2egraph.simulation.generation.particles import helices
from e2egraph.simulation.response.calorimeter import _gaussian_tail, read_out, time_cells
from e2egraph.simulation.response.showers import Deposits, enter, shower
from tests.simulation.particle_gun import detector, gun

CRYSTALS, TOWERS = ECAL_ROWS * ECAL_COLUMNS, HCAL_ROWS * HCAL_COLUMNS
SIZE = 4000
CENTRE = {"eta": float(ecal_eta(150)), "phi": float(ecal_phi(60))}


def deposits_of(particles, config, seed=1):
    entry = enter(particles, helices(particles, config.solenoid.field), config.ecal.end_plane, config.tracks.max_turns)
    return shower(particles, entry, config.ecal, config.hcal, np.random.default_rng(seed))


def photons(size=SIZE, **columns):
    return gun(pdg=22, charge=0.0, mass=0.0, event=np.arange(size), **columns)


def sums(deposits, size=SIZE):
    return np.bincount(deposits.particle, deposits.energy, minlength=size)


def cells_of(given, particles, cells=CRYSTALS, noise=0.04, threshold=0.1, events=1, tracked=None):
    tracked = np.zeros(len(particles), dtype=bool) if tracked is None else tracked
    return read_out(given, particles, tracked, cells, events, noise, threshold, np.random.default_rng(5))


def deposits(cell, particle, energy, time=0.0):
    """Hand-made deposits in event 0."""
    size = len(cell)
    integers = (np.zeros(size, dtype=np.int64), np.asarray(cell), np.asarray(particle))
    return Deposits(*integers, np.asarray(energy, dtype=float), np.full(size, time))


@pytest.mark.parametrize("charge", [-1.0, 1.0])
def test_bent_tracks_enter_the_hcal_where_they_are_extrapolated_to(charge):
    pt, eta = (grid.ravel() for grid in np.meshgrid([0.75, 0.8, 1.0, 1.5, 3.0, 30.0], [-1.2, 0.0, 0.3, 1.0]))
    config, pions = detector(), gun(charge=charge, pt=pt, eta=eta)
    field = config.solenoid.field
    entry = enter(pions, helices(pions, field), config.ecal.end_plane, config.tracks.max_turns)
    assert len(entry.particle) == len(pt)
    expected_eta, expected_phi = at_hcal(pt, pions.charge, entry.ecal_eta, entry.ecal_phi, np.sinh(eta), field)
    np.testing.assert_allclose(entry.hcal_phi, expected_phi, atol=1e-9)
    np.testing.assert_allclose(entry.hcal_eta, expected_eta, atol=1e-9)


@pytest.mark.parametrize("energy", [5.0, 50.0])
def test_photons_keep_their_energy_with_the_configured_resolution(energy):
    config = detector()
    ecal, hcal = deposits_of(photons(pt=energy / np.cosh(CENTRE["eta"]), **CENTRE), config)
    measured = sums(ecal) + sums(hcal)
    sigma = math.hypot(config.ecal.stochastic / math.sqrt(energy), config.ecal.constant)
    assert np.mean(sums(hcal)) < 0.01 * energy
    assert np.mean(measured) == pytest.approx(energy, rel=0.01)
    assert np.std(measured) / energy == pytest.approx(sigma, rel=0.06)


def test_a_central_photon_leaves_80_94_percent_in_1_and_9_crystals():
    config = detector("ecal.stochastic=0", "ecal.constant=0")
    ecal, _ = deposits_of(photons(1, pt=100.0, **CENTRE), config)
    image = np.bincount(ecal.cell, ecal.energy, minlength=CRYSTALS).reshape(ECAL_ROWS, ECAL_COLUMNS)
    total = image.sum()
    assert total == pytest.approx(100.0 * np.cosh(CENTRE["eta"]), rel=0.01)
    assert image[150, 60] / total == pytest.approx(0.80, abs=0.02)
    assert image[149:152, 59:62].sum() / total == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("energy", [10.0, 100.0])
def test_hadrons_leave_their_energy_in_both_calorimeters_with_100_percent_over_root_e(energy):
    config = detector()
    pt = math.sqrt(energy**2 - 0.13957**2) / np.cosh(CENTRE["eta"])
    pions = gun(pt=pt, event=np.arange(SIZE), **CENTRE)
    ecal, hcal = deposits_of(pions, config)
    measured = sums(ecal) + sums(hcal)
    sigma = math.hypot(config.hcal.stochastic / math.sqrt(energy), config.hcal.constant)
    assert np.mean(measured) == pytest.approx(energy, rel=0.03)
    assert np.std(measured) / energy == pytest.approx(sigma, rel=0.06)
    # 1 − exp(−1.1) of them shower in the ECAL, the others cross it with minimum ionisation.
    started = np.mean(sums(ecal) > 1.5 * config.ecal.mip)
    assert started == pytest.approx(1 - math.exp(-config.ecal.interaction_lengths), abs=0.05)


def test_muons_cross_both_with_minimum_ionisation():
    ecal, hcal = deposits_of(gun(pdg=13, mass=0.10566, pt=50.0, event=np.arange(SIZE)), detector())
    assert np.mean(sums(ecal)) == pytest.approx(detector().ecal.mip, rel=0.1)
    assert np.mean(sums(hcal)) == pytest.approx(detector().hcal.mip, rel=0.1)


def test_charges_bend_away_from_their_direction_and_neutrals_do_not():
    particles = gun(pt=2.0, charge=np.array([-1.0, 0.0, 1.0]))
    config = detector()
    entry = enter(particles, helices(particles, config.solenoid.field), config.ecal.end_plane, 1.0)
    # sin(Δφ) = r/2R.
    bend = math.asin(129.0 * 0.00299792458 * 3.8 / 2 / 2.0)
    np.testing.assert_allclose(entry.ecal_phi, [bend, 0.0, -bend], atol=1e-9)


def test_showers_beyond_the_rows_are_lost_and_phi_wraps():
    config = detector("ecal.stochastic=0", "ecal.constant=0")
    outside, _ = deposits_of(photons(1, pt=10.0, eta=2.6), config)
    assert len(outside.cell) == 0
    edge, _ = deposits_of(photons(1, pt=10.0, phi=float(ecal_phi(0))), config)
    assert {0, 359} <= set(edge.cell % ECAL_COLUMNS)


def test_cells_are_sums_of_their_deposits():
    particles = gun(size=3)
    cells = cells_of(
        deposits(cell=[7, 7, 9], particle=[0, 1, 2], energy=[2.0, 3.0, 4.0]), particles, noise=1e-6, threshold=0.5
    )
    np.testing.assert_array_equal(cells.cell, [7, 9])
    np.testing.assert_allclose(cells.energy, [5.0, 4.0], atol=1e-4)


def test_a_cell_is_linked_to_what_gave_most_with_pile_up_as_one():
    particles = gun(size=5, gen=np.array([4, 4, 6, -1, -1]))
    given = deposits(cell=[1, 1, 1, 2, 2, 2], particle=[0, 1, 2, 2, 3, 4], energy=[1.0, 1.5, 2.0, 2.0, 1.2, 1.3])
    cells = cells_of(given, particles, noise=1e-6, threshold=0.5)
    np.testing.assert_array_equal(cells.gen, [4, -1])


def test_the_neutral_share_is_that_of_particles_without_a_track():
    given = deposits(cell=[1, 1], particle=[0, 1], energy=[1.0, 3.0])
    cells = cells_of(given, gun(size=2), noise=1e-6, threshold=0.5, tracked=np.array([True, False]))
    assert cells.neutral[0] == pytest.approx(0.75)


@pytest.mark.parametrize("sigmas", [1e-12, 0.5, 1.0, 2.0])
def test_noise_alone_passes_the_threshold_as_often_as_a_gaussian_tail_says(sigmas):
    particles = gun(size=1)
    empty = Deposits(*(np.zeros(0, dtype=np.int64),) * 3, np.zeros(0), np.zeros(0))
    cells = cells_of(empty, particles, events=20, noise=0.04, threshold=0.04 * sigmas)
    passes = 0.5 * math.erfc(sigmas / math.sqrt(2))
    expected = 20 * CRYSTALS * passes
    assert abs(len(cells.cell) - expected) < 4 * math.sqrt(expected * (1 - passes))
    assert cells.energy.min() > 0.04 * sigmas
    # Mean of a unit Gaussian beyond x: φ(x)/Q(x).
    mean = math.exp(-(sigmas**2) / 2) / math.sqrt(2 * math.pi) / passes
    assert np.mean(cells.energy) == pytest.approx(0.04 * mean, rel=0.01)
    assert (cells.gen == -1).all()


def test_small_signals_are_suppressed():
    given = deposits(cell=[1, 2], particle=[0, 0], energy=[0.05, 5.0])
    cells = cells_of(given, gun(size=1), noise=1e-6, threshold=0.1)
    np.testing.assert_array_equal(cells.cell, [2])


def test_cells_come_in_the_order_of_events_and_each_once():
    config = detector()
    particles = photons(200, pt=5.0, phi=np.linspace(-3, 3, 200))
    ecal, _ = deposits_of(particles, config)
    cells = cells_of(ecal, particles, events=200)
    place = cells.event * CRYSTALS + cells.cell
    assert (np.diff(place) > 0).all()


def test_times_are_the_delay_of_slow_particles_smeared_by_noise_over_energy():
    config = detector("beam_spot.sigma_t=0")
    kaon = gun(pdg=321, mass=0.494, pt=1.0, size=1)
    entry = enter(kaon, helices(kaon, 0.0), config.ecal.end_plane, 1.0)
    assert entry.delay[0] == pytest.approx(129.0 / 29.9792458 * (math.hypot(1.0, 0.494) - 1.0), rel=1e-6)
    given = deposits(np.arange(5000), np.zeros(5000, dtype=np.int64), np.full(5000, 2.0), time=1.0)
    cells = cells_of(given, gun(size=1), noise=1e-6)
    signal = cells.gen == 0
    times = time_cells(cells, config.ecal, np.random.default_rng(1))[signal]
    sigma = math.hypot(config.ecal.time_noise * config.ecal.noise / 2.0, config.ecal.time_constant)
    assert np.mean(times) == pytest.approx(1.0, abs=0.06)
    assert np.std(times) == pytest.approx(sigma, rel=0.05)


@pytest.mark.parametrize("pt", [0.6, 0.8, 1.0, 5.0])
def test_a_muon_leaves_no_more_than_its_energy(pt):
    muons = gun(pdg=13, charge=-1.0, mass=0.10566, pt=pt, event=np.arange(500), eta=CENTRE["eta"])
    ecal, hcal = deposits_of(muons, detector("solenoid.field=0.1"))
    left = sums(ecal, 500) + sums(hcal, 500)
    assert (left <= muons.energy + 1e-9).all() and left.mean() > 0.3


@pytest.mark.parametrize("sigmas", [1e-12, 0.3, 2.5, 8.0, 30.0])
def test_noise_above_any_threshold_is_the_tail_of_a_gaussian(sigmas):
    found = _gaussian_tail(sigmas, 20_000, np.random.default_rng(3))
    assert found.min() >= sigmas
    assert np.isfinite(found).all()
    assert kstest(found, truncnorm(sigmas, np.inf).cdf).pvalue > 1e-3
