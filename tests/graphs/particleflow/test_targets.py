"""What elements stand for: against the same rules in plain Python, and energies that come out exactly."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2egraph.detector.channels import Channel
from e2egraph.errors import InputError
from e2egraph.graphs.particleflow.classes import (
    CHARGED_HADRON,
    ELECTRON,
    MUON,
    NEUTRAL_HADRON,
    PHOTON,
    class_of,
)
from e2egraph.graphs.particleflow.given import Given, Links, given_energies
from e2egraph.graphs.particleflow.targets import TrueTracks, Truth, assign
from e2egraph.reconstruction.clusters import Shares
from e2egraph.tasks.elements import TargetsConfig

TRACK, ECAL, HCAL = (int(channel) for channel in (Channel.TRACK, Channel.ECAL, Channel.HCAL))


def world(seed, particles=30, elements=18):
    """Truth, tracks, given energies, and event and channel of elements, of two events."""
    rng = np.random.default_rng(seed)
    channel = rng.choice([TRACK, ECAL, HCAL], elements, p=[0.3, 0.4, 0.3])
    event_of_element = np.sort(rng.integers(0, 2, elements))
    event = np.sort(rng.integers(0, 2, particles))
    pt, eta, phi = rng.exponential(5, particles) + 0.3, rng.normal(0, 1, particles), rng.uniform(-3, 3, particles)
    p = pt * np.cosh(eta)
    momentum = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), np.hypot(p, 0.14)])
    truth = Truth(event, rng.integers(1, 6, particles).astype(np.uint8), momentum, rng.uniform(size=particles) < 0.4)
    tracks, pairs = [], {}
    for number in range(elements):
        own = np.flatnonzero(event == event_of_element[number])
        if channel[number] == TRACK:
            if len(own) and rng.uniform() < 0.8:
                tracks.append((number, rng.choice(own), rng.exponential(3) + 0.5))
        else:
            for particle in rng.choice(own, min(len(own), rng.integers(0, 8)), replace=False):
                pairs[number, particle] = rng.exponential(1.0) * rng.choice([0.01, 1.0])
    element, particle = np.array([row[:2] for row in tracks], int).reshape(-1, 2).T
    track_pt = np.array([row[2] for row in tracks])
    real = TrueTracks(element, particle, track_pt, np.zeros(len(element), bool))
    keys = sorted(pairs)
    energies = Given(*np.array(keys).reshape(-1, 2).T, np.array([pairs[key] for key in keys]))
    return truth, real, energies, event_of_element, channel


def one_by_one(truth, tracks, energies, channel, config):
    """Particle → elements with the share of it that each has, by the words of the definition."""
    particles, found, taken = len(truth.event), {}, set()
    for particle in range(particles):
        own = np.flatnonzero(tracks.particle == particle)
        if len(own):
            share = tracks.pt[own] / tracks.pt[own].sum()
            found[particle] = dict(zip(tracks.element[own], share, strict=True))
    for particle in np.lexsort((np.arange(particles), -truth.momentum[3])):
        mine = energies.particle == particle
        if particle in found or energies.energy[mine].sum() < config.visible_energy:
            continue
        places, amounts = energies.element[mine], energies.energy[mine]
        order = np.lexsort((places, -amounts))
        free = [
            places[each]
            for each in order
            if amounts[each] >= config.free_share * amounts.max() and places[each] not in taken
        ]
        element = free[0] if free else places[order[0]]
        taken.add(element)
        found[particle] = {element: 1.0}
    return found


@given(seed=st.integers(0, 400))
def test_particles_find_the_elements_that_they_find_one_after_the_other_in_falling_energy(seed):
    truth, tracks, energies, event, channel = world(seed)
    config = TargetsConfig()
    targets = assign(truth, tracks, energies, event, channel, config)
    found = one_by_one(truth, tracks, energies, channel, config)
    momentum = np.zeros((4, len(channel)))
    for particle, places in found.items():
        for element, share in places.items():
            momentum[:, element] += share * truth.momentum[:, particle]
        assert targets.element[particle] in places
    np.testing.assert_allclose(targets.momentum, momentum, atol=1e-9)
    np.testing.assert_array_equal(targets.element < 0, [number not in found for number in range(len(truth.event))])
    np.testing.assert_array_equal(targets.kind > 0, momentum[3] > 0)
    # All energy is in targets or invisible, event by event, and the books say so.
    for number in (0, 1):
        own = truth.event == number
        targeted = targets.momentum[3][event == number].sum()
        lost = truth.momentum[3][own & (targets.element < 0)].sum()
        assert targeted + lost == pytest.approx(truth.momentum[3][own].sum(), rel=1e-12)
    books = targets.books
    assert books["visible_gev"] + books["invisible_gev"] == pytest.approx(books["particles_gev"], rel=1e-12)
    assert books["visible_gev"] == pytest.approx(targets.momentum[3].sum(), rel=1e-12)
    assert books["visible"] + books["invisible"] == books["particles"] == len(truth.event)


def single(kind, channel, momentum, share=(), tracks=(), **settings):
    """Targets of particles of ``kind`` with these (px, py, pz, E); ``share``: (element, particle, energy)."""
    size = len(kind)
    truth = Truth(np.zeros(size, int), np.array(kind, np.uint8), np.array(momentum, float).T, np.zeros(size, bool))
    energies = (
        Given(*(np.array(each) for each in zip(*share, strict=True))) if share else Given(*[np.zeros(0, int)] * 3)
    )
    columns = [np.array(each) for each in zip(*tracks, strict=True)] if tracks else [np.zeros(0, int)] * 3
    real = TrueTracks(*columns, np.zeros(len(columns[0]), bool))
    return assign(truth, real, energies, np.zeros(len(channel), int), np.array(channel), TargetsConfig(**settings))


def test_what_finds_no_element_of_its_own_is_merged_and_the_most_energetic_gives_the_class():
    momenta = [(3, 0, 0, 3), (0, 5, 0, 5)]
    targets = single([NEUTRAL_HADRON, PHOTON], [ECAL], momenta, [(0, 0, 2.0), (0, 1, 4.0)])
    assert targets.kind.tolist() == [PHOTON] and targets.particle.tolist() == [1]
    np.testing.assert_allclose(targets.momentum[:, 0], [3, 5, 0, 8])
    assert targets.books["merged"] == 1 and targets.books["merged_gev"] == 3


def test_a_particle_with_two_tracks_is_split_by_their_momenta():
    targets = single([PHOTON], [TRACK, TRACK], [(8, 0, 0, 8)], tracks=[(0, 0, 6.0), (1, 0, 2.0)])
    np.testing.assert_allclose(targets.momentum[0], [6.0, 2.0])
    # Pairs of converted photons are electrons.
    assert targets.kind.tolist() == [ELECTRON, ELECTRON]
    assert targets.element.tolist() == [0] and targets.books["split"] == 1
    whole = single([PHOTON], [TRACK, TRACK], [(8, 0, 0, 8)], tracks=[(0, 0, 6.0), (1, 0, 2.0)], split_tracks=False)
    np.testing.assert_allclose(whole.momentum[0], [8.0, 0.0])
    assert whole.books["split"] == whole.books["split_gev"] == 0


def test_soft_leptons_count_as_hadrons_and_charged_particles_without_a_track_as_neutral_ones():
    momenta = [(0.8, 0, 0, 0.8), (5, 0, 0, 5), (6, 0, 0, 6), (7, 0, 0, 7)]
    kinds, channel = [MUON, MUON, CHARGED_HADRON, CHARGED_HADRON], [TRACK, TRACK, ECAL, HCAL]
    targets = single(kinds, channel, momenta, [(2, 2, 3.0), (3, 3, 3.0)], [(0, 0, 0.8), (1, 1, 5.0)])
    assert targets.kind.tolist() == [CHARGED_HADRON, MUON, PHOTON, NEUTRAL_HADRON]


def test_pile_up_is_the_share_of_the_energy_that_other_collisions_gave():
    truth = Truth(
        np.zeros(2, int), np.array([PHOTON, PHOTON], np.uint8), np.array([[3.0, 1.0], [0, 0], [0, 0], [3, 1]]),
        np.array([False, True]),
    )  # fmt: skip
    none = TrueTracks(*[np.zeros(0, int)] * 3, np.zeros(0, bool))
    energies = Given(np.array([0, 0]), np.array([0, 1]), np.array([2.0, 1.0]))
    targets = assign(truth, none, energies, np.zeros(1, int), np.array([ECAL]), TargetsConfig())
    assert targets.pile_up.tolist() == [0.25]


def test_energies_that_do_not_add_up_are_refused():
    truth, tracks, energies, event, channel = world(3)
    other = replace(truth, event=1 - truth.event[::-1] + 2 * (truth.event[::-1] == 0))
    with pytest.raises(InputError, match="true particles of an event have"):
        assign(other, tracks, energies, event, channel, TargetsConfig())


def test_what_particles_gave_to_elements_is_summed_over_cells_by_their_shares():
    rng = np.random.default_rng(4)
    shares = {
        Channel.ECAL: Shares(np.array([0, 0, 1, 3]), np.array([5, 6, 6, 7]), np.array([0.25, 0.75, 1.0, 1.0])),
        Channel.HCAL: Shares(np.array([2]), np.array([8]), np.array([1.0])),
    }
    links = {channel: Links(rng.integers(0, 4, 40), rng.integers(0, 3, 40), rng.uniform(size=40)) for channel in shares}
    found = given_energies(shares, links, 3)
    expected = np.zeros((9, 3))
    for channel, part in shares.items():
        of = links[channel]
        for cell, element, share in zip(part.cell, part.cluster, part.share, strict=True):
            for particle in range(3):
                here = (of.cell == cell) & (of.particle == particle)
                expected[element, particle] += share * of.energy[here].sum()
    made = np.zeros((9, 3))
    np.add.at(made, (found.element, found.particle), found.energy)
    np.testing.assert_allclose(made, expected, atol=1e-12)
    assert len(np.unique(found.element * 3 + found.particle)) == len(found.element)


def test_classes_follow_pdg_numbers_and_charges():
    codes = np.array([211, -211, 130, 22, -11, 13, 2112, 2212, 3122, 310])
    charge = np.array([1, -1, 0, 0, 1, -1, 0, 1, 0, 0])
    kinds = [CHARGED_HADRON] * 2 + [NEUTRAL_HADRON, PHOTON, ELECTRON, MUON, NEUTRAL_HADRON, CHARGED_HADRON]
    assert class_of(codes, charge).tolist() == [*kinds, NEUTRAL_HADRON, NEUTRAL_HADRON]
