"""The stored generator record, on a hand-made event in Pythia's manner and its links."""

from dataclasses import replace

import numpy as np
import pytest

from e2egraph.simulation.generation.generated import Generated
from e2egraph.simulation.generation.process import TruthConfig
from e2egraph.simulation.generation.truth import gen_record

# One line an entry: pdg, status, mother1, mother2, daughter1, daughter2, (px, py, pz), mass.
EVENT = [
    (90, -11, 0, 0, 0, 0, (0, 0, 0), 8000.0),
    (21, -21, 0, 0, 3, 4, (0, 0, 500), 0.0),
    (21, -21, 0, 0, 3, 4, (0, 0, -500), 0.0),
    (6, -22, 1, 2, 5, 5, (400, 0, 0), 173.0),
    (-6, -22, 1, 2, 6, 6, (-400, 0, 0), 173.0),
    (6, -44, 3, 3, 7, 8, (410, 0, 0), 173.0),  # 5: a recoil
    (-6, -62, 4, 4, 0, 0, (-410, 0, 0), 173.0),
    (6, -51, 5, 0, 9, 9, (390, 0, 0), 173.0),  # 7: the top radiates a gluon …
    (21, -51, 5, 0, 20, 20, (20, 5, 0), 0.0),
    (6, -62, 7, 7, 10, 11, (395, 0, 0), 173.0),  # 9: … and this is its last copy
    (24, -22, 9, 0, 12, 12, (230, 40, 0), 80.0),
    (5, -23, 9, 0, 15, 15, (165, -40, 0), 4.8),
    (24, -52, 10, 10, 13, 14, (229, 40, 0), 80.0),
    (2, -23, 12, 0, 17, 18, (150, 60, 0), 0.3),
    (-1, -23, 12, 0, 20, 20, (79, -20, 0), 0.3),
    (5, -44, 11, 11, 16, 16, (166, -40, 0), 4.8),  # 15: a pure recoil of the b
    (5, -71, 15, 15, 20, 20, (166, -40, 0), 4.8),
    (2, -51, 13, 0, 19, 19, (100, 40, 0), 0.3),  # 17: the u branches
    (21, -51, 13, 0, 20, 20, (50, 20, 0), 0.0),
    (2, -71, 17, 17, 20, 20, (100, 40, 0), 0.3),
    (513, -83, 16, 19, 22, 23, (150, -36, 0), 5.3),  # 20: B* from the string 16–19
    (211, 83, 16, 19, 0, 0, (100, 39, 0), 0.14),
    (511, -91, 20, 0, 24, 25, (149, -36, 0), 5.3),
    (22, 91, 20, 0, 0, 0, (0.1, 0, 0), 0.0),
    (411, -91, 22, 0, 26, 26, (100, -24, 0), 1.9),
    (-211, 91, 22, 0, 0, 0, (49, -12, 0), 0.14),
    (321, 91, 24, 0, 0, 0, (100, -24, 0), 0.5),
]
TOP, ANTITOP, W, B, UP, ANTIDOWN, B_MESON, D_MESON = 3, 4, 10, 11, 13, 14, 22, 24
STRING_PION, SOFT_PHOTON, PION_OF_B, KAON = 21, 23, 25, 26


def generated(events=1):
    columns = [np.array(column) for column in zip(*EVENT * events, strict=True)]
    pdg, status, mother1, mother2, daughter1, daughter2, momentum, mass = columns
    size = len(pdg)
    zero = np.zeros(size)
    return Generated(
        np.arange(events + 1) * len(EVENT), np.ones(events), pdg, status, mother1, mother2, daughter1, daughter2,
        *momentum.T.astype(float), mass, zero, zero, zero, zero, zero, np.ones(size, dtype=bool),
    )  # fmt: skip


@pytest.fixture
def record():
    return gen_record(generated(), TruthConfig())


def stored_as(record, entry):
    return int(record.link[entry])


