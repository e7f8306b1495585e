"""Pile-up, vertices and charged-hadron subtraction."""

from dataclasses import replace

import numpy as np
import pytest

from e2egraph.detector.geometry import ECAL_RADIUS, END_PLANE, HCAL_RADIUS, face_radius
from e2egraph.errors import InputError
from e2egraph.simulation.generation.candidates import _towards, from_pile_up, make_candidates
from e2egraph.simulation.generation.generator import Generator
from e2egraph.simulation.generation.pileup import Pool, draw_collisions, make_pool, overlay
from e2egraph.simulation.generation.process import GeneratorConfig
from e2egraph.simulation.response.calorimeter import Cells
from e2egraph.simulation.response.tracking import Tracks
from e2egraph.simulation.response.vertices import Vertices, reconstruct_vertices
from tests.simulation.particle_gun import HARD_PROCESS_ALONE, detector, gun

SPOT = detector().beam_spot


def pool_of_three():
    """Events of 1, 0 and 2 particles."""
    particles = gun(pt=np.array([1.0, 2.0, 3.0]), phi=0.5, gen=np.full(3, -1), event=np.array([0, 2, 2]), x=0.1)
    return Pool(np.array([0, 1, 1, 3]), particles)


def test_the_number_of_collisions_is_one_and_poisson():
    collisions = draw_collisions(20000, 10.0, SPOT, np.random.default_rng(1))
    assert collisions.counts.min() >= 1
    assert np.mean(collisions.counts - 1) == pytest.approx(10.0, abs=0.1)
    assert np.var(collisions.counts) == pytest.approx(10.0, rel=0.05)


def test_collisions_fill_the_beam_spot():
    collisions = draw_collisions(5000, 10.0, SPOT, np.random.default_rng(1))
    assert np.mean(collisions.x) == pytest.approx(SPOT.x, abs=1e-4)
    assert np.std(collisions.x) == pytest.approx(SPOT.sigma_xy, rel=0.02)
    assert np.std(collisions.z) == pytest.approx(SPOT.sigma_z, rel=0.02)


def test_every_collision_gets_a_whole_turned_pool_event_at_its_own_vertex():
    rng = np.random.default_rng(4)
    collisions = draw_collisions(50, 5.0, SPOT, rng)
    hard = gun(pt=100.0, event=np.arange(50), z=0.5)
    particles = overlay(hard, pool_of_three(), collisions, rng)
    where = collisions.first[particles.event] + particles.collision
    assert (particles.gen[particles.collision > 0] == -1).all()
    np.testing.assert_allclose(particles.z[:50], collisions.z[collisions.first] + 0.5)
    extra = particles.collision > 0
    np.testing.assert_allclose(particles.z[extra], collisions.z[where][extra])
    # Turned as a whole: a particle born 0.1 cm out, at −0.5 rad from its direction, still is.
    out = particles.x - collisions.x[where], particles.y - collisions.y[where]
    angle = np.mod(np.arctan2(out[1], out[0]) - particles.phi + np.pi, 2 * np.pi) - np.pi
    np.testing.assert_allclose(np.hypot(*out)[extra], 0.1)
    np.testing.assert_allclose(angle[extra], -0.5)
    assert np.ptp(particles.phi[extra]) > 5.0
    # Events of 2 GeV and 3 GeV particles come as one.
    two, three = (np.bincount(where[extra & np.isclose(particles.pt, pt)], minlength=300) for pt in (2.0, 3.0))
    np.testing.assert_array_equal(two, three)


def test_pool_events_are_drawn_as_often_as_their_weights_say():
    pool = Pool(np.array([0, 1, 1, 3]), pool_of_three().particles, weight=np.array([1.0, 2.0, 5.0]))
    drawn = np.bincount(pool.draw(40000, np.random.default_rng(2)), minlength=3)
    np.testing.assert_allclose(drawn / 40000, [1 / 8, 2 / 8, 5 / 8], atol=0.01)


def test_a_pool_of_negative_weights_is_refused():
    config = GeneratorConfig(settings=("HardQCD:gg2gg = on", *HARD_PROCESS_ALONE), pt_hat_minimum=50.0)
    events = Generator(config, 1, "test").generate(2)
    with pytest.raises(InputError, match="negative weight"):
        make_pool(replace(events, weight=np.array([1.0, -1.0])), detector().acceptance)
    assert make_pool(events, detector().acceptance).weight is None


