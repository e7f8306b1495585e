"""Vintages of RHTree files: other names for the same things, what each lacks, and faults that are not inherited."""

import re

import awkward as ak
import numpy as np
import pytest
import uproot

from e2egraph.detector import geometry
from e2egraph.detector.channels import Channel
from e2egraph.errors import InputError
from e2egraph.events.sources.registry import open_source
from e2egraph.events.sources.rhtree import RHTreeFile
from e2egraph.events.sources.rhtree_branches import find_branches
from e2egraph.tasks.task import load_task
from e2egraph.tasks.truth import truth_source
from tests import rhtree_files
from tests.rhtree_files import Deposits

EVENTS = 4
TOP_NAMES = {"jetPt": "jet_Pt", "jetEta": "jet_Eta", "jetM": "jet_M"}


@pytest.fixture(scope="module")
def deposits():
    return rhtree_files.random_deposits(EVENTS, seed=11)


@pytest.fixture(scope="module")
def plain(tmp_path_factory, deposits):
    path = tmp_path_factory.mktemp("plain") / "a.root"
    return RHTreeFile(rhtree_files.write(path, deposits, without=rhtree_files.VECTOR_PREFIXES))


def variant(tmp_path, deposits, *, renamed=None, added=None, without=(), **options):
    """The same events under other names; ``without``: names that begin so."""
    branches = {(renamed or {}).get(name, name): values for name, values in deposits.branches.items()}
    branches |= added or {}
    without = (*rhtree_files.VECTOR_PREFIXES, "TIB_", "TOB_", *without)
    return open_source(rhtree_files.write(tmp_path / "variant.root", Deposits(branches), without=without, **options))


def written(path, branches):
    """A file of vectors alone; arrays of numbers keep their type."""
    plain = {name: values for name, values in branches.items() if isinstance(values, np.ndarray)}
    others = {name: values for name, values in branches.items() if name not in plain}
    kept = {name: values for name, values in others.items() if not name.startswith(rhtree_files.IMAGE_PREFIXES)}
    made = {name: rhtree_files._branch(name, values) for name, values in kept.items()} | plain
    with uproot.recreate(path) as file:
        file.mktree("fevt/RHTree", {name: rhtree_files._type(values) for name, values in made.items()}).extend(made)
    return open_source(path)


def vectors(values):
    """One float vector an event."""
    return [np.asarray(value, np.float32) for value in values]


def test_tops_without_jet_phi_take_it_from_the_seed(tmp_path, deposits, plain):
    file = variant(tmp_path, deposits, renamed=TOP_NAMES, without=("jetPhi",))
    found, expected = (f.read(0, EVENTS, ["jets"]).jets for f in (file, plain))
    for name in ("pt", "eta", "mass", "seed_ieta", "seed_iphi"):
        assert ak.to_list(found[name]) == ak.to_list(expected[name])
    # The seed of these files is the tower under the axis: half a tower (2.5°) off at most.
    off = geometry.delta_phi(ak.to_numpy(ak.flatten(found.phi)), ak.to_numpy(ak.flatten(expected.phi)))
    assert np.abs(off).max() <= np.radians(2.5) + 1e-6
    assert file.recognised["jets.phi"] == "jetSeed_iphi"


def test_taus_without_jet_phi_take_it_from_the_momentum(tmp_path, deposits, plain):
    pairs = zip(deposits.branches["jetPt"], deposits.branches["jetPhi"], strict=True)
    px, py = zip(*((pt * np.cos(phi), pt * np.sin(phi)) for pt, phi in pairs), strict=True)
    added = {"jet_Px": vectors(px), "jet_Py": vectors(py)}
    file = variant(tmp_path, deposits, renamed=TOP_NAMES, without=("jetPhi",), added=added)
    found, expected = (ak.to_numpy(ak.flatten(f.read(0, EVENTS, ["jets"]).jets.phi)) for f in (file, plain))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_ditaus_have_jets_by_their_own_name_of_pt_and_no_truth(tmp_path, deposits, plain):
    """RHAnalyzer_runEvtSel_jet_dijet_ditau.cc: jetM, jetpT and jetIsSignal, which is no truth, but no jet η or φ."""
    gone = ("jetEta", "jetPhi", "jetSoftDropM", "jetTau")
    added = {"jetIsSignal": vectors(np.ones((EVENTS, 2)))}
    file = variant(tmp_path, deposits, renamed={"jetPt": "jetpT"}, without=gone, added=added)
    found, expected = (f.read(0, EVENTS, ["jets"]).jets for f in (file, plain))
    for name in ("pt", "mass", "seed_ieta", "seed_iphi"):
        assert ak.to_list(found[name]) == ak.to_list(expected[name])
    assert (file.recognised["jets.pt"], file.recognised["jets.eta"]) == ("jetpT", "jetSeed_ieta")
    assert "jets.truth_label" in file.missing