def test_top_b_and_w_with_its_daughters_are_stored_once_and_linked_by_mothers(record):
    top, w, b = (stored_as(record, entry) for entry in (TOP, W, B))
    up, down = stored_as(record, UP), stored_as(record, ANTIDOWN)
    assert [int(record.pdg[i]) for i in (top, w, b, up, down)] == [6, 24, 5, 2, -1]
    assert [int(record.mother[i]) for i in (top, w, b, up, down)] == [-1, top, top, w, w]
    assert [int(record.status[i]) for i in (top, w, b, up)] == [22, 22, 23, 23]
    assert np.sum(np.abs(record.pdg) == 6) == 2


def test_resonances_have_the_momentum_of_their_last_copy_and_partons_that_before_branching(record):
    assert record.pt[stored_as(record, TOP)] == pytest.approx(395.0)
    assert record.pt[stored_as(record, W)] == pytest.approx(np.hypot(229.0, 40.0))
    assert record.pt[stored_as(record, B)] == pytest.approx(np.hypot(166.0, 40.0))
    assert record.pt[stored_as(record, UP)] == pytest.approx(np.hypot(150.0, 60.0))


def test_only_the_last_copy_of_a_heavy_hadron_is_stored(record):
    assert sorted(record.pdg[(np.abs(record.pdg) > 400)].tolist()) == [411, 511]
    assert record.mother[stored_as(record, D_MESON)] == stored_as(record, B_MESON)
    assert record.status[stored_as(record, B_MESON)] == 2


def test_hadrons_of_a_string_descend_from_the_parton_nearest_in_angle(record):
    assert record.mother[stored_as(record, B_MESON)] == stored_as(record, B)
    assert record.mother[stored_as(record, STRING_PION)] == stored_as(record, UP)


def test_soft_particles_link_to_their_nearest_stored_ancestor(record):
    # The photon of 0.1 GeV is not stored; its mother B* is not either; the b quark is.
    assert stored_as(record, SOFT_PHOTON) == stored_as(record, B)
    everything = gen_record(generated(), TruthConfig(final_state_min_pt=0.0))
    assert everything.pdg[stored_as(everything, SOFT_PHOTON)] == 22


def test_final_state_particles_are_their_own_link_and_have_status_1(record):
    for entry, pdg in ((STRING_PION, 211), (PION_OF_B, -211), (KAON, 321)):
        assert record.pdg[stored_as(record, entry)] == pdg
        assert record.status[stored_as(record, entry)] == 1


def test_decayed_particles_are_stored_where_they_are_asked_for():
    """As status 2, with what they decayed to below them."""
    asked = gen_record(generated(), TruthConfig(decayed=(513,)))
    place = stored_as(asked, 20)
    assert (asked.pdg[place], asked.status[place]) == (513, 2)
    assert stored_as(asked, SOFT_PHOTON) == place and asked.mother[stored_as(asked, B_MESON)] == place
    assert 513 not in gen_record(generated(), TruthConfig()).pdg
    assert 513 not in gen_record(generated(), TruthConfig(decayed=(513,), final_state_min_pt=200.0)).pdg


def test_beams_have_no_link(record):
    np.testing.assert_array_equal(record.link[:3], -1)


def test_indices_start_anew_in_each_event():
    one, three = gen_record(generated(), TruthConfig()), gen_record(generated(3), TruthConfig())
    np.testing.assert_array_equal(three.counts, np.repeat(one.counts, 3))
    np.testing.assert_array_equal(three.mother, np.tile(one.mother, 3))
    np.testing.assert_array_equal(three.link, np.tile(one.link, 3))


def test_particles_outside_the_acceptance_are_not_stored():
    event = generated()
    forward = replace(event, pz=np.where(np.arange(len(EVENT)) == KAON, 1e5, event.pz))
    assert 321 not in gen_record(forward, TruthConfig()).pdg
