"""Image files → point clouds → images: what a network draws on its device is the file's image, bit for bit."""

import numpy as np
import pytest
import torch

from e2egraph.data.padding import pad
from e2egraph.detector.channels import channels
from e2egraph.errors import InputError
from e2egraph.events.sources.registry import image_options, open_source
from e2egraph.graphs.columns import JET_TYPES
from e2egraph.graphs.imagepoints import check_image_source, image_clouds, image_cuts, image_jets
from e2egraph.graphs.nodes import canonical_order
from e2egraph.models.image.rasterize import Rasterize
from e2egraph.tasks.task import Nodes, Selection, load_task
from tests import image_files
from tests.image_files import BOOSTED_TOP

JETS = 5
CHANNELS = ["TRACK", "BPIX1", "BPIX2", "BPIX3", "ECAL", "HCAL"]
TAU = ("track_pt", "track_dz_sig", "track_d0_sig", "ECAL", "HCAL", "BPIX1", "BPIX2", "BPIX3", "BPIX4", "TIB1", "TIB2",
       "TOB1", "TOB2")  # fmt: skip


def drawn(clouds, planes, impact="significance"):
    arrays = pad(clouds)
    names = tuple(name.removesuffix("_sig") for name in planes)
    with torch.no_grad():
        image = Rasterize(names, impact)(*(torch.from_numpy(a) for a in (arrays.points, arrays.features, arrays.mask)))
    return image.numpy()


def opened(tmp_path, pixels, planes, columns=None):
    columns = image_files.quantities(len(pixels)) if columns is None else columns
    path = image_files.write_parquet(tmp_path / "a.parquet", pixels, columns, flat=True)
    return open_source(path, image_options(",".join(planes), None))


def clouds_of(source, **options):
    points = source.read(0, source.n_jets)
    settings = {"channels": CHANNELS, "cap": 100_000, "suppress_displaced": False} | options
    return image_clouds(points, image_jets(points.jets), Nodes(**settings))


@pytest.mark.parametrize(
    ("planes", "channels"),
    [
        (BOOSTED_TOP, CHANNELS),
        (TAU, [*CHANNELS, "BPIX4", "TIB1", "TIB2", "TOB1", "TOB2"]),
        (("ECAL", "HCAL", "track_pt"), ["TRACK", "ECAL", "HCAL"]),
    ],
)
def test_image_to_points_to_image_is_the_identity(tmp_path, planes, channels):
    pixels = image_files.images(JETS, planes, seed=4)
    clouds, _ = clouds_of(opened(tmp_path, pixels, planes), channels=channels)
    np.testing.assert_array_equal(drawn(clouds, planes), pixels)


def test_impact_parameters_in_cm_come_back_as_such(tmp_path):
    planes = ("track_pt", "track_d0", "track_dz")
    pixels = image_files.images(JETS, planes, seed=5)
    clouds, _ = clouds_of(opened(tmp_path, pixels, planes), channels=["TRACK"])
    np.testing.assert_array_equal(drawn(clouds, planes, impact="mean"), pixels)


def test_nodes_stand_in_canonical_order_and_are_all_accounted_for(tmp_path):
    clouds, fates = clouds_of(opened(tmp_path, image_files.images(JETS, BOOSTED_TOP), BOOSTED_TOP), cap=300)
    order = canonical_order(clouds.jet_of_node, clouds.nodes)
    np.testing.assert_array_equal(order, np.arange(len(order)))
    assert fates["in_windows"] == sum(fates[name] for name in ("negative", "below_threshold", "over_cap", "kept"))
    assert clouds.counts.max() == 300 and fates["over_cap"] == clouds.jets["nodes_cut"].sum() > 0


def test_negative_energies_are_dropped_and_counted(tmp_path):
    pixels = image_files.images(JETS, BOOSTED_TOP)
    pixels[:, 3, 10, 10:14] = -0.5
    clouds, fates = clouds_of(opened(tmp_path, pixels, BOOSTED_TOP))
    assert fates["negative"] == 4 * JETS
    assert (clouds.nodes["value"] >= 0).all()


