"""Outputs of nodes → particles, on nodes made by hand."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from e2egraph.data.candidates import Decoding, decode
from e2egraph.errors import InputError
from e2egraph.tasks.objectives.nodes import CLASSES, MASS_OFFSET, Nodes

NONE, CHARGED, NEUTRAL, PHOTON, ELECTRON, MUON = range(6)
FEATURES = ("value", "deta0", "dphi0", "charge", "muon", "is_TRACK")
OUTPUTS = Nodes().outputs
NO_MASS = MASS_OFFSET - 40.0


class _Inputs:
    """The order of ``FEATURES``, as ``Inputs`` tells it."""

    def has(self, name):
        return name in FEATURES

    def index(self, name):
        return FEATURES.index(name)


def node(kind, *, pt=10.0, eta=0.5, phi=1.0, track=True, muon=0.0, charge=1.0, particle=3.0, ratio=0.0, turn=0.0,
         excess=NO_MASS, pile_up=0.0):  # fmt: skip
    """Features, place and outputs of one node whose most probable class is ``kind``."""
    logits = np.where(np.arange(len(CLASSES)) == kind, 5.0, 0.0)
    outputs = [0.0, particle, *logits, ratio, 0.01, turn, excess, pile_up]
    return (pt, 0.02, 0.0, charge, muon, float(track)), (eta, phi), outputs


def decoded(*nodes, **how):
    features, places, outputs = (np.array(part, np.float32)[None] for part in zip(*nodes, strict=True))
    events = SimpleNamespace(mask=np.ones(features.shape[:2], bool), features=features, points=places)
    return decode(outputs, events, np.array([7]), _Inputs(), OUTPUTS, Decoding(**how))


def test_the_outputs_are_in_the_order_that_these_tests_have():
    assert [len(head.columns) for head in OUTPUTS.heads] == [2, len(CLASSES), 4, 1]


def test_classes_that_an_element_cannot_have_become_those_that_it_can():
    found = decoded(
        node(MUON, muon=1.0), node(MUON), node(MUON, track=False), node(CHARGED, track=False), node(PHOTON, track=False)
    )
    assert found["class"].tolist() == [MUON, CHARGED, NEUTRAL, NEUTRAL, PHOTON]
    assert found["charge"].tolist() == [1, 1, 0, 0, 0]
    assert found["row"].tolist() == [7] * 5 and found["node"].tolist() == list(range(5))


@pytest.mark.parametrize("place", [1, 2, 8])
@pytest.mark.parametrize("method", ["hard", "soft"])
def test_outputs_that_are_not_finite_are_refused(place, method):
    """Compared with anything they are false, and their event would be lost."""
    bad = node(PHOTON)
    bad[2][place] = math.nan
    with pytest.raises(InputError, match="event 7 of the data set, element 1: an output is not finite"):
        decoded(node(PHOTON), bad, method=method)


@pytest.mark.parametrize(("momenta", "pt"), [(False, 20.0), (True, 10.0)])
def test_tracks_keep_their_direction_and_where_asked_their_momentum(momenta, pt):
    change = {"ratio": math.log(2.0), "turn": 0.1}
    found = decoded(node(CHARGED, **change), node(NEUTRAL, track=False, **change), track_momenta=momenta)
    np.testing.assert_allclose(found["pt"], [pt, 20.0], rtol=1e-6)
    np.testing.assert_allclose(found["eta"], [0.52, 0.53], rtol=1e-6)
    np.testing.assert_allclose(found["phi"], [1.0, 1.1], rtol=1e-6)
    np.testing.assert_allclose(found["energy"], found["pt"] * np.cosh(found["eta"]), rtol=1e-6)


def test_outputs_beyond_all_bounds_give_finite_momenta_and_phi_stays_within_a_turn():
    found = decoded(
        node(NEUTRAL, track=False, ratio=50.0), node(NEUTRAL, track=False, ratio=-50.0),
        node(NEUTRAL, track=False, excess=50.0), node(NEUTRAL, track=False, phi=3.1, turn=0.2),
    )  # fmt: skip
    np.testing.assert_allclose(found["pt"][:2], [10 * math.exp(10), 10 * math.exp(-10)], rtol=1e-5)
    assert found["energy"][2] == pytest.approx(10 * math.exp(10) * math.cosh(found["eta"][2]), rel=1e-5)
    assert found["phi"][3] == pytest.approx(3.3 - 2 * math.pi, abs=1e-6)


def test_hard_decoding_drops_what_is_none_and_soft_decoding_counts_it_by_its_probability():
    nodes = node(NONE), node(PHOTON, track=False, particle=-1.0), node(PHOTON, track=False, particle=-9.0)
    assert len(decoded(*nodes)["pt"]) == 0
    soft = decoded(*nodes, method="soft")
    assert soft["node"].tolist() == [0, 1]
    probability = 1 / (1 + np.exp([-3.0, 1.0]))
    np.testing.assert_allclose(soft["probability"], probability, rtol=1e-6)
    np.testing.assert_allclose(soft["pt"], 10 * probability, rtol=1e-6)
    assert soft["class"][0] != NONE
