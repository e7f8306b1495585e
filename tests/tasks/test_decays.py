"""Decay chains: against loops over the records, and each option by itself."""

import math

import awkward as ak
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2egraph.errors import InputError
from e2egraph.tasks.decays import Decay, Near, matches, read_record
from e2egraph.tasks.task import load_task
from tests.tasks.records import TOP, Loops, P, changed, gen

RADIUS = 0.8
TOP_CHAIN = load_task("top").truth.decays["top"]


def found(records, chain, objects, radius=RADIUS):
    """Entry of its event and ΔR for each of ``objects`` (event, η, φ)."""
    record = read_record(gen(*records))
    event, eta, phi = (np.array(column) for column in zip(*objects, strict=True))
    result = matches(record, event, eta, phi, chain, Near(radius))
    entry = np.where(result.particle >= 0, result.particle - record.first[event], -1)
    return list(zip(entry.tolist(), result.distance.tolist(), strict=True))


def entry_at(record, chain, eta=0.0, phi=0.0):
    return found([record], chain, [(0, eta, phi)])[0][0]


angles = st.tuples(st.sampled_from([-0.6, -0.2, 0.0, 0.1, 0.5, 1.2]), st.sampled_from([-3.1, -2.9, 0.0, 0.2, 3.0]))
DAUGHTERS = {6: (5, 24), 24: (1, 2, 11), 15: (11, 16, 1), 16: (16,), 11: (11, 15), 5: (1, 24), 1: (2,), 2: (1,)}


@st.composite
def forests(draw):
    """Records in which a mother stands before its daughters, with many copies."""
    record = []
    for place in range(draw(st.integers(0, 9))):
        mother = max(draw(st.integers(-1, place - 1)), -1 if place == 0 else 0)
        if mother < 0:
            pdg_id = draw(st.sampled_from([6, 15, 24, 5]))
        elif draw(st.integers(0, 3)) == 0:
            pdg_id = record[mother].pdg_id
        else:
            pdg_id = draw(st.sampled_from(DAUGHTERS[abs(record[mother].pdg_id)])) * draw(st.sampled_from([1, 1, -1]))
        eta, phi = draw(angles)
        pt, mass = draw(st.sampled_from([1.0, 20.0, 75.0])), draw(st.sampled_from([0.0, 0.14, 4.5]))
        record.append(P(pdg_id, mother, eta, phi, pt, mass, draw(st.sampled_from([1, 2, 23]))))
    return record


leaves = st.builds(
    Decay,
    pdg_id=st.sampled_from([[5, 24], [1, 2], [1], [24, 1], [11, 15, 1]]),
    status=st.none() | st.sampled_from([[1, 2], [2, 23]]),
)
chains = st.builds(
    Decay,
    pdg_id=st.sampled_from([[6, 15], [15, 24], [24, 6, 5], [5, 1, 2]]),
    daughters=st.lists(leaves, max_size=2),
    without=st.sampled_from([[], [], [11], [5, 16]]),
    prongs=st.sampled_from([None, None, [0], [1, 2]]),
    status=st.none() | st.sampled_from([[2, 1], [1, 23]]),
    nearest=st.booleans(),
    visible=st.booleans(),
)


@given(st.lists(forests(), min_size=1, max_size=3), chains, st.lists(st.tuples(st.integers(0, 2), angles), max_size=5))
@settings(max_examples=300)
def test_the_particle_behind_an_object_is_the_one_that_loops_find(records, chain, objects):
    objects = sorted((event % len(records), *angle) for event, angle in objects)
    if not objects:
        return
    expected = []
    for event, record in enumerate(records):
        axes = [(eta, phi) for number, eta, phi in objects if number == event]
        expected += Loops(record).nearest(chain, axes, RADIUS)
    result = found(records, chain, objects)
    np.testing.assert_allclose([apart for _, apart in result], [apart for _, apart in expected], atol=1e-9)
    assert [entry for entry, _ in result] == [entry for entry, _ in expected]


def test_a_jet_with_the_whole_decay_inside_has_the_last_copy_of_the_top_behind_it():
    assert entry_at(TOP, TOP_CHAIN) == 1


def test_antitops_count_too():
    assert entry_at([changed([p], 0, pdg_id=-p.pdg_id)[0] for p in TOP], TOP_CHAIN) == 1


@pytest.mark.parametrize("index", [1, 2, 4, 5, 6])
def test_every_member_of_the_chain_must_lie_within_the_radius(index):
    assert entry_at(changed(TOP, index, eta=0.85), TOP_CHAIN) == -1


@pytest.mark.parametrize("index", [0, 3])
def test_the_direction_of_an_earlier_copy_does_not_matter(index):
    assert entry_at(changed(TOP, index, eta=4.0), TOP_CHAIN) == 1


