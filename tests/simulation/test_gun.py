"""Particle guns inside pp collisions and bare, and what they refuse."""

import numpy as np
import pytest

from e2egraph.config import as_dict, validate
from e2egraph.errors import InputError, UsageError
from e2egraph.simulation.generation.generator import Generator
from e2egraph.simulation.generation.process import GeneratorConfig, PileUpConfig, ProcessConfig, TruthConfig
from e2egraph.simulation.generation.truth import gen_record

# A light neutral particle that decays to two photons.
TWO_PHOTONS = (
    "36:isResonance = off", "36:mMin = 0", "36:mMax = 0", "36:mWidth = 0", "36:oneChannel = 1 1.0 0 22 22"
)  # fmt: skip
TWO_TAUS = (*TWO_PHOTONS[:-1], "36:oneChannel = 1 1.0 0 15 -15")


def generated(events, settings=(), seed=3, **gun):
    return Generator(GeneratorConfig(gun=gun, settings=settings), seed, "gun").generate(events)


def shot(events, pdg):
    """pT, η and mass of the particles that the gun gave, from the stored truth."""
    record = gen_record(events, TruthConfig())
    chosen = (np.abs(record.pdg) == pdg) & (record.status == 23)
    return record.pt[chosen], record.eta[chosen], record.mass[chosen]


def flat(values, low, high):
    """Whether values are spread evenly: Kolmogorov-Smirnov distance below what one sample in 10,000 exceeds."""
    ordered = (np.sort(values) - low) / (high - low)
    steps = np.arange(len(values)) / len(values)
    return np.abs(ordered - steps).max() < 2.2 / np.sqrt(len(values))


def test_pairs_in_pp_collisions_are_flat_in_pt_eta_and_mass():
    events = generated(150, TWO_PHOTONS, pdg_id=36, pt=[20, 60], eta=[-1, 0.5], mass=[0.1, 1.2])
    pt, eta, mass = shot(events, 36)
    assert len(pt) == 300
    np.testing.assert_allclose(pt[::2], pt[1::2], rtol=1e-3)
    assert flat(pt[::2], 20, 60) and flat(eta, -1, 0.5) and flat(mass, 0.1, 1.2)
    # Collisions around them, and the decay.
    final = events.status > 0
    assert np.bincount(events.event[final]).mean() > 30
    pairs = events.pdg[events.first + events.mother1] == 36
    assert set(events.pdg[pairs & (events.mother1 > 0)]) - {36} == {22}


def test_a_bare_gun_gives_one_particle_with_its_decay_and_nothing_else():
    events = generated(400, pdg_id=15, pt=[20, 60], eta=[-1, 1], bare=True)
    pt, eta, mass = shot(events, 15)
    assert len(pt) == 400
    assert flat(pt, 20, 60) and flat(eta, -1, 1)
    np.testing.assert_allclose(mass, 1.777, atol=0.001)
    assert set(events.pdg[events.status == -23]) == {15, -15}
    final = events.status > 0
    energy = np.sqrt(events.px**2 + events.py**2 + events.pz**2 + events.mass**2)
    begun = np.bincount(events.event, energy * (events.status == -23))
    np.testing.assert_allclose(np.bincount(events.event, energy * final), begun, rtol=1e-5)
    # Displaced by their own flight: γβcτ is 0.0087 cm · p/m.
    daughters = final & (events.mother1 == 1)
    flight = np.sqrt(events.x**2 + events.y**2 + events.z**2)[daughters]
    momentum = (pt * np.cosh(eta))[events.event[daughters]]
    assert np.mean(flight / (momentum / 1.777)) == pytest.approx(0.0087, rel=0.2)


def test_a_stable_particle_alone_is_one_final_particle():
    events = generated(50, pdg_id=11, pt=[5, 100], bare=True)
    assert (np.bincount(events.event[events.status > 0]) == 1).all()
    assert {11, -11} == set(events.pdg[events.status > 0])


