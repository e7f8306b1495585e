"""Files of jet images become points, from which every non-zero pixel of every plane can be put back."""

import gzip

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from e2egraph.config import configs_folder
from e2egraph.detector.channels import Channel, channels
from e2egraph.errors import InputError, UsageError
from e2egraph.events.sources.images.pixelnodes import tower_energy
from e2egraph.events.sources.registry import image_options, open_source
from tests import image_files
from tests.image_files import BOOSTED_TOP

JETS = 7
TAU = ("track_pt", "track_dz_sig", "track_d0_sig", "ECAL", "HCAL", "BPIX1", "BPIX2", "BPIX3", "BPIX4", "TIB1", "TIB2",
       "TOB1", "TOB2")  # fmt: skip
TRACK_VARIABLES = {"track_pt": "value", "track_d0": "d0", "track_dz": "dz", "track_d0_sig": "d0_sig",
                   "track_dz_sig": "dz_sig"}  # fmt: skip


def put_back(points, planes, size=125):
    """The images of ``points``, pixel by pixel, without the package's rasteriser."""
    made = np.zeros((len(points.counts), len(planes), size, size), np.float32)
    jet = np.repeat(np.arange(len(points.counts)), points.counts)
    row, column = points.rows + (size - 1) // 2, points.columns + (size - 1) // 2
    for i, name in enumerate(planes):
        channel = {"ECAL_time": "ECAL"}.get(name, name if name not in TRACK_VARIABLES else "TRACK")
        here = points.channel == channels()[channel]
        values = points.variables[{"ECAL_time": "time"}.get(name, TRACK_VARIABLES.get(name, "value"))][here]
        at = (jet[here], row[here], column[here])
        if channel in ("TRACK", "ECAL"):
            made[at[0], i, at[1], at[2]] = values
        elif channel == "HCAL":
            for j, r, c, energy in zip(*at, values, strict=True):
                made[j, i, r - 2 : r + 3, c - 2 : c + 3] = energy / np.float32(25)
        else:
            np.add.at(made, (at[0], i, at[1], at[2]), values)
    return made


@pytest.fixture(scope="module")
def pixels():
    return image_files.images(JETS, BOOSTED_TOP)


@pytest.fixture(scope="module")
def columns():
    return image_files.quantities(JETS)


def boosted_top(path):
    return open_source(path, image_options(None, "boosted-top"))


@pytest.mark.parametrize("options", [{}, {"row_group_size": 3}, {"row_group_size": 1000, "compression": "zstd"}])
def test_flat_parquet_comes_back_exactly(tmp_path, pixels, columns, options):
    file = boosted_top(image_files.write_parquet(tmp_path / "a.parquet", pixels, columns, flat=True, **options))
    assert file.n_jets == JETS
    np.testing.assert_array_equal(put_back(file.read(0, JETS), BOOSTED_TOP), pixels)


def test_nested_doubles_in_parquet_come_back_exactly(tmp_path):
    pixels = image_files.images(3, TAU, seed=2)
    path = image_files.write_parquet(tmp_path / "a.parquet", pixels, {"am": np.ones(3)}, flat=False, name="X_jet")
    file = open_source(path, image_options(None, "tau"))
    np.testing.assert_array_equal(put_back(file.read(0, 3), TAU), pixels)


@pytest.mark.parametrize(
    ("name", "last", "preset", "planes"),
    [("all_jet", False, "tau", TAU), ("X_jets", True, "quark-gluon-tracks-first", ("track_pt", "ECAL", "HCAL"))],
)
def test_hdf5_comes_back_exactly(tmp_path, name, last, preset, planes):
    pixels = image_files.images(4, planes, seed=3)
    path = image_files.write_hdf5(tmp_path / "a.h5", pixels, {}, name=name, last=last, compression="lzf")
    file = open_source(path, image_options(None, preset))
    np.testing.assert_array_equal(put_back(file.read(0, 4), planes), pixels)


def test_crops_of_photons_and_electrons_keep_energy_and_time(tmp_path):
    planes = ("ECAL", "ECAL_time")
    pixels = image_files.images(5, planes, size=32)
    pixels[:, 0, 15, 15] = 50.0
    path = image_files.write_hdf5(tmp_path / "a.hdf5", pixels, {"y": np.arange(5) % 2}, name="X", last=True)
    file = open_source(path, image_options(None, "egamma"))
    points = file.read(0, 5)
    np.testing.assert_array_equal(put_back(points, planes, size=32), pixels)
    assert points.jets["truth_label"].tolist() == [0, 1, 0, 1, 0]
    assert (points.rows.min(), points.rows.max()) == (-15, 16)