def test_a_threshold_applies_to_pixels_without_pt_as_well(tmp_path):
    pixels = np.zeros((1, 3, 125, 125), np.float32)
    pixels[0, 1, 60, 61] = -3.5
    source = opened(tmp_path, pixels, ("track_pt", "track_d0_sig", "track_dz_sig"), {})
    kept, _ = clouds_of(source, channels=["TRACK"])
    cut, fates = clouds_of(source, channels=["TRACK"], thresholds={"TRACK": 0.5})
    assert (len(kept.nodes["value"]), len(cut.nodes["value"]), fates["below_threshold"]) == (1, 0, 1)


def test_only_the_selected_jets_become_clouds(tmp_path):
    pixels = image_files.images(JETS, BOOSTED_TOP)
    points = opened(tmp_path, pixels, BOOSTED_TOP).read(0, JETS)
    jets = image_jets(points.jets).take(np.array([False, True, False, False, True]))
    clouds, _ = image_clouds(points, jets, Nodes(channels=CHANNELS, cap=100_000, suppress_displaced=False))
    np.testing.assert_array_equal(drawn(clouds, BOOSTED_TOP), pixels[[1, 4]])
    np.testing.assert_array_equal(clouds.jets["event"], points.jets["event"][[1, 4]])


def test_jets_carry_every_column_of_a_shard_that_needs_no_graph(tmp_path):
    source = opened(
        tmp_path, image_files.images(JETS, BOOSTED_TOP), BOOSTED_TOP, {"am": np.arange(JETS), "pt": [1.0] * JETS}
    )
    jets = image_jets(source.read(0, JETS).jets)
    assert set(JET_TYPES) - set(jets.columns) == {"label", "weight", "split", "n_nodes", "nodes_cut"}
    assert jets.columns["mass_target"].tolist() == [0, 1, 2, 3, 4]
    assert jets.columns["jet_mass"].tolist() == [0.0] * JETS


def test_cuts_apply_to_what_the_file_holds(tmp_path):
    source = opened(tmp_path, image_files.images(JETS, BOOSTED_TOP), BOOSTED_TOP)
    jets = image_jets(source.read_jets(0, JETS))
    cuts = image_cuts(jets, Selection(jet_pt_min=600), source.missing)
    assert list(cuts) == ["pt"]
    np.testing.assert_array_equal(cuts["pt"], image_files.quantities(JETS)["pt"] > 600)
    seeds = {"ieta": np.array([28.0, 5, 16, 39, 40]), "iphi": np.zeros(JETS)}
    source = opened(tmp_path, image_files.images(JETS, BOOSTED_TOP), BOOSTED_TOP, seeds)
    cuts = image_cuts(image_jets(source.read_jets(0, JETS)), Selection(), source.missing)
    assert list(cuts) == ["eta", "seed_edge"]
    # Tower row 5 is at η = −1.96; the others are within |η| < 1.37 and |ieta| ≤ 16.
    assert (cuts["eta"] & cuts["seed_edge"]).tolist() == [True, False, True, True, True]


def test_a_task_that_needs_other_channels_is_refused_naming_them(tmp_path):
    source = opened(tmp_path, image_files.images(2, ("track_pt", "ECAL")), ("track_pt", "ECAL"))
    task = load_task("top", ["truth.source=sample_name"])
    with pytest.raises(
        InputError, match=r"a\.parquet: no image channel for BPIX1, BPIX2, BPIX3, HCAL.*=\[TRACK,ECAL\]"
    ):
        check_image_source(source, task, "top")
    with pytest.raises(InputError, match=r"a\.parquet: no truth for class 'top'.*--trust-sample-names"):
        check_image_source(
            opened(tmp_path, image_files.images(2, BOOSTED_TOP), BOOSTED_TOP, {}), load_task("top"), "top"
        )
    check_image_source(opened(tmp_path, image_files.images(2, BOOSTED_TOP), BOOSTED_TOP), load_task("top"), "top")


def test_channels_are_those_of_the_planes(tmp_path):
    source = opened(tmp_path, image_files.images(1, TAU), TAU)
    assert source.channels == {channels()[name] for name in (*CHANNELS, "BPIX4", "TIB1", "TIB2", "TOB1", "TOB2")}
