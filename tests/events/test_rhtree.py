"""Reading RHTree files: vectors and images give the same deposits, and damage is named."""

import awkward as ak
import numpy as np
import pytest
import uproot

from e2egraph.detector import geometry
from e2egraph.detector.channels import Channel
from e2egraph.errors import InputError
from e2egraph.events.sources.rhtree import RHTreeFile
from tests import rhtree_files

ALL = ["id", "pv", "tracks", "hits", "ecal", "hcal", "jets", "gen"]
EVENTS = 6


@pytest.fixture(scope="module")
def deposits():
    return rhtree_files.random_deposits(EVENTS, seed=3)


@pytest.fixture(scope="module")
def native(tmp_path_factory, deposits):
    return RHTreeFile(rhtree_files.write(tmp_path_factory.mktemp("native") / "native.root", deposits))


@pytest.fixture(scope="module")
def images(tmp_path_factory, deposits):
    path = tmp_path_factory.mktemp("images") / "images.root"
    return RHTreeFile(rhtree_files.write(path, deposits, without=rhtree_files.VECTOR_PREFIXES))


def test_every_vector_branch_reaches_its_field(native, deposits):
    events = native.read(0, EVENTS, ALL)
    for field, branch in (("pt", "track_pt"), ("d0_err", "track_d0Err"), ("charge", "track_charge")):
        assert ak.to_list(events.tracks[field]) == [list(map(float, v)) for v in deposits.branches[branch]]
    assert ak.to_list(events.ecal.time) == [list(map(float, v)) for v in deposits.branches["ecal_time"]]
    assert events.event.tolist() == deposits.branches["eventId"]
    assert ak.to_list(events.gen.mother) == [v.tolist() for v in deposits.branches["gen_mother"]]


def test_significances_are_value_over_error(native):
    tracks = native.read(0, EVENTS, ["tracks"]).tracks
    np.testing.assert_allclose(
        ak.to_numpy(ak.flatten(tracks.dz_sig)), ak.to_numpy(ak.flatten(tracks.dz / tracks.dz_err)), rtol=1e-6
    )


def test_barrel_hits_get_their_channel_and_forward_hits_none(native, deposits):
    hits = native.read(0, EVENTS, ["hits"]).hits
    for channel, (subdetector, layer) in {
        Channel.BPIX2: (1, 2), Channel.TIB1: (3, 1), Channel.TOB2: (5, 2),
    }.items():  # fmt: skip
        expected = [
            int(((s == subdetector) & (n == layer)).sum())
            for s, n in zip(deposits.branches["hit_sub_det"], deposits.branches["hit_layer"], strict=True)
        ]
        assert ak.sum(hits.channel == int(channel), axis=1).tolist() == expected
    assert ak.count(hits.x) == sum(len(v) for v in deposits.branches["hit_global_x"]) - EVENTS


def test_calorimeter_images_give_the_same_deposits_as_vectors(native, images):
    for collection in ("ecal", "hcal"):
        expected, found = (file.read(0, EVENTS, [collection])[collection] for file in (native, images))
        assert ak.to_list(found.ieta) == ak.to_list(expected.ieta)
        assert ak.to_list(found.iphi) == ak.to_list(expected.iphi)
        assert ak.to_list(found.energy) == ak.to_list(expected.energy)


def test_time_from_images_is_known_in_the_barrel_only(native, images):
    expected, found = (file.read(0, EVENTS, ["ecal"]).ecal for file in (native, images))
    barrel = (expected.ieta >= 55) & (expected.ieta < 225)
    assert ak.to_list(found.time[barrel]) == ak.to_list(expected.time[barrel])
    assert ak.all(found.time[~barrel] == 0)


def test_image_tracks_conserve_pt_and_sit_in_their_crystal(native, images):
    expected, found = (file.read(0, EVENTS, ["tracks"]).tracks for file in (native, images))
    inside = (expected.eta > -2.436) & (expected.eta < 2.436)
    np.testing.assert_allclose(ak.sum(found.pt, axis=1), ak.sum(expected.pt[inside], axis=1), rtol=1e-5)
    cells = {
        (int(r), int(c))
        for r, c in zip(
            geometry.ecal_row(ak.to_numpy(expected[0].eta)),
            geometry.ecal_column(ak.to_numpy(expected[0].phi)),
            strict=True,
        )
        if 0 <= r < 280
    }
    rows, columns = geometry.ecal_row(ak.to_numpy(found[0].eta)), geometry.ecal_column(ak.to_numpy(found[0].phi))
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == cells