def test_one_quark_cannot_stand_for_both():
    assert entry_at(TOP[:-1], TOP_CHAIN) == -1


def test_one_particle_cannot_stand_for_two_daughters_that_are_asked_for_differently():
    chain = Decay(pdg_id=[23], daughters=[Decay(pdg_id=[11, 13]), Decay(pdg_id=[11])])
    electron, muon = P(11, 0), P(13, 0)
    assert entry_at([P(23), electron], chain) == -1
    assert entry_at([P(23), muon, P(-13, 0)], chain) == -1
    assert entry_at([P(23), muon, electron], chain) == entry_at([P(23), electron, P(-11, 0)], chain) == 0


def test_a_leptonic_w_does_not_match():
    assert entry_at([*TOP[:5], P(11, 4), P(-12, 4)], TOP_CHAIN) == -1


def test_quarks_of_another_mother_do_not_match():
    assert entry_at(changed(TOP, 6, mother=-1), TOP_CHAIN) == -1


def test_distances_wrap_around_in_phi():
    moved = [changed([p], 0, phi=float(np.angle(np.exp(1j * (p.phi + np.pi)))))[0] for p in TOP]
    assert entry_at(moved, TOP_CHAIN, phi=np.pi) == entry_at(moved, TOP_CHAIN, phi=-np.pi) == 1


def test_a_status_counts_instead_of_the_last_copy():
    """The quark as it leaves the hard scattering, whatever becomes of it."""
    record = [P(1, -1, 0.1, status=23), P(1, 0, 0.6, status=51), P(1, 1, 3.0, status=71)]
    assert entry_at(record, Decay(pdg_id=[1, 2, 3], status=[23])) == 0
    assert entry_at(record, Decay(pdg_id=[1], status=[51, 71])) == 1
    assert entry_at(record, Decay(pdg_id=[1])) == -1
    assert entry_at(record, Decay(pdg_id=[1], status=[2])) == -1


def test_copies_of_one_daughter_are_one_particle_however_many_have_the_status():
    chain = Decay(pdg_id=[23], daughters=[Decay(pdg_id=[1], status=[1, 2])] * 2)
    copies = [P(23), P(1, 0, status=2), P(1, 1, status=1)]
    assert entry_at(copies, chain) == -1
    assert entry_at([*copies, P(-1, 0)], chain) == 0


def test_without_leaves_out_decays_to_what_it_names():
    hadronic = Decay(pdg_id=[15], without=[11, 13])
    assert entry_at([P(15), P(16, 0), P(-211, 0)], hadronic) == 0
    assert entry_at([P(15), P(16, 0), P(11, 0), P(-12, 0)], hadronic) == -1
    # An electron of a pion's decay is not one of its daughters.
    assert entry_at([P(15), P(16, 0), P(-211, 0), P(11, 2)], hadronic) == 0


@pytest.mark.parametrize(("prongs", "entry"), [([1], -1), ([3], 2), ([1, 3], 2), (None, 2)])
def test_prongs_are_the_charged_daughters_after_all_radiation(prongs, entry):
    record = [P(15, status=23), P(22, 0), P(15, 0), P(16, 2), P(-211, 2), P(-211, 2), P(211, 2), P(111, 2), P(22, 7)]
    assert entry_at(record, Decay(pdg_id=[15], prongs=prongs)) == entry


def test_of_several_particles_the_nearest_stands_behind_the_object():
    record = [P(1, -1, 0.5), P(2, -1, -0.1), P(1, -1, 0.3)]
    assert entry_at(record, Decay(pdg_id=[1, 2])) == 1
    assert entry_at(record, Decay(pdg_id=[1])) == 2


def test_nearest_gives_each_particle_to_one_object():
    record, objects = [P(15, -1, 0.0), P(15, -1, 1.0)], [(0, 0.3, 0.0), (0, -0.1, 0.0), (0, 0.45, 0.0)]
    assert [entry for entry, _ in found([record], Decay(pdg_id=[15]), objects)] == [0, 0, 0]
    result = found([record], Decay(pdg_id=[15], nearest=True), objects)
    assert [entry for entry, _ in result] == [-1, 0, 1]
    assert [apart for _, apart in result] == [math.inf, pytest.approx(0.1), pytest.approx(0.55)]


def test_nearest_looks_at_the_objects_of_the_same_event_alone():
    records, objects = [[P(15)], [P(15)]], [(0, 0.1, 0.0), (1, 0.4, 0.0)]
    assert [entry for entry, _ in found(records, Decay(pdg_id=[15], nearest=True), objects)] == [0, 0]