def test_without_pile_up_only_the_hard_collision_is_there():
    collisions = draw_collisions(10, 0.0, SPOT, np.random.default_rng(1))
    assert len(overlay(gun(event=np.arange(10)), None, collisions, np.random.default_rng(1))) == 10


def tracks(dz, particle=None, pt=5.0, event=None):
    size = len(dz)
    zero = np.zeros(size)
    event = np.zeros(size, dtype=np.int64) if event is None else event
    particle = np.full(size, -1, dtype=np.int64) if particle is None else particle
    return Tracks(
        event, particle, zero + pt, zero, zero, zero, zero, zero, np.asarray(dz), zero + 1, zero + 1, zero + 1
    )


def vertices(*z):
    one = np.ones(len(z))
    return Vertices(np.array([len(z)]), 0 * one, 0 * one, np.array(z), one, one)


def test_collisions_with_tracks_become_vertices_with_the_hard_one_first():
    collisions = draw_collisions(1, 0.0, SPOT, np.random.default_rng(1))
    collisions = collisions.__class__(np.array([3]), *(np.arange(3.0) for _ in range(4)))
    # Two tracks from collision 1, four from collision 2, none from the hard one.
    particles = gun(size=6, collision=np.array([1, 1, 2, 2, 2, 2]))
    found = reconstruct_vertices(
        collisions, tracks(np.zeros(6), np.arange(6)), particles, detector().vertices, np.random.default_rng(1)
    )
    np.testing.assert_array_equal(found.counts, [2])
    np.testing.assert_allclose(found.z, [0.0, 2.0], atol=0.1)
    assert found.sigma_z[1] == pytest.approx(detector().vertices.sigma_z / 2.0)


def test_only_tracks_nearer_to_another_vertex_are_taken_out():
    removed = from_pile_up(tracks([0.0, 0.05, 1.9, -3.0, 0.9]), vertices(1.0, 3.0), 0.1)
    np.testing.assert_array_equal(removed, [False, False, True, False, False])
    assert not from_pile_up(tracks([0.0, 5.0]), vertices(1.0), 0.1).any()


def test_candidates_are_prompt_tracks_and_untracked_energy():
    config = detector("candidates.photon_threshold=0.5", "candidates.neutral_threshold=1").candidates
    none = np.zeros(0)
    index = none.astype(np.int64)
    one, zero = np.ones(1), np.zeros(1)
    ecal = Cells(index[:0], index, none, none, index, none)
    crystals = Cells(
        np.zeros(2, dtype=int),
        np.array([140 * 360, 140 * 360 + 1]),
        np.array([6.0, 2.0]),
        none,
        index,
        np.array([1.0, 0.0]),
    )
    towers = Cells(np.zeros(1, dtype=int), np.array([28 * 72]), 8.0 * one, zero, index, 0.5 * one)
    made = make_candidates(tracks([0.0, 2.0]), crystals, towers, vertices(0.0, 2.0), config)
    # The track of the other vertex is gone; a crystal whose energy a track explains counts for nothing.
    np.testing.assert_allclose(np.sort(made.energy), [4.0, np.hypot(5.0, 0.13957), 6.0])
    nothing = make_candidates(tracks([]), ecal, ecal, vertices(0.0), config)
    assert len(nothing.energy) == 0


@pytest.mark.parametrize("radius", [ECAL_RADIUS, HCAL_RADIUS])
def test_candidates_of_the_endcaps_point_to_their_plane(radius):
    eta = np.array([0.5, 1.4, 1.8, 2.4])
    rho = face_radius(radius, eta)
    np.testing.assert_array_equal(rho[:2], radius)
    # All at one |z| beyond the barrel, and that of the crystals' plane for crystals.
    np.testing.assert_allclose(rho[2:] * np.sinh(eta[2:]), END_PLANE * radius / ECAL_RADIUS)
    seen = _towards(np.zeros(4, np.int64), np.ones(4), eta, np.zeros(4), radius, vertices(12.0))
    np.testing.assert_allclose(seen.pz / seen.px, (rho * np.sinh(eta) - 12.0) / rho)
