"""Truth matching by decay chain, by jet label or by sample."""

import awkward as ak
import numpy as np
import pytest

from e2egraph.errors import InputError
from e2egraph.tasks.objects.jet import Jets
from e2egraph.tasks.task import load_task
from e2egraph.tasks.truth import matched, truth_source

TRUTH = load_task("top").truth

# pdg id, mother, η, φ: top → copy → b W, W → copy → u d̄
CHAIN = [
    (6, -1, 0.9, 0.0), (6, 0, 0.0, 0.1), (5, 1, 0.2, 0.0), (24, 1, 0.9, 0.9), (24, 3, -0.2, 0.0),
    (2, 4, -0.3, 0.1), (-1, 4, 0.1, -0.3),
]  # fmt: skip


def record(chain):
    columns = zip(*chain, strict=True)
    names = ("pdg_id", "mother", "eta", "phi")
    return ak.Array([[dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]])


def holds(chain, eta=0.0, phi=0.0):
    jets = Jets(np.zeros(1, np.int64), {"jet_eta": np.array([eta]), "jet_phi": np.array([phi])})
    return bool(matched(jets, ak.zip({"gen": record(chain)}, depth_limit=1), TRUTH, "top", "generator")[0])


def changed(index, **fields):
    particle = dict(zip(("pdg_id", "mother", "eta", "phi"), CHAIN[index], strict=True)) | fields
    return [*CHAIN[:index], tuple(particle.values()), *CHAIN[index + 1 :]]


def test_a_jet_with_the_whole_decay_inside_is_a_top():
    assert holds(CHAIN)


def test_antitops_count_too():
    assert holds([(-pdg, mother, eta, phi) for pdg, mother, eta, phi in CHAIN])


@pytest.mark.parametrize("index", [1, 2, 4, 5, 6])
def test_every_member_of_the_chain_must_lie_within_the_radius(index):
    assert not holds(changed(index, eta=0.85))


@pytest.mark.parametrize("index", [0, 3])
def test_the_direction_of_an_earlier_copy_does_not_matter(index):
    assert holds(changed(index, eta=4.0))


def test_one_quark_cannot_stand_for_both():
    assert not holds(CHAIN[:-1])


def test_a_leptonic_w_does_not_match():
    assert not holds([*CHAIN[:5], (11, 4, 0.0, 0.0), (-12, 4, 0.0, 0.0)])


def test_quarks_of_another_mother_do_not_match():
    assert not holds(changed(6, mother=-1))


def test_distances_wrap_around_in_phi():
    moved = [(pdg, mother, eta, float(np.angle(np.exp(1j * (phi + np.pi))))) for pdg, mother, eta, phi in CHAIN]
    assert holds(moved, phi=np.pi)
    assert holds(moved, phi=-np.pi)


def test_each_jet_is_matched_to_its_own_event_only():
    gen = ak.concatenate([record(CHAIN), record([(1, -1, 0.0, 0.0)]), record(CHAIN)])
    events = ak.zip({"gen": gen}, depth_limit=1)
    jets = Jets(
        np.array([0, 0, 1, 2]), {"jet_eta": np.array([0.0, 3.0, 0.0, 0.1]), "jet_phi": np.array([0.0, 0.0, 0.0, 0.1])}
    )
    assert matched(jets, events, TRUTH, "top", "generator").tolist() == [True, False, False, True]


def test_a_mother_outside_its_event_is_refused():
    with pytest.raises(InputError, match="gen_mother"):
        holds(changed(6, mother=7))


class File:
    path = "ntuple.root"

    def __init__(self, *missing):
        self.missing = missing


def test_the_generator_record_is_preferred_then_the_jet_label():
    assert truth_source(TRUTH, "top", File()) == "generator"
    assert truth_source(TRUTH, "top", File("gen")) == "jet_label"
    assert truth_source(TRUTH, "qcd", File("gen", "jets.truth_label")) == "sample_name"


def test_without_any_truth_the_error_names_the_option_to_trust_names():
    with pytest.raises(InputError, match=r"ntuple\.root: no truth for class 'top'.*--trust-sample-names"):
        truth_source(TRUTH, "top", File("gen", "jets.truth_label"))


def test_a_jet_label_selects_by_the_value_of_the_task():
    jets = Jets(np.zeros(3, np.int64), {"truth_label": np.array([1, 0, 1])})
    assert matched(jets, ak.Array([]), TRUTH, "top", "jet_label").tolist() == [True, False, True]
