"""Calibration on single particles: known scales are found again."""

from dataclasses import replace

import numpy as np
import pytest

from e2egraph.errors import InputError
from e2egraph.reconstruction.calibrationfit import SingleParticles, fit_calibration, in_bins, response

ENERGIES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)


def particles(seed, scale_ecal, scale_hcal, share, spread):
    rng = np.random.default_rng(seed)
    energy = np.exp(rng.uniform(np.log(1.0), np.log(128.0), 6000))
    in_ecal = share if np.isscalar(share) else rng.uniform(*share, len(energy))
    measured = energy * (1.0 + rng.normal(0, spread, len(energy)) / np.sqrt(energy))
    ecal, hcal = scale_ecal * measured * in_ecal, scale_hcal * measured * (1.0 - in_ecal)
    return SingleParticles(energy, rng.uniform(-1.5, 1.5, len(energy)), np.maximum(ecal, 1e-3), np.maximum(hcal, 0.0))


def test_scales_of_photons_and_of_hadrons_in_either_calorimeter_are_found_again():
    photons, hadrons = particles(1, 0.9, 1.0, 1.0, 0.03), particles(2, 0.85, 1.1, (0.0, 0.9), 0.5)
    calibration = fit_calibration(photons, hadrons, [0.8, 1.5], ENERGIES)
    np.testing.assert_allclose(calibration.photon, 1 / 0.9, atol=0.01)
    # Soft ones fluctuate too much to tell both apart.
    np.testing.assert_allclose(np.array(calibration.ecal)[:, 4:], 1 / 0.85, atol=0.08)
    np.testing.assert_allclose(np.array(calibration.hcal)[:, 4:], 1 / 1.1, atol=0.05)
    for kind, sample, limit in (("photon", particles(3, 0.9, 1, 1.0, 0.03), 0.01),
                                ("hadron", particles(4, 0.85, 1.1, (0.0, 0.9), 0.5), 0.03)):  # fmt: skip
        place = in_bins(sample.energy, [8.0, 20.0, 50.0, 120.0])
        for number in range(3):
            mean = response(sample, calibration, kind)[place == number].mean()
            assert mean == pytest.approx(1.0, abs=limit)


def test_hadrons_in_one_calorimeter_have_scales_of_their_own():
    """HCAL energies next to ECAL energies that count as photons, and ECAL energies with nothing behind them."""
    photons, hadrons = particles(1, 0.9, 1.0, 1.0, 0.03), particles(2, 0.85, 1.1, (0.0, 0.9), 0.1)
    lone = np.random.default_rng(5).random(len(hadrons.energy)) < 0.2
    ecal, hcal = np.where(lone, 0.7 * hadrons.energy, hadrons.ecal), np.where(lone, 0.0, hadrons.hcal)
    mixed = replace(hadrons, ecal=ecal, hcal=hcal)
    calibration = fit_calibration(photons, mixed, [1.5], ENERGIES)
    np.testing.assert_allclose(np.array(calibration.ecal_alone)[:, 1:-1], 1 / 0.7, atol=0.03)
    # ECAL energies count as photons; what HCAL energies count makes up for what these lack, on average.
    hard = mixed.take(mixed.energy > 10)
    found = calibration.photons(hard.ecal, hard.eta) + calibration.neutral_hadrons(hard.hcal, hard.eta)
    assert np.mean(found / hard.energy) == pytest.approx(1.0, abs=0.02)


def test_what_leaks_behind_photons_is_not_counted_twice():
    """It becomes a neutral hadron, so that the clusters in front of it have less to be."""
    photons, hadrons = particles(1, 0.9, 1.0, 1.0, 0.03), particles(2, 0.85, 1.1, (0.0, 0.9), 0.3)
    leaking = replace(photons, hcal=np.where(photons.energy > 20, 0.03 * photons.energy, 0.0))
    calibration = fit_calibration(leaking, hadrons, [1.5], ENERGIES)
    found = calibration.photons(leaking.ecal, leaking.eta) + calibration.neutral_hadrons(leaking.hcal, leaking.eta)
    for low, high in ((2.0, 10.0), (40.0, 128.0)):
        some = (leaking.energy > low) & (leaking.energy < high)
        assert np.mean(found[some] / leaking.energy[some]) == pytest.approx(1.0, abs=0.005)


def test_too_few_particles_are_refused():
    few = particles(1, 1.0, 1.0, 0.5, 0.1).take(np.arange(6000) < 50)
    with pytest.raises(InputError, match=r"photons at 0 ≤ \|η\| < 1.5 are too few"):
        fit_calibration(few, few, [1.5], ENERGIES)


def test_energies_outside_of_all_bins_are_in_none():
    assert in_bins(np.array([0.5, 1.0, 1.9, 2.0, 4.0]), [1.0, 2.0, 4.0]).tolist() == [-1, 0, 0, 1, -1]