@pytest.mark.parametrize("compressed", [True, False])
def test_tfrecords_written_by_another_library_come_back_exactly(tmp_path, pixels, columns, compressed):
    path = image_files.write_tfrecord(tmp_path / "a.tfrecord", pixels, columns, compressed=compressed)
    file = boosted_top(path)
    assert file.n_jets == JETS
    points = file.read(0, JETS)
    np.testing.assert_array_equal(put_back(points, BOOSTED_TOP), pixels)
    np.testing.assert_array_equal(points.jets["jet_pt"], columns["pt"])


def test_all_formats_give_the_same_jets_and_event_numbers(tmp_path, pixels, columns):
    files = [
        boosted_top(image_files.write_parquet(tmp_path / "a.parquet", pixels, columns, flat=True)),
        boosted_top(image_files.write_parquet(tmp_path / "b.parquet", pixels, columns, flat=False)),
        boosted_top(image_files.write_hdf5(tmp_path / "a.h5", pixels, columns, name="X_jets", last=True)),
        boosted_top(image_files.write_tfrecord(tmp_path / "a.tfrecord", pixels, columns)),
    ]
    first, *others = (file.read(0, JETS) for file in files)
    assert len(set(first.jets["event"].tolist())) == JETS
    for other in others:
        assert first.jets.keys() == other.jets.keys()
        for name, values in first.jets.items():
            np.testing.assert_array_equal(values, other.jets[name])
        for name, values in first.variables.items():
            np.testing.assert_array_equal(values, other.variables[name])


@pytest.mark.parametrize("write", ["parquet", "tfrecord"])
def test_reading_in_any_parts_gives_the_same_points(tmp_path, pixels, columns, write, monkeypatch):
    monkeypatch.setattr("e2egraph.events.sources.images.parquet.JETS_PER_STEP", 2)
    monkeypatch.setattr("e2egraph.events.sources.images.tfrecord.JETS_PER_STEP", 2)
    if write == "parquet":
        path = image_files.write_parquet(tmp_path / "a.parquet", pixels, columns, flat=True, row_group_size=4)
    else:
        path = image_files.write_tfrecord(tmp_path / "a.tfrecord", pixels, columns)
    file = boosted_top(path)
    for start, stop in ((0, 3), (3, 6), (6, 7), (2, 5), (0, 7), (5, 5)):
        points = file.read(start, stop)
        np.testing.assert_array_equal(put_back(points, BOOSTED_TOP), pixels[start:stop])
        np.testing.assert_array_equal(points.jets["jet_mass"], columns["m0"][start:stop])


def test_one_node_a_pixel_one_a_tower_and_one_a_hit(tmp_path, pixels, columns):
    file = boosted_top(image_files.write_parquet(tmp_path / "a.parquet", pixels, columns, flat=True))
    points = file.read(0, 1)
    expected = {
        Channel.TRACK: (pixels[0, :3] != 0).any(axis=0).sum(),
        Channel.ECAL: (pixels[0, 3] != 0).sum(),
        Channel.HCAL: (pixels[0, 4] != 0).sum() / 25,
        Channel.BPIX2: pixels[0, 6].sum(),
    }
    assert {channel: int((points.channel == channel).sum()) for channel in expected} == expected


def test_planes_without_tracks_pt_keep_their_signed_impact_parameters(tmp_path):
    pixels = np.zeros((1, 3, 125, 125), np.float32)
    pixels[0, 1, 60, 61] = -3.5
    path = image_files.write_parquet(tmp_path / "a.parquet", pixels, {}, flat=False)
    file = open_source(path, image_options("track_pt,track_d0_sig,track_dz", None))
    points = file.read(0, 1)
    assert points.variables["d0_sig"].tolist() == [-3.5]
    assert (points.rows.tolist(), points.columns.tolist()) == ([-2], [-1])


def test_every_float32_tower_has_its_energy_back_from_its_share():
    rng = np.random.default_rng(0)
    energy = np.exp(rng.uniform(-20, 8, 200_000)).astype(np.float32)
    for share in (energy / np.float32(25), energy.astype(np.float64) / 25):
        found = tower_energy(share.astype(np.float64))
        np.testing.assert_array_equal(found / np.float32(25), share.astype(np.float32))


def test_seeds_give_the_axis_where_the_file_has_none(tmp_path, pixels):
    seeds = {"ieta": np.full(JETS, 30.0), "iphi": np.full(JETS, 0.0)}
    file = boosted_top(image_files.write_parquet(tmp_path / "a.parquet", pixels, seeds, flat=True))
    jets = file.read_jets(0, JETS)
    # Tower row 30 is centred 2.5 towers of 0.087 above η = 0; column 0 covers −10° to −5°.
    np.testing.assert_allclose(jets["jet_eta"], 2.5 * 0.087, rtol=1e-6)
    np.testing.assert_allclose(jets["jet_phi"], np.radians(-7.5), rtol=1e-6)
    assert "jets.eta" not in file.missing and "jets.pt" in file.missing


