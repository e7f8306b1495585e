"""Hadron flavour of jets, b-tags, and that tags depend on nothing but seed, event, pT and flavour."""

import awkward as ak
import numpy as np
import pytest

from e2egraph.errors import UsageError
from e2egraph.events.sources.rhtree import RHTreeFile
from e2egraph.simulation.btagging import draw_tags, hadron_flavour, tag_probability
from e2egraph.simulation.response.jetsconfig import BTaggingConfig
from e2egraph.simulation.simulate import read_settings, simulate
from tests.simulation.particle_gun import read

POINT = BTaggingConfig(pt=(50, 200), b=(0.6, 0.8), c=(0.2, 0.1), light=(0.01, 0.03))
B_MESON, LAMBDA_B, D_MESON, PION, TAU, GLUINO = 511, -5122, 421, 211, 15, 1000021


def columns(event, **others):
    return {"event": np.asarray(event, np.int64), **{name: np.asarray(values) for name, values in others.items()}}


def test_a_jet_has_the_heaviest_flavour_of_the_hadrons_that_are_closest_to_it():
    jets = columns([0, 0, 0, 2, 2], Eta=[0.0, 0.5, -1.0, 0.0, 1.0], Phi=[0.0, 0.0, 3.1, 0.0, 0.0])
    gen = columns(
        [0, 0, 0, 0, 1, 2, 2, 2],
        # In jet 0, also in the cone of no other; in jet 1, its D nearer to jet 1 than to jet 0; across ±π; in an event
        # without jets; far from all; no hadrons.
        pdgId=[B_MESON, D_MESON, LAMBDA_B, D_MESON, B_MESON, B_MESON, TAU, GLUINO],
        eta=[0.1, 0.3, -1.0, 0.1, 0.0, 0.5, 1.0, 1.0],
        phi=[0.0, 0.0, -3.1, 0.1, 0.0, 0.0, 0.0, 0.0],
    )
    np.testing.assert_array_equal(hadron_flavour(jets, gen, 3, 0.4), [5, 4, 5, 0, 0])
    assert hadron_flavour(columns([], Eta=[], Phi=[]), gen, 3, 0.4).shape == (0,)


def test_probabilities_are_those_of_the_flavour_between_points_and_constant_beyond():
    pt, flavour = np.array([10, 50, 100, 200, 900, 100, 100]), np.array([5, 5, 5, 5, 5, 4, 0])
    found = tag_probability(pt.astype(float), flavour, POINT)
    np.testing.assert_allclose(found, [0.6, 0.6, 0.7, 0.8, 0.8, 0.15, 0.02])


def test_tags_are_drawn_with_their_probability_and_alike_however_events_are_cut():
    event = np.repeat(np.arange(2000), 3)
    flavour = np.tile([5, 4, 0], 2000)
    jets = columns(event, Pt=np.full(len(event), 100.0))
    tags = draw_tags(jets, flavour, 2000, POINT, (7, 3), 0)
    for kind, expected in ((5, 0.7), (4, 0.15), (0, 0.02)):
        assert tags[flavour == kind].mean() == pytest.approx(expected, abs=4 * np.sqrt(expected / 2000))
    last = jets["event"] >= 1500
    part = columns(event[last] - 1500, Pt=jets["Pt"][last])
    np.testing.assert_array_equal(draw_tags(part, flavour[last], 500, POINT, (7, 3), 1500), tags[last])
    assert (draw_tags(jets, flavour, 2000, POINT, (8, 3), 0) != tags).any()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("detector.b_tagging.pt=[50, 20]", "pt must rise"),
        ("detector.b_tagging.b=[0.5]", "as many entries"),
        ("detector.b_tagging.light=[2.0]", r"detector\.b_tagging\.light"),
    ],
)
def test_wrong_working_points_are_named(setting, message):
    with pytest.raises(UsageError, match=message):
        read_settings("ttbar", [setting], "detector-events")


def test_the_events_detector_adds_its_branches_and_changes_no_other(tmp_path):
    few = ["process.pile_up.mean=2", "process.pile_up.pool_events=10"]
    ak4 = ["detector.jets.radius=0.4", "detector.jets.min_pt=20"]
    plain = read(simulate("ttbar", 12, 1, tmp_path / "plain.root", images=False, settings=[*few, *ak4]).path)
    path = simulate(
        "ttbar", 12, 1, tmp_path / "events.root", images=False, settings=few, detector="detector-events"
    ).path
    events = read(path)
    added = {"fatjetPt", "fatjetEta", "fatjetPhi", "fatjetM", "count_fatjet", "jetBTag", "jetHadronFlavour", "met"}
    assert set(events.fields) - set(plain.fields) == added
    assert all(ak.array_equal(plain[name], events[name]) for name in plain.fields)

    source = RHTreeFile(path)
    assert not {"fatjets", "met", "jets.b_tag", "jets.hadron_flavour"} & set(source.missing.branches)
    record = source.read(0, 12, ["jets", "fatjets", "met"])
    # Hadronic tops at rest in nothing: two b jets, some tagged, and little that is missing.
    b_jets = ak.sum(record.jets.hadron_flavour == 5, axis=1)
    assert 1.5 < ak.mean(b_jets) < 2.6
    assert 0.4 < ak.mean(record.jets.b_tag[record.jets.hadron_flavour == 5]) < 0.95
    assert set(ak.flatten(record.jets.b_tag).tolist()) <= {0, 1}
    assert ak.mean(record.jets.b_tag[record.jets.hadron_flavour == 0]) < 0.15
    np.testing.assert_allclose(record.met, events.met)
    assert record.met.type.content.primitive == "float32"
    assert record.fatjets.fields == ["pt", "eta", "phi", "mass"]

    old = RHTreeFile(tmp_path / "plain.root")
    assert {"fatjets", "met", "jets.b_tag", "jets.hadron_flavour"} <= set(old.missing.branches)
    assert "b_tag" not in old.read(0, 2, ["jets"]).jets.fields