def test_image_hits_are_as_many_and_point_to_the_same_crystals(native, images):
    def per_crystal(hits):
        x, y, z = (ak.to_numpy(hits[name]).astype(float) for name in "xyz")
        cells = [
            rhtree_files.cell(float(np.arcsinh(z[i] / np.hypot(x[i], y[i]))), float(np.arctan2(y[i], x[i])))
            for i in range(len(x))
        ]
        pairs = [(int(c), cell) for c, cell in zip(hits.channel, cells, strict=True) if cell is not None]
        return sorted(pairs)

    expected, found = (file.read(0, 1, ["hits"]).hits[0] for file in (native, images))
    assert per_crystal(found) == per_crystal(expected)


def test_reading_in_parts_gives_the_same_events(images, monkeypatch):
    whole = images.read(0, EVENTS, ["tracks", "ecal"])
    monkeypatch.setattr("e2egraph.events.sources.dense.EVENTS_PER_STEP", 4)
    assert ak.array_equal(images.read(0, EVENTS, ["tracks", "ecal"]), whole)
    assert ak.array_equal(images.read(2, 5, ["tracks", "ecal"]), whole[2:5])


def test_older_branch_names_of_the_track_images_are_read(tmp_path, deposits, images):
    older = rhtree_files.Deposits(dict(deposits.branches))
    for new, old in {"Pt": "Pt", "D0": "d0_PV", "Dz": "z0_PV", "D0Sig": "d0sig_PV", "DzSig": "z0sig_PV"}.items():
        older.branches[f"ECAL_tracks{old}"] = older.branches.pop(f"ECAL_tracks{new}_atECALfixIP")
    file = RHTreeFile(rhtree_files.write(tmp_path / "old.root", older, without=rhtree_files.VECTOR_PREFIXES))
    assert ak.array_equal(file.read(0, EVENTS, ["tracks"]), images.read(0, EVENTS, ["tracks"]))


def test_what_a_file_lacks_is_known_and_named(tmp_path, deposits):
    path = rhtree_files.write(tmp_path / "poor.root", deposits, without=("hcal_", "HBHE_", "gen_", "hit_"))
    file = RHTreeFile(path)
    assert {"hcal", "gen", "hits.BPIX4", "jets.truth_label"} <= set(file.missing.branches)
    assert "ecal" not in file.missing
    with pytest.raises(InputError, match=r"poor\.root: no branch for hcal .*HBHE_energy"):
        file.read(0, 1, ["hcal"])


def _with(deposits, branch, entry, change):
    values = [np.array(v) for v in deposits.branches[branch]]
    values[entry] = change(values[entry])
    return rhtree_files.Deposits({**deposits.branches, branch: values})


def _poison(values):
    values[len(values) // 2] = np.nan
    return values


@pytest.mark.parametrize(
    ("branch", "change", "without", "collection", "message"),
    [
        ("ecal_energy", _poison, (), "ecal", "ecal_energy of entry 2 holds NaN"),
        ("ECAL_energy", _poison, ("ecal_",), "ecal", "ECAL_energy of entry 2 holds NaN"),
        ("ECAL_energy", lambda v: v[1:], ("ecal_",), "ecal", "ECAL_energy of entry 2 holds 100799 values"),
        ("track_d0", lambda v: v[:-1], (), "tracks", "track_d0 and track_pt differ in length"),
    ],
)  # fmt: skip
def test_bad_values_are_refused_naming_file_branch_and_entry(
    tmp_path, deposits, branch, change, without, collection, message
):
    path = rhtree_files.write(tmp_path / "bad.root", _with(deposits, branch, 2, change), without=without)
    with pytest.raises(InputError, match=rf"bad\.root: {message}"):
        RHTreeFile(path).read(0, EVENTS, [collection])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.root: no such file"):
        RHTreeFile(tmp_path / "gone.root")


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", bytes(range(256)) * 40])
def test_a_file_that_is_not_root_is_refused(tmp_path, content):
    path = tmp_path / "page.root"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"page\.root: not a readable ROOT file"):
        RHTreeFile(path)


def test_another_tree_is_refused_naming_what_was_found(tmp_path, deposits):
    path = rhtree_files.write(tmp_path / "other.root", deposits, tree="hits_tree", without=rhtree_files.IMAGE_PREFIXES)
    with pytest.raises(InputError, match=r"no tree fevt/RHTree \(found hits_tree"):
        RHTreeFile(path)


def test_a_truncated_file_is_refused(tmp_path, deposits):
    path = rhtree_files.write(tmp_path / "cut.root", deposits)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"cut\.root"):
        RHTreeFile(path).read(0, EVENTS, ALL)


def test_uproot_itself_agrees_on_the_number_of_events(native):
    with uproot.open(native.path) as file:
        assert file["fevt/RHTree"].num_entries == native.n_events == EVENTS