def test_what_images_cannot_tell_is_missing_and_what_they_do_is_named(tmp_path, pixels, columns):
    file = boosted_top(image_files.write_parquet(tmp_path / "a.parquet", pixels, columns, flat=True))
    assert {"gen", "jets.eta", "jets.seed_iphi", "hits.BPIX4", "tracks.d0", "tracks.charge", "ecal.time"} <= set(
        file.missing.branches
    )
    assert {"jet_pt": "pt", "truth_label": "y", "ECAL": "X_jets[3]"}.items() <= file.recognised.items()


# What the user must say.


def test_images_without_named_channels_are_refused(tmp_path, pixels, columns):
    path = image_files.write_parquet(tmp_path / "a.parquet", pixels, columns, flat=True)
    with pytest.raises(InputError, match=r"a\.parquet: holds images.*--image-channels.*--image-preset"):
        open_source(path)


@pytest.mark.parametrize(
    ("channels", "preset", "message"),
    [
        ("track_pt,ECAL", "tau", "give one of them"),
        ("track_pt,EKAL", None, "unknown image channels EKAL"),
        ("ECAL,ECAL", None, "different names"),
        (None, "atlas", "unknown image 'atlas'; choose one of boosted-top"),
    ],
)
def test_wrong_image_options_are_usage_errors(channels, preset, message):
    with pytest.raises(UsageError, match=message):
        image_options(channels, preset)


def test_an_ignored_plane_makes_no_nodes(tmp_path, pixels, columns):
    path = image_files.write_parquet(tmp_path / "a.parquet", pixels, columns, flat=True)
    names = ",".join(("track_pt", "ignore", "ignore", "ECAL", "HCAL", "BPIX1", "BPIX2", "ignore"))
    points = open_source(path, image_options(names, None)).read(0, JETS)
    assert not np.isin(points.channel, [Channel.BPIX3]).any()
    assert not points.variables["d0_sig"].any()


def test_the_order_of_planes_is_taken_as_given(tmp_path):
    planes = ("track_pt", "track_d0_sig", "track_dz_sig", "ECAL", "HCAL", "BPIX1", "BPIX2", "BPIX3")
    pixels = image_files.images(2, planes)
    path = image_files.write_parquet(tmp_path / "a.parquet", pixels, {}, flat=False)
    swapped = open_source(path, image_options(None, "topgun"))
    given = open_source(path, image_options(None, "boosted-top"))
    np.testing.assert_array_equal(swapped.read(0, 2).variables["d0_sig"], given.read(0, 2).variables["dz_sig"])


def test_pt_of_topgun_files_is_the_jets_and_m_the_generated_tops(tmp_path):
    given = {"m": np.float32([170, 180]), "pt": np.float32([450, 500])}
    pixels = image_files.images(2, BOOSTED_TOP)
    path = image_files.write_parquet(tmp_path / "a.parquet", pixels, given, flat=False)
    preset = yaml.safe_load((configs_folder() / "images" / "topgun.yaml").read_text())
    also = tmp_path / "generated.yaml"
    also.write_text(yaml.safe_dump({**preset, "columns": {"gen_pt": "pt"}}))
    for name, expected in (("topgun", {"jet_pt", "gen_mass"}), (str(also), {"jet_pt", "gen_mass", "gen_pt"})):
        jets = open_source(path, image_options(None, name)).read_jets(0, 2)
        assert {"jet_pt", "gen_mass", "gen_pt"} & set(jets) == expected
        for quantity in expected:
            np.testing.assert_array_equal(jets[quantity], given["m" if quantity == "gen_mass" else "pt"])


# Bad input.


def _broken(pixels, change):
    broken = pixels.copy()
    change(broken)
    return broken


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.__setitem__((5, 3, 7, 7), np.nan), r"plane ECAL of image 5 holds NaN"),
        (lambda p: p.__setitem__((5, 0, 7, 7), np.inf), r"plane track_pt of image 5 holds NaN or inf"),
        (lambda p: p.__setitem__((2, 5, 7, 7), 0.5), r"plane BPIX1 of image 2 holds 0\.5, which is no number of hits"),
        (lambda p: p.__setitem__((2, 5, 7, 7), -1), r"plane BPIX1 of image 2 holds -1"),
        (lambda p: p.__setitem__((2, 5, 7, 7), 1e30), r"plane BPIX1 of image 2 holds 1e\+30"),
        (lambda p: p.__setitem__((6, 4, 7, 7), 3.0), r"plane HCAL of image 6 is not constant over its towers"),
    ],
)
def test_pixels_that_cannot_be_are_refused_naming_file_plane_and_jet(tmp_path, pixels, columns, change, message):
    path = image_files.write_parquet(tmp_path / "bad.parquet", _broken(pixels, change), columns, flat=True)
    with pytest.raises(InputError, match=r"bad\.parquet: " + message):
        boosted_top(path).read(0, JETS)


