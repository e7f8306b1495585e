"""Jets, grooming and substructure against FastJet's classic interface, seeds against a search tower by tower."""

import awkward as ak
import fastjet
import numpy as np
import pytest

from e2egraph.detector.geometry import HCAL_COLUMNS, HCAL_ROWS, hcal_column, hcal_row
from e2egraph.simulation.clustering import Constituents
from e2egraph.simulation.generation.candidates import Candidates
from e2egraph.simulation.jets import cluster, n_subjettiness, seed_towers, softdrop_masses
from tests.simulation.particle_gun import detector

CONFIG = detector("jets.energy_scale=1", "jets.min_pt=100").jets


def event_of(seed, prongs=3, size=120):
    """Massless particles in two fat jets of a few prongs each, and soft ones all over."""
    rng = np.random.default_rng(seed)
    axis = np.repeat(np.array([[0.3, 0.5], [-0.2, 0.5 - np.pi]]), prongs, axis=0) + rng.normal(0, 0.25, (2 * prongs, 2))
    which = rng.integers(2 * prongs, size=size)
    eta, phi = (axis[which] + rng.normal(0, 0.05, (size, 2))).T
    pt = rng.exponential(10.0, size)
    eta, phi = np.append(eta, rng.uniform(-2, 2, 60)), np.append(phi, rng.uniform(-3, 3, 60))
    pt = np.append(pt, rng.exponential(0.5, 60))
    return pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta)


def candidates_of(*events):
    columns = [np.concatenate(column) for column in zip(*events, strict=True)]
    return Candidates(np.repeat(np.arange(len(events)), [len(event[0]) for event in events]), *columns)


def classic(event):
    particles = [fastjet.PseudoJet(*map(float, momentum)) for momentum in zip(*event, strict=True)]
    sequence = fastjet.ClusterSequence(particles, fastjet.JetDefinition(fastjet.antikt_algorithm, 0.8))
    return sequence, fastjet.sorted_by_pt(sequence.inclusive_jets(100.0))


def particles_of_jets(seed):
    _sequence, jets = classic(event_of(seed))
    return [list(jet.constituents()) for jet in jets]


def wrapped(phi):
    return np.mod(phi + np.pi, 2 * np.pi) - np.pi


def test_jets_are_those_of_the_classic_interface():
    events = [event_of(seed) for seed in range(4)]
    jets = cluster(candidates_of(*events), 4, CONFIG)
    for number, event in enumerate(events):
        _sequence, expected = classic(event)
        here = jets.event == number
        np.testing.assert_allclose(jets.pt[here], [jet.pt() for jet in expected], rtol=1e-9)
        np.testing.assert_allclose(jets.eta[here], [jet.eta() for jet in expected], rtol=1e-9)
        np.testing.assert_allclose(jets.mass[here], [jet.m() for jet in expected], rtol=1e-6)
        np.testing.assert_allclose(wrapped(jets.phi[here]), [wrapped(jet.phi()) for jet in expected], rtol=1e-9)


def constituents_of(jets):
    momenta = [(p.px(), p.py(), p.pz(), p.E()) for jet in jets for p in jet]
    return Constituents(np.array([len(jet) for jet in jets]), np.array(momenta).T)


def soft_drop(constituents, zcut, radius, beta):
    """Declustering by hand: undo the last Cambridge/Aachen step until the softer branch has its share."""
    sequence = fastjet.ClusterSequence(constituents, fastjet.JetDefinition(fastjet.cambridge_algorithm, 10.0))
    jet = sequence.exclusive_jets(1)[0]
    one, two = fastjet.PseudoJet(), fastjet.PseudoJet()
    while jet.has_parents(one, two):
        share = min(one.pt(), two.pt()) / (one.pt() + two.pt())
        if share > zcut * (one.delta_R(two) / radius) ** beta:
            return jet.m()
        harder = one if one.pt() > two.pt() else two
        jet, one, two = harder, fastjet.PseudoJet(), fastjet.PseudoJet()
    return jet.m()


@pytest.mark.parametrize("beta", [0.0, 1.0])
def test_soft_drop_undoes_the_clustering_until_a_hard_splitting(beta):
    events = [event_of(seed) for seed in range(10, 14)]
    config = detector("jets.energy_scale=1", "jets.min_pt=100", f"jets.softdrop_beta={beta}").jets
    jets = cluster(candidates_of(*events), 4, config)
    masses = []
    for event in events:
        _sequence, found = classic(event)
        masses += [soft_drop(list(jet.constituents()), config.softdrop_zcut, 0.8, beta) for jet in found]
    np.testing.assert_allclose(jets.softdrop_mass, masses, rtol=1e-6)


def test_soft_drop_with_a_negative_power_drops_what_lies_in_one_direction():
    config = detector("jets.energy_scale=1", "jets.min_pt=100", "jets.softdrop_beta=-1").jets
    pt = np.array([100.0, 60.0, 40.0])
    event = Candidates(np.zeros(3, np.int64), pt, np.zeros(3), np.zeros(3), pt)
    assert cluster(event, 1, config).softdrop_mass.tolist() == [0.0]


