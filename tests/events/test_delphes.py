"""Delphes trees: what becomes of towers, tracks, jets and vertices, and what such a tree can get wrong."""

import math

import awkward as ak
import numpy as np
import pytest

from e2egraph.detector import geometry
from e2egraph.errors import InputError
from e2egraph.events.schema import EventSource
from e2egraph.events.sources.delphes import DelphesFile
from e2egraph.events.sources.registry import open_source
from tests.delphes_files import write


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return open_source(write(tmp_path_factory.mktemp("delphes") / "a.root"))


def test_the_tree_chooses_the_reader(source):
    assert type(source) is DelphesFile and isinstance(source, EventSource)
    assert source.n_events == 2 and source.production is None
    assert source.kinds == {"tracks": "objects", "ecal": "towers of Delphes", "hcal": "towers of Delphes"}
    assert source.missing.branches["hits"] == "hit_global_x"
    assert source.recognised["hcal.energy"] == "Tower.Ehad" and source.recognised["met"] == "MissingET.MET"


def test_towers_become_the_cells_that_hold_their_centres(source):
    events = source.read(0, 2, ["ecal", "hcal"])
    ecal, hcal = events.ecal[0], events.hcal[0]
    assert ak.num(events.ecal).tolist() == [2, 0] and ak.num(events.hcal).tolist() == [1, 0]
    np.testing.assert_allclose(sorted(ecal.energy), [5.0, 7.0])
    assert hcal.energy.tolist() == [30.0]
    joint = int(np.argmin(ecal.energy))
    np.testing.assert_allclose(geometry.ecal_eta(ecal.ieta[joint]), 0.05, atol=geometry.ETA_PITCH / 2)
    for cell in range(2):
        phi = (0.3, -math.pi + 0.01)[int(cell != joint)]
        off = geometry.delta_phi(geometry.ecal_phi(ecal.iphi[cell]), phi)
        assert abs(float(off)) <= geometry.PHI_PITCH / 2 + 1e-9
    assert ak.all(events.ecal.time == 0) and "ecal.time" in source.missing
    assert (hcal.ieta[0], hcal.iphi[0]) == (geometry.hcal_row(0.05), geometry.hcal_column(0.3))


def test_tracks_are_at_the_ecal_and_their_dz_to_the_vertex_in_cm(source):
    events = source.read(0, 2, ["tracks", "pv"])
    np.testing.assert_allclose(ak.flatten(events.tracks.eta), [0.48, -1.05, 0.02], rtol=1e-6)
    np.testing.assert_allclose(ak.flatten(events.tracks.phi), [1.05, 3.2 - 2 * math.pi, 0.1], rtol=1e-6)
    np.testing.assert_allclose(ak.flatten(events.tracks.dz), [0.1, -0.1, 0.4], atol=1e-6)
    np.testing.assert_allclose(ak.flatten(events.tracks.d0_sig), [5, -5, 0], rtol=1e-5)
    np.testing.assert_allclose(ak.flatten(events.tracks.dz_sig), [10, -5, 8], rtol=1e-5)
    np.testing.assert_allclose(events.pv.z, [3.0, 0.0])
    assert events.n_pv.tolist() == [2, 0]


def test_jets_have_the_first_bit_as_b_tag_and_a_seed_in_the_image(source):
    events = source.read(0, 2, ["jets", "fatjets", "met", "gen"])
    assert events.jets.b_tag.tolist() == [[1, 0], []]
    assert events.jets.seed_ieta.tolist() == [[int(geometry.hcal_row(0.05)), geometry.HCAL_ROWS - 1], []]
    assert events.fatjets.mass.tolist() == [[120.0], []]
    assert events.met.tolist() == [35.0, 5.0]
    assert events.gen.mother.tolist() == [[-1, 0], [-1]]


def test_weights_are_read_and_numbers_follow_the_content(source, tmp_path):
    events = source.read(0, 2, ["id"])
    assert events.gen_weight.tolist() == [0.5, 2.0]
    assert events.run.tolist() == events.lumi.tolist() == [0, 0]
    assert len(set(events.event.tolist())) == 2
    np.testing.assert_array_equal(source.read(1, 2, ["id"]).event, events.event[1:])
    again = open_source(write(tmp_path / "b.root", without=("Event.",))).read(0, 2, ["id"])
    np.testing.assert_array_equal(again.event, events.event)
    assert again.gen_weight.tolist() == [1.0, 1.0]


def test_trees_with_less_are_read_and_say_what_they_lack(tmp_path):
    less = ("Vertex", "Track.D0", "Track.DZ", "Track.Error", "Track.EtaOuter", "Track.PhiOuter", "FatJet", "Missing",
            "Jet.BTag", "Particle")  # fmt: skip
    source = open_source(write(tmp_path / "a.root", without=less))
    lacks = {"tracks.d0", "tracks.dz", "tracks.d0_err", "fatjets", "met", "jets.b_tag", "gen"}
    assert lacks <= set(source.missing.branches)
    events = source.read(0, 2, ["id", "pv", "tracks", "jets"])
    np.testing.assert_allclose(ak.flatten(events.tracks.eta), [0.5, -1.0, 0.0], rtol=1e-6)
    assert ak.all(events.tracks.dz == 0) and "b_tag" not in events.jets.fields
    with pytest.raises(InputError, match=r"a\.root: no branch for fatjets \(looked for FatJet\.PT, "):
        source.read(0, 2, ["fatjets"])


def test_a_tree_without_towers_has_no_calorimeter(tmp_path):
    source = open_source(write(tmp_path / "a.root", without=("Tower",)))
    assert source.missing.branches["ecal"] == "Tower.Eta, Tower.Phi, Tower.Eem, Tower.Ehad"
    assert source.kinds == {"tracks": "objects"}


@pytest.mark.parametrize(
    ("branch", "values", "collection", "message"),
    [
        ("Tower.Eem", [[1.0, 2.0, math.nan, 4.0], []], "ecal", "Tower.Eem of entry 0 holds NaN or infinite values"),
        ("Tower.Ehad", [[1.0], []], "hcal", "the branches of towers differ in length"),
        ("MissingET.MET", [[35.0], []], "met", "MissingET.MET of entry 1 is not one number"),
        ("Event.Weight", [[1.0], [math.inf]], "id", "Event.Weight of entry 1 holds NaN or infinite values"),
    ],
)
def test_damaged_trees_are_named_in_one_sentence(tmp_path, branch, values, collection, message):
    source = open_source(write(tmp_path / "a.root", **{branch: values}))
    with pytest.raises(InputError, match=rf"a\.root: {message}") as caught:
        source.read(0, 2, [collection])
    assert str(caught.value).count("\n") == 0
