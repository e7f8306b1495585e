"""Tracks: resolutions reproduce what is configured, efficiency falls where it should."""

from dataclasses import replace

import numpy as np
import pytest

from e2egraph.simulation.generation.particles import helices
from e2egraph.simulation.response.tracking import (
    efficiency,
    impact_errors,
    pt_resolution,
    reconstruct,
    relative_to,
)
from tests.simulation.particle_gun import detector, gun

ORIGIN = (0.0, 0.0, 0.0)
SIZE = 20000
# Statistical error of a width from SIZE Gaussian numbers, four times over.
PRECISION = 4.0 / np.sqrt(2 * SIZE)


def tracks_of(particles, config, seed=1):
    helix = helices(particles, config.solenoid.field)
    return reconstruct(particles, helix, config.ecal.end_plane, ORIGIN, config.tracks, np.random.default_rng(seed))


def ideal(*settings):
    return detector(
        "tracks.plateau=1.0",
        "tracks.turn_on_loss=0",
        "tracks.core_loss=0",
        "tracks.fakes_per_track=0",
        "tracks.tail_fraction=0",
        *settings,
    )


@pytest.mark.parametrize("pt", [1.0, 10.0, 100.0])
def test_measured_widths_are_the_configured_ones(pt):
    config = ideal()
    tracks = tracks_of(gun(pt=pt, eta=0.8, size=SIZE), config)
    assert len(tracks) == SIZE
    d0_err, dz_err = impact_errors(np.array([pt]), np.array([0.8]), config.tracks)
    relative = pt_resolution(np.array([pt]), np.array([0.8]), config.tracks)[0]
    assert np.std(pt / tracks.pt) == pytest.approx(relative, rel=PRECISION)
    assert np.std(tracks.d0) == pytest.approx(d0_err[0], rel=PRECISION)
    assert np.std(tracks.dz) == pytest.approx(dz_err[0], rel=PRECISION)
    np.testing.assert_allclose(tracks.d0_err, d0_err[0])
    np.testing.assert_allclose(tracks.dz_err, dz_err[0])


def test_resolutions_are_the_quadratic_sums_of_their_terms():
    config = detector("tracks.pt_scattering=0.03", "tracks.pt_curvature=0.0004", "tracks.pt_forward_growth=0").tracks
    assert pt_resolution(np.array([100.0]), np.array([1.0]), config)[0] == pytest.approx(0.05)
    config = detector("tracks.d0_asymptotic=0.003", "tracks.d0_scattering=0.008").tracks
    assert impact_errors(np.array([2.0]), np.array([0.0]), config)[0][0] == pytest.approx(0.005)


def test_tails_widen_the_pulls():
    config = ideal("tracks.tail_fraction=0.5", "tracks.tail_scale=3")
    tracks = tracks_of(gun(pt=5.0, size=SIZE), config)
    assert np.std(tracks.d0 / tracks.d0_err) == pytest.approx(np.sqrt(5.0), rel=2 * PRECISION)


def test_a_displaced_decay_has_the_impact_parameter_of_its_flight():
    # Born 1 cm out along x, flying along y: closest approach 1 cm, on the right of the direction, dxy = −1.
    tracks = tracks_of(gun(pt=500.0, phi=np.pi / 2, x=1.0, size=100), ideal())
    assert np.mean(tracks.d0) == pytest.approx(1.0, abs=0.01)


def test_soft_forward_and_neutral_particles_leave_no_track():
    particles = gun(
        pt=np.array([0.4, 10.0, 10.0, 10.0]),
        eta=np.array([0.0, 2.7, 0.0, 0.0]),
        charge=np.array([1.0, 1.0, 0.0, 1.0]),
        stop_radius=np.array([np.inf, np.inf, np.inf, 5.0]),
    )
    np.testing.assert_array_equal(efficiency(particles, detector().tracks), 0.0)


def test_efficiency_falls_with_displacement_and_at_low_pt():
    config = detector().tracks
    prompt, displaced, soft = (efficiency(particle, config)[0] for particle in (gun(), gun(x=30.0), gun(pt=0.55)))
    assert prompt == pytest.approx(config.plateau, abs=1e-6)
    assert displaced == pytest.approx(prompt * np.exp(-30.0 / config.displacement_scale))
    assert soft < 0.95 * prompt


def test_dense_cores_lose_tracks():
    config = detector("tracks.core_loss=0.1").tracks
    crowd = gun(pt=20.0, eta=0.011, phi=0.011, size=5)
    alone = replace(crowd, event=np.arange(5))
    np.testing.assert_allclose(efficiency(crowd, config), efficiency(alone, config) * np.exp(-0.4))


def test_what_begins_further_out_does_not_hide_a_track():
    config = detector("tracks.core_loss=0.1").tracks
    together = gun(pt=20.0, eta=0.011, phi=0.011, x=np.array([0.0, 0.3, 20.0, 20.0]))
    alone = replace(together, event=np.arange(4))
    loss = efficiency(together, config) / efficiency(alone, config)
    np.testing.assert_allclose(loss, np.exp([-0.1, -0.1, -0.3, -0.3]))


def test_fakes_come_at_the_configured_rate_with_no_particle():
    config = detector("tracks.fakes_per_track=0.2")
    tracks = tracks_of(gun(pt=5.0, event=np.arange(SIZE)), config)
    fakes = np.sum(tracks.particle < 0)
    assert fakes == pytest.approx(0.2 / 1.2 * len(tracks), rel=0.1)


def test_moving_the_reference_to_the_vertex_restores_prompt_tracks():
    at = {"x": 0.002, "y": -0.003, "z": 4.0}
    phi = np.linspace(-3, 3, 500)
    config = ideal("tracks.d0_scattering=0", "tracks.dz_scattering=0", "tracks.direction_sigma=0")
    tracks = tracks_of(gun(pt=20.0, eta=1.0, phi=phi, **at), config)
    one = np.ones(1)
    moved = relative_to(tracks, 0.002 * one, -0.003 * one, 4.0 * one, 0.001 * one, 0.004 * one)
    assert np.std(moved.d0) == pytest.approx(config.tracks.d0_asymptotic, rel=0.15)
    assert np.mean(moved.dz) == pytest.approx(0.0, abs=0.001)
    np.testing.assert_allclose(moved.d0_err, np.hypot(config.tracks.d0_asymptotic, 0.001))
    np.testing.assert_allclose(moved.dz_err, np.hypot(config.tracks.dz_asymptotic, 0.004))
