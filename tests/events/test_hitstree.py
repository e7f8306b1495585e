"""Files of Open Data record 12220: tracks carried to the ECAL, hits by layer, jets and particles of the generator."""

import math

import awkward as ak
import numpy as np
import pytest
import uproot

from e2egraph.detector import geometry
from e2egraph.detector.channels import Channel
from e2egraph.errors import InputError
from e2egraph.events.sources.hitstree import HitsTreeFile, at_ecal, helices_of
from e2egraph.events.sources.registry import open_source
from tests import hitstree_files

EVENTS = 6


@pytest.fixture(scope="module")
def branches():
    return hitstree_files.random_branches(EVENTS)


@pytest.fixture(scope="module")
def file(tmp_path_factory, branches):
    return open_source(hitstree_files.write(tmp_path_factory.mktemp("hits") / "hits.root", branches))


def flat(array):
    return ak.to_numpy(ak.flatten(array)).astype(float)


def test_the_test_file_has_the_doubled_name_of_the_real_ones(file):
    with uproot.open(file.path) as root:
        names = [branch.name for branch in root["hits_tree"].branches]
    assert names.count("genpart_px") == 2 and "genpart_pz" not in names


def test_pz_is_read_from_the_second_branch_of_that_name(file, branches):
    gen = file.read(0, EVENTS, ["gen"]).gen
    px, py, pz, energy = (np.concatenate(branches[f"genpart_{n}"]).astype(float) for n in ("px", "py", "pz", "energy"))
    np.testing.assert_allclose(flat(gen.pt * np.sinh(gen.eta)), pz, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(flat(gen.phi), np.arctan2(py, px), rtol=1e-5, atol=1e-6)
    mass = np.sqrt(np.maximum(energy**2 - px**2 - py**2 - pz**2, 0))
    np.testing.assert_allclose(flat(gen.mass), mass, rtol=1e-3, atol=1e-2)


def test_a_file_with_the_name_mended_reads_the_same(tmp_path, file, branches):
    corrected = HitsTreeFile(hitstree_files.write(tmp_path / "corrected.root", branches, corrected=True))
    assert ak.array_equal(corrected.read(0, EVENTS, ["gen", "id"]), file.read(0, EVENTS, ["gen", "id"]))


def one_track(**given):
    base = {"x": 0.0, "y": 0.0, "z": 0.0, "eta": 0.7, "phi": 1.0, "pt": 1e6, "charge": 1.0}
    return helices_of({name: np.array([value]) for name, value in (base | given).items()})


def test_a_straight_track_keeps_its_direction_from_the_beam_line():
    eta, phi = at_ecal(one_track())
    np.testing.assert_allclose((eta[0], phi[0]), (0.7, 1.0), atol=1e-5)


@pytest.mark.parametrize("charge", [1.0, -1.0])
def test_a_track_bends_as_the_field_says(charge):
    """Geometry of a circle: a track of radius R through the origin meets radius r turned by asin(r / 2R)."""
    radius = 2.0 / (0.003 * 3.8)
    turn = math.asin(129.0 / (2 * radius))
    eta, phi = at_ecal(one_track(z=2.0, eta=0.3, phi=-3.0, pt=2.0, charge=charge))
    assert geometry.delta_phi(phi[0], -3.0 - charge * turn) == pytest.approx(0, abs=2e-3)
    assert math.sinh(eta[0]) * 129.0 == pytest.approx(2.0 + 2 * radius * turn * math.sinh(0.3), rel=1e-3)


def test_a_forward_track_arrives_at_the_endcap():
    eta, _ = at_ecal(one_track(z=10.0, eta=2.2, phi=0.0))
    assert eta[0] == pytest.approx(math.asinh(315.4 / ((315.4 - 10.0) / math.sinh(2.2))), rel=1e-5)


def test_tracks_that_spiral_in_the_tracker_are_left_out(file, branches):
    tracks = file.read(0, EVENTS, ["tracks"]).tracks
    radius = np.concatenate(branches["track_pt"]) / (0.003 * 3.8)
    # The farthest point of a circle through the beam line is its diameter away; endcap tracks may arrive still.
    barrel = np.abs(np.concatenate(branches["track_eta"])) < 0.5
    stuck = int((barrel & (2 * radius < 125)).sum())
    assert 0 < stuck <= len(radius) - ak.count(tracks.pt)


def test_impact_parameters_are_small_to_the_vertex_that_the_tracks_come_from(file):
    """Tracks of the files pass their vertex within their errors; straight to within 30 µm."""
    tracks = file.read(0, EVENTS, ["tracks"]).tracks
    pulls = np.concatenate([flat(tracks.d0_sig), flat(tracks.dz_sig)])
    assert np.abs(pulls).mean() < 1.6 and np.abs(flat(tracks.d0)).max() < 0.05
    np.testing.assert_allclose(flat(tracks.dz_sig), flat(tracks.dz / tracks.dz_err), rtol=1e-5)


def test_a_displaced_track_has_the_sign_of_minus_dxy(tmp_path, branches):
    changed = {name: [np.array(v) for v in values] for name, values in branches.items()}
    phi = float(changed["track_phi"][0][0])
    changed["track_pt"][0][0] = 100.0
    changed["track_vx"][0][0] -= 0.3 * math.sin(phi)
    changed["track_vy"][0][0] += 0.3 * math.cos(phi)
    track = HitsTreeFile(hitstree_files.write(tmp_path / "a.root", changed)).read(0, 1, ["tracks"]).tracks[0]
    assert track.d0[np.argmax(track.pt)] == pytest.approx(-0.3, abs=0.05)


def test_the_vertex_is_found_where_the_tracks_were_made(file):
    read = file.read(0, EVENTS, ["pv"])
    made = [hitstree_files.vertex(number) for number in range(EVENTS)]
    assert read.n_pv.tolist() == [1] * EVENTS
    np.testing.assert_allclose(np.stack([read.pv.x, read.pv.y, read.pv.z], axis=1), made, atol=0.01)


def test_hits_get_their_layers_channel_and_the_vertex_for_origin(file, branches):
    read = file.read(0, EVENTS, ["hits", "pv"])
    for event in range(EVENTS):
        subdetector, layer = (branches[f"hit_{name}"][event] for name in ("sub_det", "layer"))
        for channel, key in {Channel.BPIX4: (1, 4), Channel.TIB2: (3, 2), Channel.TOB1: (5, 1)}.items():
            here = (subdetector == key[0]) & (layer == key[1])
            found = read.hits[event][read.hits[event].channel == int(channel)]
            for axis in "xyz":
                expected = branches[f"hit_global_{axis}"][event][here] - read.pv[axis][event]
                np.testing.assert_allclose(ak.to_numpy(found[axis]), expected, atol=1e-5)


def test_an_event_with_too_few_tracks_keeps_the_detectors_centre(tmp_path, branches):
    few = {name: [v[:2] if name.startswith("track_") else v for v in values] for name, values in branches.items()}
    read = HitsTreeFile(hitstree_files.write(tmp_path / "few.root", few)).read(0, EVENTS, ["pv", "hits"])
    assert read.n_pv.tolist() == [0] * EVENTS and not ak.any(read.pv.z)


def test_jets_are_the_generators_and_their_seed_lies_under_the_axis(file, branches):
    jets = file.read(0, EVENTS, ["jets"]).jets
    assert ak.num(jets).tolist() == [len(v) for v in branches["genjet_px"]]
    eta, phi = flat(jets.eta), flat(jets.phi)
    for i in range(len(eta)):
        row = min(max(math.floor(eta[i] / 0.087) + 28, 0), 55)
        column = math.floor((math.degrees(phi[i]) + 10) % 360 / 5)
        assert (flat(jets.seed_ieta)[i], flat(jets.seed_iphi)[i]) == (row, column)


def test_event_numbers_follow_the_event_and_not_the_file(tmp_path, file, branches):
    numbers = file.read(0, EVENTS, ["id"]).event.tolist()
    assert len(set(numbers)) == EVENTS
    last = {name: values[-2:] for name, values in branches.items()}
    other = HitsTreeFile(hitstree_files.write(tmp_path / "other.root", last))
    assert other.read(0, 2, ["id"]).event.tolist() == numbers[-2:]


def test_every_event_counts_alike(file):
    assert file.read(0, EVENTS, ["id"]).gen_weight.tolist() == [1.0] * EVENTS


def test_what_the_record_lacks_is_named(file):
    assert {"ecal", "hcal", "gen.mother", "jets.truth_label"} <= set(file.missing.branches)
    with pytest.raises(InputError, match=r"hits\.root: no branch for ecal \(looked for calorimeter"):
        file.read(0, 1, ["ecal"])
    assert file.recognised["gen.pz"] == "genpart_px"


def test_a_missing_branch_is_named(tmp_path, branches):
    poor = HitsTreeFile(hitstree_files.write(tmp_path / "poor.root", branches, without=("track_dszerr", "genpart_pz")))
    assert poor.missing.branches["tracks"] == "track_dszerr"
    assert poor.missing.branches["gen"] == "genpart_px (the second)"
    with pytest.raises(InputError, match=r"poor\.root: no branch for tracks \(looked for track_dszerr\)"):
        poor.read(0, 1, ["tracks"])


def test_nan_and_ragged_vectors_are_refused(tmp_path, branches):
    for name, change, message in (
        ("hit_global_x", lambda v: v * np.float32(np.nan), "hit_global_x of entry 2 holds NaN"),
        ("genjet_py", lambda v: v[1:], "genjet_py and genjet_px differ in length"),
    ):
        values = list(branches[name])
        values[2] = change(values[2])
        bad = HitsTreeFile(hitstree_files.write(tmp_path / "bad.root", {**branches, name: values}))
        with pytest.raises(InputError, match=r"bad\.root: " + message):
            bad.read(0, EVENTS, ["hits", "jets"])