def test_quarks_and_gluons_hadronise():
    for pdg in (1, 21):
        events = generated(5, pdg_id=pdg, pt=[50, 60], eta=[-1, 1])
        assert len(shot(events, pdg)[0]) >= 10
        assert np.bincount(events.event[events.status > 0]).min() > 20


@pytest.mark.parametrize("bare", [False, True])
def test_the_same_seed_gives_the_same_events(bare):
    one, again, other = (generated(5, seed=seed, pdg_id=13, pt=[5, 9], bare=bare).px for seed in (4, 4, 5))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("gun", "settings", "message"),
    [
        ({"pdg_id": 36, "mass": [1.0, 10.0]}, TWO_TAUS, "1 GeV is less than the decay products of 36"),
        ({"pdg_id": 36}, (*TWO_TAUS, "36:m0 = 1.0"), "1 GeV is less than the decay products of 36 .*; give mass, or"),
        ({"pdg_id": 11, "mass": [1.0, 2.0]}, (), "11 does not decay, so that its mass is 0.000511 GeV"),
        ({"pdg_id": 123456}, (), "no particle 123456"),
        ({"pdg_id": 90, "bare": True}, (), "no particle 90"),
        ({"pdg_id": 11, "pt": [10, 3000]}, (), "more than the collision's energy"),
        ({"pdg_id": 11, "pt": [10, 3000], "bare": True}, (), r"18396\.9 GeV has more energy than .*, 4000 GeV"),
        ({"pdg_id": 11, "pt": None, "energy": [1, 1e300], "bare": True}, (), "1e.300 GeV has more energy than"),
        ({"pdg_id": 1, "bare": True}, (), "has colour"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(gun, settings, message):
    with pytest.raises(UsageError, match=message) as caught:
        generated(1, settings, **{"pt": [10, 20], **gun})
    assert str(caught.value).count("\n") == 0
    assert "generator.gun" in str(caught.value)


@pytest.mark.parametrize(
    "gun",
    [
        {"pt": [20, 10]},
        {"pt": [1, 2], "mass": [-1, 2]},
        {"pt": [1, 2], "eta": [1, 0]},
        {"pt": [1, 2], "eta": [-900, 900]},
    ],
)
def test_wrong_ranges_are_refused(gun):
    with pytest.raises(ValueError, match=r"gun|mass|eta"):
        GeneratorConfig(gun={"pdg_id": 11, **gun})


def test_a_generator_needs_something_to_generate():
    with pytest.raises(ValueError, match="neither settings nor a gun"):
        GeneratorConfig()


def test_a_grid_of_particles_is_alone_far_apart_and_flat_in_the_logarithm_of_energy():
    events = generated(
        40, ("130:mayDecay = off",), pdg_id=130, energy=[2, 200], eta=[-1.5, 1.5], grid=[3, 8], bare=True
    )
    final = events.status > 0
    assert (np.bincount(events.event[final]) == 24).all()
    assert set(events.pdg[final]) == {130}
    pt = np.hypot(events.px, events.py)[final]
    eta, phi = np.arcsinh(events.pz[final] / pt), np.arctan2(events.py, events.px)[final]
    energy = np.sqrt((pt * np.cosh(eta)) ** 2 + events.mass[final] ** 2)
    assert flat(np.log(energy), np.log(2), np.log(200))
    assert np.abs(eta).max() < 1.5 and flat(phi, -np.pi, np.pi)
    eta, phi = eta.reshape(40, 24), phi.reshape(40, 24)
    turned = np.abs(np.mod(phi[:, :, None] - phi[:, None] + np.pi, 2 * np.pi) - np.pi)
    distance = np.hypot(eta[:, :, None] - eta[:, None], turned) + 10 * np.eye(24)
    # Half a cell: 2π/8/2.
    assert distance.min() > 0.39


def test_a_bare_gun_of_one_particle_may_have_its_energy_set():
    events = generated(200, pdg_id=22, energy=[1, 100], eta=[-1, 1], bare=True)
    energy = np.sqrt(events.px**2 + events.py**2 + events.pz**2)[events.status > 0]
    assert len(energy) == 200 and flat(np.log(energy), 0, np.log(100))


@pytest.mark.parametrize(
    ("gun", "message"),
    [
        ({"pt": [1, 2], "energy": [1, 2], "bare": True}, "either pt or energy"),
        ({}, "either pt or energy"),
        ({"energy": [1, 2]}, "for a gun that is bare"),
        ({"pt": [1, 2], "grid": [3, 8]}, "for a gun that is bare"),
        ({"energy": [2, 1], "bare": True}, "lower and a higher"),
        ({"pt": [1, 2], "grid": [0, 8], "bare": True}, "greater than or equal to 1"),
    ],
)
def test_what_does_not_go_together_is_refused(gun, message):
    with pytest.raises(ValueError, match=message):
        GeneratorConfig(gun={"pdg_id": 22, **gun})


def test_an_energy_below_the_mass_is_refused():
    with pytest.raises(UsageError, match=r"generator\.gun: an energy of 0\.1 GeV is no more than the mass, 0\.1395"):
        generated(1, pdg_id=211, energy=[0.1, 2], bare=True)


def test_a_bare_gun_whose_particle_cannot_decay_ends_in_one_sentence():
    # One colourless particle of 0.2 GeV makes no hadrons of two gluons.
    two_gluons = (*TWO_PHOTONS[:-1], "36:oneChannel = 1 1.0 0 21 21")
    with pytest.raises(InputError, match=r"generator\.gun: Pythia could let none of 1000 particles 36 on end decay"):
        generated(2, two_gluons, pdg_id=36, pt=[20, 60], eta=[-1, 1], mass=[0.2, 0.2], bare=True)


@pytest.mark.parametrize("bare", [False, True])
def test_masses_of_leptons_are_those_drawn(bare):
    events = generated(
        40, ("15:onMode = off", "15:onIfAny = 11"), pdg_id=15, pt=[30, 40], eta=[-1, 1], mass=[1, 1.6], bare=bare
    )
    _, _, mass = shot(events, 15)
    assert len(mass) == (40 if bare else 80)
    assert mass.min() > 0.99 and mass.max() < 1.61 and np.ptp(mass) > 0.3


def test_a_gun_has_no_limits_of_a_hard_scattering():
    with pytest.raises(ValueError, match="a gun has no hard scattering; leave out pt_hat_minimum"):
        GeneratorConfig(gun={"pdg_id": 22, "pt": [20, 60], "eta": [-1, 1]}, pt_hat_minimum=20)


@pytest.mark.parametrize(
    ("bare", "pile_up", "expected"),
    [
        (True, None, 0.0),
        (True, {"pool_events": 40}, 0.0),
        (True, {"mean": 7}, 7.0),
        (True, PileUpConfig(), 10.0),
        (False, None, 10.0),
    ],
)
def test_a_bare_gun_has_pile_up_only_if_its_mean_is_given(bare, pile_up, expected):
    content = {"title": "gun", "generator": {"gun": {"pdg_id": 22, "pt": [50, 50], "bare": bare}}}
    content |= {} if pile_up is None else {"pile_up": pile_up}
    process = validate(ProcessConfig, content, "process")
    assert process.pile_up.mean == expected
    assert process.pile_up.pool_events == (40 if pile_up == {"pool_events": 40} else 1000)
    # The same in Python, where the generator is a configuration already, and of what a file says of itself.
    assert ProcessConfig(**{**content, "generator": process.generator}) == process
    assert validate(ProcessConfig, as_dict(process), "stored") == process
    with pytest.raises(UsageError, match=r"'pile_up' is wrong"):
        validate(ProcessConfig, {**content, "pile_up": "none"}, "process")