@pytest.mark.parametrize("momentum", [True, False])
def test_jets_without_eta_take_it_from_the_momentum_or_their_seed(tmp_path, deposits, plain, momentum):
    columns = [deposits.branches[name] for name in ("jetPt", "jetEta", "jetPhi")]
    parts = [(pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)) for pt, eta, phi in zip(*columns, strict=True)]
    added = {f"jet_P{axis}": vectors(values) for axis, values in zip("xyz", zip(*parts, strict=True), strict=True)}
    file = variant(tmp_path, deposits, without=("jetEta",), added=added if momentum else {})
    found, expected = (ak.to_numpy(ak.flatten(f.read(0, EVENTS, ["jets"]).jets.eta)) for f in (file, plain))
    # The seed of these files is the tower under the axis.
    np.testing.assert_allclose(found, expected, atol=1e-4 if momentum else 0.5 * 0.087 + 1e-3)


def test_a_jet_mass_that_is_not_stored_follows_from_the_energy(tmp_path, deposits, plain):
    columns = (deposits.branches[name] for name in ("jetPt", "jetEta", "jetM"))
    energy = [np.sqrt((pt.astype(float) * np.cosh(eta)) ** 2 + m**2) for pt, eta, m in zip(*columns, strict=True)]
    file = variant(tmp_path, deposits, without=("jetM",), added={"jet_Energy": vectors(energy)})
    found, expected = (ak.to_numpy(ak.flatten(f.read(0, EVENTS, ["jets"]).jets["mass"])) for f in (file, plain))
    np.testing.assert_allclose(found, expected, rtol=2e-2)


def test_the_tree_of_the_older_analyzer_is_found(tmp_path, deposits, plain):
    file = variant(tmp_path, deposits, tree="recHitAnalyzer/RHTree")
    assert ak.array_equal(file.read(0, EVENTS, ["ecal", "jets"]), plain.read(0, EVENTS, ["ecal", "jets"]))


def test_run_3_files_have_a_fourth_pixel_layer(tmp_path, deposits):
    image = np.zeros(100_800, np.float32)
    image[140 * 360 + 10] = 3
    file = variant(tmp_path, deposits, added={"BPIX_layer4_ECAL_atPV": [image] * EVENTS})
    assert "hits.BPIX4" not in file.missing
    hits = file.read(0, EVENTS, ["hits"]).hits
    found = hits[hits.channel == int(Channel.BPIX4)]
    assert ak.num(found).tolist() == [3] * EVENTS
    # Row 140, column 10: the crystal just above η = 0 from φ = 0° to 1°, on the layer's radius of 16 cm.
    np.testing.assert_allclose(ak.to_numpy(ak.flatten(np.arctan2(found.y, found.x))), np.radians(0.5), atol=1e-6)
    np.testing.assert_allclose(ak.to_numpy(ak.flatten(np.hypot(found.x, found.y))), 16.0, rtol=1e-6)


def test_charge_is_never_read_from_the_branch_that_holds_pt(tmp_path, deposits):
    image = deposits.branches["ECAL_tracksPt_atECALfixIP"]
    file = variant(tmp_path, deposits, added={"ECAL_tracksQPt_atECALfixIP": image})
    assert ak.all(file.read(0, EVENTS, ["tracks"]).tracks.charge == 0)
    assert "tracks.charge" in file.missing
    assert not any("QPt" in branch for branch in file.recognised.values())


def test_tracks_with_pt_alone_are_read_and_what_they_lack_is_named(tmp_path, deposits, plain):
    names = {"ECAL_tracksPt_atECALfixIP": "ECAL_tracksPt"}
    file = variant(tmp_path, deposits, renamed=names, without=("ECAL_tracksD",))
    found, expected = (f.read(0, EVENTS, ["tracks"]).tracks for f in (file, plain))
    assert ak.to_list(found.pt) == ak.to_list(expected.pt)
    assert ak.all(found.d0_sig == 0)
    assert file.missing.branches["tracks.dz_sig"] == "ECAL_tracksDzSig_atECALfixIP or ECAL_tracksz0sig_PV"


@pytest.mark.parametrize(
    ("branch", "label"), [("jetIsQuark", 1), ("jet_IsTau", 1), ("jet_IsEle", 0), ("jet_truthLabel", 15)]
)
def test_truth_labels_are_read_under_any_of_their_names(tmp_path, deposits, branch, label):
    file = variant(tmp_path, deposits, added={branch: vectors([[label, label]] * EVENTS)})
    assert ak.all(file.read(0, EVENTS, ["jets"]).jets.truth_label == label)


def test_the_tau_flag_of_top_files_is_no_truth_label(tmp_path, deposits):
    zeros = vectors([[0, 0]] * EVENTS)
    file = variant(tmp_path, deposits, added={"jet_IsTau": zeros, "seljet_genpart_pdgid": zeros})
    assert "jets.truth_label" in file.missing
    assert not any("seljet" in branch for branch in file.recognised.values())