@pytest.mark.parametrize("beta", [0.0, 1.0])
def test_soft_drop_masses_are_those_of_fastjets_own_grooming_to_the_last_bit(beta):
    config = detector(f"jets.softdrop_beta={beta}").jets
    jets = [jet for seed in range(30, 36) for jet in particles_of_jets(seed)]
    jets += [jet[:size] for jet in jets[:2] for size in (1, 2, 3)]
    record = [[{"px": p.px(), "py": p.py(), "pz": p.pz(), "E": p.E()} for p in jet] for jet in jets]
    tree = fastjet.ClusterSequence(ak.Array(record), fastjet.JetDefinition(fastjet.cambridge_algorithm, 10.0))
    groomed = tree.exclusive_jets_softdrop_grooming(
        1, beta=beta, symmetry_cut=config.softdrop_zcut, R0=config.radius
    ).msoftdrop
    expected = np.maximum(np.nan_to_num(ak.to_numpy(groomed)), 0.0)
    np.testing.assert_array_equal(softdrop_masses(constituents_of(jets), config), expected)


def test_jets_with_fewer_particles_than_axes_change_nothing_of_the_others():
    jets = particles_of_jets(22)
    small = [jets[0][:1], jets[0], jets[1][:2], jets[1]]
    together = n_subjettiness(constituents_of(small), 0.8)
    alone = np.concatenate([n_subjettiness(constituents_of([jet]), 0.8) for jet in small], axis=1)
    np.testing.assert_array_equal(together, alone)
    assert (together[:, [1, 3]] > 0).all()
    assert together[1, 0] == together[2, 2] == 0 < together[0, 2]


def test_n_subjettiness_is_the_pt_weighted_distance_to_the_nearest_kt_axis():
    _sequence, found = classic(event_of(21))
    constituents = list(found[0].constituents())
    taus = n_subjettiness(constituents_of([constituents]), 0.8)
    for number in (1, 2, 3):
        tree = fastjet.ClusterSequence(constituents, fastjet.JetDefinition(fastjet.kt_algorithm, 10.0))
        axes = tree.exclusive_jets(number)
        top = sum(
            p.pt() * min(np.hypot(p.eta() - a.eta(), wrapped(p.phi() - a.phi())) for a in axes) for p in constituents
        )
        bottom = 0.8 * sum(p.pt() for p in constituents)
        assert taus[number - 1, 0] == pytest.approx(top / bottom, rel=1e-6)


def test_jets_of_one_or_two_particles_have_no_structure_and_no_mass():
    lone = tuple(np.array([value]) for value in (300.0, 0.0, 10.0, np.hypot(300.0, 10.0)))
    jets = cluster(candidates_of(lone), 1, CONFIG)
    np.testing.assert_allclose((jets.softdrop_mass[0], *jets.tau[:, 0]), 0.0, atol=1e-3)


def test_events_without_jets_give_none():
    soft = tuple(np.array([value]) for value in (1.0, 0.0, 0.0, 1.0))
    jets = cluster(candidates_of(soft), 3, CONFIG)
    assert len(jets.event) == 0
    assert jets.tau.shape == (3, 0)


def test_the_energy_scale_corrects_pt_and_masses_alike():
    events = candidates_of(event_of(5))
    plain, scaled = (
        cluster(events, 1, detector(f"jets.energy_scale={scale}", "jets.min_pt=50").jets) for scale in (1.0, 1.1)
    )
    for name in ("pt", "mass", "softdrop_mass"):
        np.testing.assert_allclose(getattr(scaled, name)[:2], 1.1 * getattr(plain, name)[:2])
    np.testing.assert_allclose(scaled.tau[:, :2], plain.tau[:, :2])


def test_the_seed_is_the_most_energetic_tower_of_seven_by_seven():
    rng = np.random.default_rng(2)
    energy = rng.exponential(1.0, (5, HCAL_ROWS, HCAL_COLUMNS))
    event = rng.integers(5, size=200)
    # Up to the edges in η, and across φ = ±π and the seam of the columns.
    eta, phi = rng.uniform(-2.43, 2.43, 200), rng.uniform(-np.pi, np.pi, 200)
    rows, columns = seed_towers(event, eta, phi, energy)
    for jet in range(200):
        centre = int(hcal_row(eta[jet])), int(hcal_column(phi[jet]))
        towers = {
            (row, column % HCAL_COLUMNS): energy[event[jet], row, column % HCAL_COLUMNS]
            for row in range(max(centre[0] - 3, 0), min(centre[0] + 4, HCAL_ROWS))
            for column in range(centre[1] - 3, centre[1] + 4)
        }
        assert (rows[jet], columns[jet]) == max(towers, key=towers.get)


def test_without_energy_the_seed_is_the_tower_under_the_axis():
    rows, columns = seed_towers(np.array([0]), np.array([0.4]), np.array([1.0]), np.zeros((1, HCAL_ROWS, HCAL_COLUMNS)))
    assert (rows[0], columns[0]) == (hcal_row(0.4), hcal_column(1.0))