# A τ that radiated a photon, then decayed to two pions, one of which has a copy, and a neutrino.
TAU = (
    P(15, -1, 0.0, 0.0, 90.0, 1.777), P(22, 0, 0.5, 0.5, 30.0), P(15, 0, 0.1, 0.0, 60.0, 1.777),
    P(16, 2, 0.6, 0.3, 25.0), P(-211, 2, 5.0, 1.0, 99.0, 0.1396), P(-211, 4, 0.2, -0.1, 20.0, 0.1396),
    P(111, 2, 0.0, 0.2, 15.0, 0.135),
)  # fmt: skip


def test_visible_momenta_are_the_sum_of_the_decay_but_neutrinos():
    momentum = read_record(gen(TAU)).visible
    vectors = []
    for p in (TAU[5], TAU[6]):
        px, py, pz = p.pt * math.cos(p.phi), p.pt * math.sin(p.phi), p.pt * math.sinh(p.eta)
        vectors.append((px, py, pz, math.sqrt(px**2 + py**2 + pz**2 + p.mass**2)))
    px, py, pz, energy = np.sum(vectors, axis=0)
    for copy in (0, 2):
        assert momentum.pt[copy] == pytest.approx(math.hypot(px, py))
        assert momentum.phi[copy] == pytest.approx(math.atan2(py, px))
        assert momentum.eta[copy] == pytest.approx(math.asinh(pz / math.hypot(px, py)))
        assert momentum.mass[copy] == pytest.approx(math.sqrt(energy**2 - px**2 - py**2 - pz**2))
    assert momentum.pt[[1, 3, 5]].tolist() == [0, 0, 0]


def test_an_object_near_the_neutrino_is_no_visible_tau():
    record = [P(15, -1, 0.0), P(16, 0, 0.0, pt=90.0), P(-211, 0, 0.7, pt=5.0)]
    assert entry_at(record, Decay(pdg_id=[15]), eta=-0.3) == 0
    assert entry_at(record, Decay(pdg_id=[15], visible=True), eta=-0.3) == -1
    assert entry_at(record, Decay(pdg_id=[15], visible=True), eta=0.6) == 0


def test_what_decays_to_nothing_visible_is_behind_no_object():
    assert entry_at([P(23), P(12, 0), P(-12, 0)], Decay(pdg_id=[23], visible=True)) == -1


@pytest.mark.parametrize("mother", [7, -2])
def test_a_mother_outside_its_event_is_refused(mother):
    with pytest.raises(InputError, match="gen_mother points outside its event"):
        read_record(gen(changed(TOP, 6, mother=mother), TOP))


def test_events_without_a_record_have_no_particles():
    record = read_record(gen(TOP, [], TOP))
    none = np.array([1, 2])
    result = matches(record, none, np.zeros(2), np.zeros(2), TOP_CHAIN, Near(RADIUS))
    assert result.particle.tolist() == [-1, 8]
    assert ak.num(gen([], [])).tolist() == [0, 0]
    assert len(matches(record, np.empty(0, int), np.empty(0), np.empty(0), TOP_CHAIN, Near(RADIUS)).particle) == 0


def test_a_prompt_particle_has_no_hadron_above_it_however_far():
    """A photon of a π⁰ is none, nor one that an electron of a B radiated; one of a quark, a W or a diquark is."""
    photon, chain = P(22), Decay(pdg_id=[22], prompt=True)
    for above, prompt in (
        ([111], False), ([521, 11], False), ([5, 521, 511, 113], False), ([22, 22], True), ([2], True),
        ([24, 11], True), ([2101], True), ([1000021], True), ([2212, 2], False), ([], True), ([130], False),
        ([15], True),
    ):  # fmt: skip
        record = [P(number, place - 1, 3.0) for place, number in enumerate(above)]
        record.append(changed([photon], 0, mother=len(above) - 1)[0])
        assert (entry_at(record, chain) >= 0) == prompt, above
        assert entry_at(record, Decay(pdg_id=[22])) >= 0
    loop = [P(111, 1, 3.0), P(221, 0, 3.0), P(22, 0)]
    assert entry_at(loop, chain) == -1


@pytest.mark.parametrize(
    ("deta", "dphi", "near"), [(0.04, 0.0, True), (0.06, 0.0, False), (0.04, 0.09, True), (0.0, -0.11, False)]
)
def test_limits_along_eta_and_phi_are_their_own(deta, dphi, near):
    record = read_record(gen([P(22, -1, deta, math.pi - 0.01 + dphi)]))
    one = np.zeros(1)
    result = matches(record, np.zeros(1, int), one, one + math.pi - 0.01, Decay(pdg_id=[22]), Near(0.2, 0.05, 0.1))
    assert (result.particle[0] == 0) == near