def test_a_generator_record_without_mother_links_is_read_but_holds_no_decays(tmp_path, deposits):
    file = variant(tmp_path, deposits, without=("gen_mother",))
    assert file.missing.branches["gen.mother"] == "gen_mother"
    assert file.read(0, EVENTS, ["gen"]).gen.fields == ["pdg_id", "pt", "eta", "phi", "mass"]
    with pytest.raises(InputError, match=r"variant\.root: no truth for class 'top'.*--trust-sample-names"):
        truth_source(load_task("top").truth, "top", file)


def test_matched_taus_of_the_generator_are_no_generator_record(tmp_path, deposits):
    file = variant(tmp_path, deposits, without=("gen_phi", "gen_m", "gen_mother"))
    assert file.missing.branches["gen"] == "gen_phi"


def test_the_number_of_vertices_may_be_a_vector_of_one(tmp_path, deposits):
    file = variant(tmp_path, deposits, without=("nVtx",), added={"goodvertices": vectors([[3], [7], [], [12]])})
    assert file.read(0, EVENTS, ["pv"]).n_pv.tolist() == [3, 7, 0, 12]


def test_the_generators_weights_are_read_and_are_1_where_there_are_none(tmp_path, deposits, plain):
    file = variant(tmp_path, deposits, added={"genWeight": [0.25, -1.0, 3.5, 0.0]})
    assert file.recognised["id.gen_weight"] == "genWeight"
    assert file.read(0, EVENTS, ["id"]).gen_weight.tolist() == [0.25, -1.0, 3.5, 0.0]
    assert file.read(1, 3, ["id"]).gen_weight.tolist() == [-1.0, 3.5]
    assert plain.read(0, EVENTS, ["id"]).gen_weight.tolist() == [1.0] * EVENTS
    assert "id.gen_weight" not in plain.missing and "id.gen_weight" not in plain.recognised
    for source in (file, plain):
        assert source.read(0, EVENTS, ["id"]).gen_weight.type.content.primitive == "float64"


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, 1.0, np.nan, 1.0], "genWeight of entry 2 holds NaN or infinite values"),
        ([1.0, 1.0, 1.0, -np.inf], "genWeight of entry 3 holds NaN or infinite values"),
        (vectors([[1.0], [2.0], [], [1.0]]), "genWeight is no plain number an event"),
    ],
)
def test_weights_that_say_nothing_are_refused(tmp_path, deposits, weights, message):
    file = variant(tmp_path, deposits, added={"genWeight": weights})
    with pytest.raises(InputError, match=rf"variant\.root: {message}"):
        file.read(1, EVENTS, ["id"])


def changed(deposits, branch, entry, value, kind):
    """Branch ``branch`` as ``kind``, with ``value`` in ``entry``."""
    values = [np.array(each, kind) for each in deposits.branches[branch]]
    if values[entry].ndim == 0:
        values[entry] = np.array(value, kind)
        return np.array(values)
    values[entry][0] = value
    return values


@pytest.mark.parametrize(
    ("branch", "value", "kind", "message"),
    [
        ("runId", 2**32, "u8", "4294967296, no whole number from 0 to 4294967295"),
        ("runId", -1, "i8", "-1, no whole number from 0 to 4294967295"),
        ("lumiId", 2**33 + 5, "i8", "8589934597, no whole number"),
        ("eventId", -5, "i8", "-5, no whole number from 0 to 18446744073709551615"),
        ("eventId", 1.5, "f8", "1.5, no whole number from 0 to 9007199254740992"),
        # Single precision passes over event numbers from here on.
        ("eventId", 2.0**25, "f4", "33554432.0, no whole number from 0 to 16777216"),
        ("nVtx", -1, "i4", "-1, no whole number from 0 to 65535"),
        ("nVtx", 70_000, "i4", "70000, no whole number from 0 to 65535"),
        ("ecal_ieta", 100.5, "f4", "100.5, no whole number"),
        ("hcal_iphi", 3.25, "f8", "3.25, no whole number"),
        ("hit_layer", 1.5, "f4", "1.5, no whole number"),
        ("jetSeed_ieta", 20.5, "f4", "20.5, no whole number"),
        ("gen_pdgId", 2**31, "i8", "2147483648, no whole number"),
        ("gen_mother", 0.5, "f4", "0.5, no whole number"),
    ],
)
def test_numbers_that_their_type_does_not_hold_are_refused_by_branch_and_entry(
    tmp_path, deposits, branch, value, kind, message
):
    branches = deposits.branches | {branch: changed(deposits, branch, 2, value, kind)}
    file = written(tmp_path / "odd.root", branches)
    collections = ["id", "pv", "hits", "ecal", "hcal", "jets", "gen"]
    with pytest.raises(InputError, match=rf"odd\.root: {branch} of entry 2 is {re.escape(message)}"):
        file.read(1, EVENTS, collections)
    file.read(0, 2, collections)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1.0], [2.0], [3.0], [4.0]], "eventId is no plain number an event"),
        (np.array([1.0, 2.0, np.nan, 4.0]), "eventId of entry 2 holds NaN or infinite values"),
        (np.array([1.0, 2.0, np.inf, 4.0]), "eventId of entry 2 holds NaN or infinite values"),
    ],
)
def test_event_numbers_that_are_none_are_refused(tmp_path, deposits, values, message):
    given = values if isinstance(values, np.ndarray) else vectors(values)
    with pytest.raises(InputError, match=message):
        written(tmp_path / "odd.root", deposits.branches | {"eventId": given}).read(0, EVENTS, ["id"])


