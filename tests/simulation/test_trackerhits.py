"""Tracker hits: where trajectories cross layers, with the configured resolution, efficiency and noise."""

import numpy as np
import pytest

from e2egraph.detector.channels import Channel
from e2egraph.errors import UsageError
from e2egraph.simulation.generation.particles import helices
from e2egraph.simulation.response.response import HitsConfig
from e2egraph.simulation.response.trackerhits import layers, make_hits
from tests.simulation.particle_gun import detector, gun

PIXELS = (Channel.BPIX1, Channel.BPIX2, Channel.BPIX3)


def hits_of(particles, *settings, seed=1):
    config = detector(*(f"hits.layers.{name}.noise=0" for name in detector().hits.layers), *settings)
    events = int(particles.event.max()) + 1
    return make_hits(
        particles, helices(particles, config.solenoid.field), events, config.hits, np.random.default_rng(seed)
    )


def spread(size, **columns):
    """Particles each in an event of its own, so that none merge."""
    return gun(event=np.arange(size), size=size, **columns)


def test_every_layer_is_hit_once_at_its_radius_by_a_stiff_particle():
    hits = hits_of(spread(2000, pt=50.0, phi=0.3))
    for channel in PIXELS:
        here = hits.channel == channel
        np.testing.assert_allclose(np.hypot(hits.x, hits.y)[here], detector().hits.layers[channel.name].radius)
        assert here.sum() == pytest.approx(2000 * detector().hits.layers[channel.name].efficiency, abs=30)
    assert len(np.unique(hits.channel)) == 7


def test_hits_scatter_by_the_configured_resolution():
    hits = hits_of(spread(5000, pt=50.0, eta=0.5))
    layer = detector().hits.layers["BPIX2"]
    here = hits.channel == Channel.BPIX2
    rphi = layer.radius * np.arctan2(hits.y, hits.x)[here]
    assert np.std(rphi) == pytest.approx(layer.sigma_rphi, rel=0.05)
    assert np.std(hits.z[here]) == pytest.approx(layer.sigma_z, rel=0.05)
    assert np.mean(hits.z[here]) == pytest.approx(layer.radius * np.sinh(0.5), abs=0.001)


def test_a_looper_hits_a_layer_again_on_its_way_back():
    # 2R = 17.6 cm at 100 MeV: out and back through all pixel layers, short of the strips.
    once = hits_of(spread(500, pt=0.1, eta=0.1), "hits.max_turns=1")
    twice = hits_of(spread(500, pt=0.1, eta=0.1), "hits.max_turns=2")
    assert set(once.channel) == set(map(int, PIXELS))
    assert len(once.channel) == pytest.approx(500 * 6, rel=0.03)
    assert len(twice.channel) == pytest.approx(500 * 12, rel=0.03)


def test_layers_end_and_stopped_particles_leave_no_more_hits():
    forward = hits_of(spread(100, pt=5.0, eta=2.4))
    # At |η| = 2.4 the first layer is crossed at z = 24 cm, the second beyond its end.
    assert set(forward.channel) == {int(Channel.BPIX1)}
    stopped = hits_of(spread(100, pt=5.0, stop_radius=9.0))
    assert set(stopped.channel) == {int(Channel.BPIX1), int(Channel.BPIX2)}


def test_a_particle_that_begins_outside_and_moves_inwards_hits_inner_layers_twice():
    inwards = hits_of(spread(500, pt=5.0, phi=0.05, x=np.full(500, -20.0)))
    for channel in PIXELS:
        efficiency = detector().hits.layers[channel.name].efficiency
        assert np.sum(inwards.channel == channel) == pytest.approx(2 * 500 * efficiency, abs=40)


def test_neutral_particles_leave_no_hits():
    assert len(hits_of(spread(10, charge=0.0)).channel) == 0


def test_particles_closer_than_a_cluster_share_their_hit():
    together = gun(pt=100.0, phi=np.array([0.1, 0.1001]), event=np.array([0, 0]))
    assert np.sum(hits_of(together, "hits.layers.BPIX1.efficiency=1").channel == Channel.BPIX1) == 1


def test_noise_has_its_mean_and_no_particle():
    config = detector("hits.layers.BPIX3.noise=50")
    nobody = gun(charge=0.0)
    hits = make_hits(nobody, helices(nobody, 3.8), 200, config.hits, np.random.default_rng(1))
    here = hits.channel == Channel.BPIX3
    assert here.sum() == pytest.approx(200 * 50, rel=0.05)
    assert (hits.particle == -1).all()
    assert (np.abs(hits.z[here]) < config.hits.layers["BPIX3"].half_length).all()


def test_hits_point_to_the_particle_that_made_them():
    particles = gun(pt=50.0, phi=np.array([-2.0, 0.0, 2.0]))
    hits = hits_of(particles)
    np.testing.assert_allclose(np.arctan2(hits.y, hits.x), particles.phi[hits.particle], atol=0.02)


def test_an_unknown_layer_is_named():
    with pytest.raises(UsageError, match="'BPIX9'"):
        layers(HitsConfig(max_turns=1.0, layers={"BPIX9": detector().hits.layers["BPIX1"]}))


def test_a_layers_radius_is_what_the_detectors_description_says():
    hits = hits_of(spread(50, pt=50.0), "hits.layers.BPIX2.radius=5.5")
    np.testing.assert_allclose(np.hypot(hits.x, hits.y)[hits.channel == Channel.BPIX2], 5.5)


def test_without_layers_there_are_no_hits():
    particles = gun(size=5)
    config = detector("hits.layers={}").hits
    hits = make_hits(particles, helices(particles, 3.8), 2, config, np.random.default_rng(1))
    assert len(hits.event) == len(hits.channel) == len(hits.x) == 0
    assert (hits.event.dtype, hits.z.dtype) == (np.int64, np.float64)
