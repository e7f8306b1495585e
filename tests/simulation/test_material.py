"""Conversions and nuclear interactions in the tracker's material."""

import numpy as np
import pytest

from e2egraph.simulation.response.material import interact
from tests.simulation.particle_gun import detector, gun

SIZE = 20000


def applied(particles, *settings):
    config = detector(*settings)
    return interact(particles, config.solenoid.field, config.material, np.random.default_rng(3))


def photons(**columns):
    return gun(pdg=22, charge=0.0, mass=0.0, size=SIZE, **columns)


def test_photons_convert_as_their_mean_free_path_says():
    # P = 1 − exp(−7/9·X/X₀).
    after, _ = applied(photons(pt=20.0), "material.eta=[0, 3]", "material.radiation_lengths=[0.9, 0.9]")
    converted = np.isfinite(after.stop_radius[:SIZE]).mean()
    assert converted == pytest.approx(1 - np.exp(-0.7), abs=4 * 0.5 / np.sqrt(SIZE))


def test_a_conversion_gives_a_pair_with_the_photons_momentum_at_a_material_cylinder():
    before = photons(pt=20.0, eta=0.6, phi=1.0, z=2.0)
    after, origin = applied(before)
    daughters = np.arange(len(after)) >= SIZE
    assert set(after.pdg[daughters]) == {11, -11}
    np.testing.assert_array_equal(after.charge[daughters], -np.sign(after.pdg[daughters]))
    converted = np.isfinite(after.stop_radius[:SIZE])
    for component in ("px", "py", "pz"):
        carried = np.bincount(origin[daughters], getattr(after, component)[daughters], minlength=SIZE)
        np.testing.assert_allclose(carried[converted], getattr(before, component)[converted], rtol=1e-9)
    radius = np.hypot(after.x, after.y)[daughters]
    np.testing.assert_allclose(radius, after.stop_radius[origin[daughters]])
    assert set(np.round(radius, 6)) <= set(detector().material.radius)
    np.testing.assert_array_equal(after.gen[daughters], before.gen[origin[daughters]])


def test_nuclear_secondaries_share_the_hadrons_energy_and_start_where_it_ended():
    before = gun(pt=30.0, eta=0.3, size=SIZE)
    after, origin = applied(before)
    daughters = np.arange(len(after)) >= SIZE
    parents = origin[daughters]
    energy = np.bincount(parents, after.energy[daughters], minlength=SIZE)
    interacted = np.isfinite(after.stop_radius[:SIZE])
    assert 0.02 < interacted.mean() < 0.3
    assert (energy <= before.energy * (1 + 1e-9)).all()
    # The only loss: secondaries too soft to matter.
    assert np.mean(energy[interacted] / before.energy[interacted]) > 0.98
    assert set(np.abs(after.pdg[daughters])) == {22, 211}
    np.testing.assert_allclose(np.hypot(after.x, after.y)[daughters], after.stop_radius[parents])
    assert (np.bincount(parents, minlength=SIZE)[interacted] >= 1).all()


def test_secondary_tracks_are_displaced_from_the_vertex():
    after, _ = applied(gun(pt=30.0, size=SIZE))
    assert np.hypot(after.x, after.y)[SIZE:].min() > 2.0


def test_muons_and_electrons_pass_unharmed():
    for pdg in (11, -13):
        after, origin = applied(gun(pdg=pdg, size=1000))
        assert len(after) == len(origin) == 1000
        assert np.isinf(after.stop_radius).all()


def test_without_material_nothing_happens():
    after, _ = applied(photons(pt=20.0), "material.radiation_lengths=[0, 0, 0, 0, 0, 0, 0, 0]")
    assert len(after) == SIZE


def test_particles_born_beyond_a_cylinder_do_not_interact_there():
    after, _ = applied(photons(pt=20.0, x=115.0))
    assert len(after) == SIZE