def _parquet(path, columns):
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"X_jets": [[1.0] * 120_000] * 2}, r"images of shape \(120000,\), expected 125×125 pixels in each of 8"),
        ({"X_jets": [[0.0] * 125_000, [0.0] * 124_999]}, "rows of different lengths"),
        ({"X_jets": [[0.0] * 125_000, None]}, "empty entries"),
        ({"X_jets": [["a"] * 8]}, "holds string and no numbers"),
        ({"pixels": [[0.0]]}, r"no image column X_jets, X_jet, X, all_jet \(found pixels\)"),
        ({"X_jets": [[0.0] * 125_000], "pt": [float("nan")]}, "pt of image 0 is NaN"),
        ({"X_jets": [[0.0] * 125_000], "pt": ["high"]}, "pt holds string"),
        ({"X_jets": [[0.0] * 125_000], "y": [0.5]}, r"y of image 0 is 0\.5, no whole number"),
        (
            {"X_jets": [[0.0] * 125_000], "ieta": [150], "iphi": [3]},
            "ieta of image 0 is 150, no whole number from 0 to 55",
        ),
        ({"X_jets": [[0.0] * 125_000], "ieta": [20.5], "iphi": [3]}, r"ieta of image 0 is 20\.5, no whole number"),
        ({"X_jets": [[0.0] * 125_000], "runId": [2**32]}, "runId of image 0 is 4294967296, no whole number from 0 to"),
        ({"X_jets": [[0.0] * 125_000], "eventId": [-1]}, "eventId of image 0 is -1, no whole number from 0 to"),
        ({"X_jets": [[0.0] * 125_000], "pt": [1e39]}, r"pt of image 0 is 1e\+39, beyond single precision"),
    ],
)
def test_columns_that_cannot_be_are_refused(tmp_path, columns, message):
    path = _parquet(tmp_path / "bad.parquet", columns)
    with pytest.raises(InputError, match=r"bad\.parquet: .*" + message):
        boosted_top(path).read(0, 1)


def test_a_column_of_hdf5_without_values_is_refused(tmp_path, pixels):
    path = image_files.write_hdf5(tmp_path / "bad.h5", pixels, {}, name="X_jets", last=True)
    with h5py.File(path, "a") as file:
        file.create_dataset("pt", data=h5py.Empty("f4"))
    with pytest.raises(InputError, match=r"bad\.h5: pt has shape None, expected one number for each of"):
        boosted_top(path).read(0, 1)


def test_truncated_files_are_refused(tmp_path, pixels, columns):
    paths = [
        image_files.write_parquet(tmp_path / "cut.parquet", pixels, columns, flat=True),
        image_files.write_hdf5(tmp_path / "cut.h5", pixels, columns, name="X_jets", last=True),
        image_files.write_tfrecord(tmp_path / "cut.tfrecord.gz", pixels, columns),
        image_files.write_tfrecord(tmp_path / "cut.tfrecord", pixels, columns, compressed=False),
    ]
    for path in paths:
        content = path.read_bytes()
        for share in (0.1, 0.6, 0.999):
            path.write_bytes(content[: int(len(content) * share)])
            with pytest.raises(InputError, match=path.name):
                file = boosted_top(path)
                file.read(0, JETS)
                assert file.n_jets == JETS


def test_a_flipped_bit_in_a_tfrecord_is_found_by_its_checksum(tmp_path, pixels, columns):
    path = image_files.write_tfrecord(tmp_path / "a.tfrecord", pixels, columns, compressed=False)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"record 3 fails its checksum"):
        boosted_top(path).read(0, JETS)
    path.write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(InputError, match=r"record 3 fails its checksum"):
        boosted_top(path).read(0, JETS)


def test_hdf5_that_points_into_other_files_is_refused(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["X_jets"] = h5py.ExternalLink("/etc/passwd", "/X")
    with pytest.raises(InputError, match="X_jets links elsewhere"):
        boosted_top(path)
    with h5py.File(path, "w") as file:
        file.create_dataset("X_jets", (1, 8, 125, 125), "f4", external=[(str(tmp_path / "raw"), 0, 500_000)])
    with pytest.raises(InputError, match="X_jets is stored in other files"):
        boosted_top(path)


def test_no_jets_are_no_points(tmp_path):
    table = pa.table({"X_jets": pa.array([], pa.list_(pa.float32())), "pt": pa.array([], pa.float32())})
    pq.write_table(table, tmp_path / "none.parquet")
    file = boosted_top(tmp_path / "none.parquet")
    assert file.n_jets == 0
    assert len(file.read(0, 0).rows) == 0
