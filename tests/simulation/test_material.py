"""Conversions, nuclear interactions and bremsstrahlung in the tracker's material."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, stats

from e2egraph.errors import UsageError
from e2egraph.simulation.generation.particles import helices
from e2egraph.simulation.response.bremsstrahlung import photons_per_radiation_length
from e2egraph.simulation.response.material import interact
from e2egraph.simulation.response.trackerhits import make_hits
from e2egraph.simulation.response.tracking import reconstruct
from tests.simulation.particle_gun import detector, gun

SIZE = 20000
NO_RADIATION = "material.radiation_min_share=1"
NO_MATERIAL = "material.radiation_lengths=[0, 0, 0, 0, 0, 0, 0, 0]"


def passed(particles, *settings):
    config = detector(*settings)
    return interact(particles, config.solenoid.field, config.material, np.random.default_rng(3))


def applied(particles, *settings):
    passage = passed(particles, *settings)
    return passage.particles, passage.origin


def slab(thickness, radii="[4.0]", shares="[1]"):
    """Settings of a material of ``thickness`` X0 in all directions."""
    return (
        "material.eta=[0, 3]",
        f"material.radiation_lengths=[{thickness}, {thickness}]",
        f"material.radius={radii}",
        f"material.share={shares}",
    )


def photons(**columns):
    return gun(pdg=22, charge=0.0, mass=0.0, size=SIZE, **columns)


def electrons(size=SIZE, **columns):
    return gun(pdg=11, charge=-1.0, mass=0.000511, size=size, **columns)


def spectrum(y):
    """dN/dy per radiation length."""
    return (4 / 3 - 4 / 3 * y + y**2) / y


def test_photons_convert_as_their_mean_free_path_says():
    # P = 1 − exp(−7/9·X/X₀).
    after, _ = applied(photons(pt=20.0), "material.eta=[0, 3]", "material.radiation_lengths=[0.9, 0.9]")
    converted = np.isfinite(after.stop_radius[:SIZE]).mean()
    assert converted == pytest.approx(1 - np.exp(-0.7), abs=4 * 0.5 / np.sqrt(SIZE))


def test_nothing_passes_as_nothing():
    """A batch of neutrinos alone, or of particles beyond the acceptance."""
    passage = passed(photons(pt=20.0).take(np.zeros(SIZE, bool)))
    assert len(passage.particles) == len(passage.whole) == len(passage.radiated) == len(passage.origin) == 0


def test_a_conversion_gives_a_pair_with_the_photons_momentum_at_a_material_cylinder():
    before = photons(pt=20.0, eta=0.6, phi=1.0, z=2.0)
    after, origin = applied(before, NO_RADIATION)
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
    after, origin = applied(before, NO_RADIATION, "material.conversion_min_energy=1e9")
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


def test_muons_pass_unharmed():
    after, origin = applied(gun(pdg=-13, size=1000))
    assert len(after) == len(origin) == 1000
    assert np.isinf(after.stop_radius).all()


def test_without_material_nothing_happens():
    for before in (photons(pt=20.0), electrons(pt=20.0)):
        after, _ = applied(before, NO_MATERIAL)
        assert len(after) == SIZE
        assert np.isinf(after.stop_radius).all()


def test_particles_born_beyond_a_cylinder_do_not_interact_there():
    after, _ = applied(photons(pt=20.0, x=115.0))
    assert len(after) == SIZE


@pytest.mark.parametrize("least", [0.001, 0.05, 0.9])
def test_the_number_of_photons_is_the_integral_of_their_spectrum(least):
    number, _ = integrate.quad(spectrum, least, 1)
    assert photons_per_radiation_length(np.array([least]))[0] == pytest.approx(number)
    # A thin layer, far from the limit in energy.
    after, _ = applied(electrons(pt=1000.0), *slab(0.05), f"material.radiation_min_share={least}")
    emitted = np.sum(after.pdg == 22)
    assert emitted == pytest.approx(0.05 * number * SIZE, abs=4 * np.sqrt(0.05 * number * SIZE))


def test_radiated_shares_follow_bethe_heitlers_spectrum():
    # So thin that next to all photons are an electron's only one.
    after, origin = applied(electrons(size=200_000, pt=1000.0), *slab(0.01))
    photon = np.flatnonzero(after.pdg == 22)
    single = photon[np.bincount(origin[photon])[origin[photon]] == 1]
    share = after.momentum[single] / after.momentum[origin[single]]
    edges = np.geomspace(0.001, 1.0, 13)
    part = np.array([integrate.quad(spectrum, low, high)[0] for low, high in pairwise(edges)])
    found, _ = np.histogram(share, edges)
    assert found.sum() == len(single) > 10_000
    assert stats.chisquare(found, part / part.sum() * found.sum()).pvalue > 1e-3


def test_in_one_radiation_length_electrons_keep_one_part_in_e_of_their_energy():
    passage = passed(electrons(pt=1000.0), *slab(1.0, "[4, 20, 50]", "[1, 1, 2]"), "material.radiation_min_share=1e-5")
    mean = 1 - np.mean(passage.radiated[:SIZE])
    assert mean == pytest.approx(np.exp(-1), abs=4 * np.std(passage.radiated[:SIZE]) / np.sqrt(SIZE))


def test_photons_leave_along_the_electron_which_goes_on_with_the_rest_on_a_tighter_helix():
    before = electrons(pt=20.0, eta=0.6, z=2.0)
    passage = passed(before, "material.conversion_min_energy=1e9")
    after, origin = passage.particles, passage.origin
    ended = np.isfinite(after.stop_radius)
    assert ended[:SIZE].mean() > 0.5
    made = np.flatnonzero(np.arange(len(after)) >= SIZE)
    for component in ("px", "py", "pz"):
        carried = np.bincount(origin[made], getattr(after, component)[made], minlength=len(after))
        length = np.bincount(origin[made], after.momentum[made], minlength=len(after))
        # Along one line, as long together as the parent.
        np.testing.assert_allclose(length[ended], after.momentum[ended])
        # pz does not turn in the field.
        if component == "pz":
            np.testing.assert_allclose(carried[ended], after.pz[ended])
    assert set(np.round(np.hypot(after.x, after.y)[made], 6)) <= set(detector().material.radius)
    goes_on = made[after.pdg[made] == 11]
    assert (passage.first[goes_on] == passage.first[origin[goes_on]]).all()
    assert (after.pt[goes_on] < after.pt[origin[goes_on]]).all()
    np.testing.assert_array_equal(after.gen[made], before.gen[passage.first[origin[made]]])
    np.testing.assert_array_equal(passage.first[after.pdg == 22], np.flatnonzero(after.pdg == 22))


def test_photons_of_electrons_convert_and_the_legs_of_conversions_radiate():
    passage = passed(electrons(pt=50.0, eta=1.4))
    after, origin = passage.particles, passage.origin
    positron = np.flatnonzero(after.pdg == -11)
    assert len(positron) > 100
    from_photon = after.pdg[origin[positron]] == 22
    assert from_photon.any()
    assert (passage.first[positron[~from_photon]] < positron[~from_photon]).all()
    legs = np.flatnonzero(from_photon)
    assert (after.pdg[origin[origin[positron[legs]]]] != 22).all()
    # Positrons are legs alone: some of them radiate.
    assert np.isin(np.flatnonzero(after.pdg == 22), made_by(after, origin, -11)).any()


def made_by(after, origin, pdg):
    return np.flatnonzero((after.pdg[origin] == pdg) & (origin < np.arange(len(after))))


def tracked(before, *settings):
    config = detector("tracks.fakes_per_track=0", "tracks.core_loss=0.1", *settings)
    passage = passed(before, *settings)
    helix = helices(passage.particles, config.solenoid.field)
    rng = np.random.default_rng(5)
    arguments = (helix, config.ecal.end_plane, (0.0, 0.0, 0.0), config.tracks, rng, passage.radiated)
    return passage, reconstruct(passage.whole, *arguments)


def test_electrons_that_radiate_are_found_as_often_as_if_they_did_not():
    before = electrons(pt=20.0, eta=0.8, event=np.arange(SIZE))
    found = []
    for settings in ((), (NO_RADIATION,)):
        passage, tracks = tracked(before, *settings)
        own = passage.first[tracks.particle] < SIZE
        assert len(np.unique(tracks.particle[own])) == own.sum()
        found.append(own.mean() * len(tracks) / SIZE)
    assert len(passage.particles) == SIZE
    assert found[0] == pytest.approx(found[1], abs=4 * np.sqrt(2 * found[1] * (1 - found[1]) / SIZE))


def test_measured_momenta_of_electrons_have_a_tail_that_grows_with_what_they_radiate():
    passage, tracks = tracked(electrons(pt=20.0, eta=0.8, event=np.arange(SIZE)))
    own = tracks.particle < SIZE
    ratio, lost = tracks.pt[own] / 20.0, passage.radiated[tracks.particle[own]]
    assert np.median(ratio[lost == 0]) == pytest.approx(1.0, abs=0.005)
    assert np.median(ratio) > 0.93
    some, much = (np.mean(ratio[(lost > low) & (lost < high)] < 0.9) for low, high in ((0.1, 0.3), (0.6, 0.9)))
    assert np.mean(ratio[lost == 0] < 0.9) < some < much


def test_an_electron_leaves_one_hit_a_layer_however_often_it_radiates():
    settings = [f"hits.layers.{name}.{key}" for name in detector().hits.layers for key in ("noise=0", "efficiency=1")]
    config = detector(*settings)
    before = electrons(2000, pt=50.0, event=np.arange(2000))
    passage = passed(before, *settings, "material.conversion_min_energy=1e9")
    assert len(passage.particles) > 6000
    helix = helices(passage.particles, config.solenoid.field)
    hits = make_hits(passage.particles, helix, 2000, config.hits, np.random.default_rng(1))
    layers = np.unique(hits.channel)
    assert len(layers) == 7
    count = np.bincount(passage.first[hits.particle] * 16 + hits.channel, minlength=2000 * 16).reshape(2000, 16)
    # A last piece of some GeV may turn back: such electrons hit layers again.
    assert (count[:, layers] >= 1).mean() > 0.999
    assert (count[:, layers] == 1).mean() > 0.98


@pytest.mark.parametrize("pt", [0.8, 2.0, 5.0])
def test_what_is_left_of_a_baryon_has_its_kinetic_energy_whether_it_interacts_or_not(pt):
    before = gun(pdg=2112, charge=0.0, mass=0.93957, pt=pt, size=SIZE)
    after, origin = applied(before, *slab(1.5), "material.interaction_min_momentum=0.1")
    interacted = np.isfinite(after.stop_radius[:SIZE])
    made = np.bincount(origin[SIZE:], after.energy[SIZE:], minlength=SIZE)
    kinetic = before.energy - before.mass
    assert interacted.sum() > 1000
    assert (made[interacted] <= kinetic[interacted] + 1e-9).all()
    assert made[interacted].max() > 0.8 * kinetic[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("material.eta=[3, 0]", "material.radiation_lengths=[1, 1]"), "eta of the material must rise"),
        (("material.eta=[]", "material.radiation_lengths=[]"), "eta of the material must rise"),
        (("material.radius=[9, 4]", "material.share=[1, 1]"), "radius of the material must rise"),
    ],
)
def test_tables_of_the_material_rise(settings, message):
    with pytest.raises(UsageError, match=message):
        detector(*settings)