def test_the_largest_numbers_that_a_type_holds_are_read(tmp_path, deposits):
    largest = {"runId": 2**32 - 1, "lumiId": 2**32 - 1, "eventId": 2**64 - 1}
    branches = deposits.branches | {name: np.full(EVENTS, value, np.uint64) for name, value in largest.items()}
    events = written(tmp_path / "large.root", branches).read(0, EVENTS, ["id"])
    assert [int(events[name][0]) for name in ("run", "lumi", "event")] == list(largest.values())


def test_an_event_without_vertices_has_the_origin_for_one(tmp_path, deposits):
    without = {name: vectors([[], [1.0], [2.0, 3.0], [4.0]]) for name in ("Vtx_x", "Vtx_y", "Vtx_z")}
    pv = variant(tmp_path, deposits, added=without).read(0, EVENTS, ["pv"]).pv
    assert pv.z.tolist() == [0.0, 1.0, 2.0, 4.0]


def test_ecal_without_times_says_so(tmp_path, deposits):
    file = variant(tmp_path, deposits, without=("EB_time",))
    assert file.missing.branches["ecal.time"] == "ecal_time or EB_time"
    assert ak.all(file.read(0, EVENTS, ["ecal"]).ecal.time == 0)


def test_endcap_energies_are_read_as_stored(tmp_path, deposits, plain):
    ecal = plain.read(0, EVENTS, ["ecal"]).ecal
    endcap = ecal[(ecal.ieta < 55) | (ecal.ieta >= 225)]
    image = np.stack(deposits.branches["ECAL_energy"]).reshape(EVENTS, 280, 360)
    image[:, 55:225] = 0
    assert ak.count(endcap.energy) == np.count_nonzero(image) > 0
    np.testing.assert_allclose(ak.sum(endcap.energy, axis=1), image.sum(axis=(1, 2)), rtol=1e-5)


@pytest.mark.parametrize(
    ("branch", "value", "message"),
    [
        ("jetSeed_iphi", 72, r"jetSeed_iphi of entry 1 is outside 0…71"),
        ("jetSeed_ieta", -1, r"jetSeed_ieta of entry 1 is outside 0…55"),
    ],
)
def test_seeds_outside_the_detector_are_refused(tmp_path, deposits, branch, value, message):
    changed = [np.array(v) for v in deposits.branches[branch]]
    changed[1][0] = value
    file = variant(tmp_path, deposits, added={branch: changed})
    with pytest.raises(InputError, match=r"variant\.root: " + message):
        file.read(0, EVENTS, ["jets"])


@pytest.mark.parametrize("value", [0.5, -1.0, 1e30])
def test_images_of_hits_must_hold_numbers_of_hits(tmp_path, deposits, value):
    changed = [np.array(v) for v in deposits.branches["BPIX_layer1_ECAL_atPV"]]
    changed[2][50_000] = value
    file = variant(tmp_path, deposits, added={"BPIX_layer1_ECAL_atPV": changed})
    with pytest.raises(InputError, match="BPIX_layer1_ECAL_atPV of entry 2 holds values that are no numbers of hits"):
        file.read(0, EVENTS, ["hits"])


def test_every_alternative_is_found_under_its_own_name():
    native = {"jet_Pt", "jet_Eta", "jet_M", "jetSeed_ieta", "jetSeed_iphi", "runId", "lumiId", "eventId"}
    found = find_branches(native | {"ECAL_tracksPt_atECALfixIPfromPV", "EB_energy", "HBHE_energy_EB"})
    assert found.used["jets.pt"] == "jet_Pt"
    assert found.used["tracks.pt"] == "ECAL_tracksPt_atECALfixIPfromPV"
    assert (found.ecal_image, found.hcal_image) == ("EB_energy", "HBHE_energy_EB")
    assert {"hits", "gen"} <= set(found.missing) and not {"id", "jets", "tracks"} & set(found.missing)
