"""Image files → point clouds → images: what a network draws on its device is the file's image, bit for bit."""

import numpy as np
import pytest
import torch

from e2egraph.data.padding import pad
from e2egraph.detector.channels import channels
from e2egraph.errors import InputError
from e2egraph.events.sources.registry import image_options, open_source
from e2egraph.graphs.building.checks import check_source
from e2egraph.graphs.making.imagepoints import image_clouds, image_cuts, image_objects
from e2egraph.graphs.making.nodes import canonical_order
from e2egraph.graphs.storage.columns import object_types
from e2egraph.models.image.rasterize import Rasterize
from e2egraph.tasks.task import load_task
from tests import image_files
from tests.graphs.builds import node_task
from tests.image_files import BOOSTED_TOP

JETS = 5
CHANNELS = ["TRACK", "BPIX1", "BPIX2", "BPIX3", "ECAL", "HCAL"]
TAU = ("track_pt", "track_dz_sig", "track_d0_sig", "ECAL", "HCAL", "BPIX1", "BPIX2", "BPIX3", "BPIX4", "TIB1", "TIB2",
       "TOB1", "TOB2")  # fmt: skip


def drawn(clouds, planes, inputs):
    arrays = pad(clouds, inputs)
    with torch.no_grad():
        image = Rasterize(inputs, planes)(*(torch.from_numpy(a) for a in (arrays.points, arrays.features, arrays.mask)))
    return image.numpy()


def opened(tmp_path, pixels, planes, columns=None):
    columns = image_files.quantities(len(pixels)) if columns is None else columns
    path = image_files.write_parquet(tmp_path / "a.parquet", pixels, columns, flat=True)
    return open_source(path, image_options(",".join(planes), None))


def image_task(channels=CHANNELS, **options):
    return node_task(channels, **{"cap": 100_000, **options})


def clouds_of(source, task=None):
    points, task = source.read(0, source.n_jets), task or image_task()
    return image_clouds(points, image_objects(points.jets, task), task)


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
    task = image_task(channels)
    clouds, _ = clouds_of(opened(tmp_path, pixels, planes), task)
    np.testing.assert_array_equal(drawn(clouds, planes, task.network_inputs), pixels)


def test_impact_parameters_in_cm_come_back_as_such(tmp_path):
    planes = ("track_pt", "track_d0", "track_dz")
    pixels = image_files.images(JETS, planes, seed=5)
    task = image_task(["TRACK"])
    clouds, _ = clouds_of(opened(tmp_path, pixels, planes), task)
    np.testing.assert_array_equal(drawn(clouds, planes, task.network_inputs), pixels)


def test_nodes_stand_in_canonical_order_and_are_all_accounted_for(tmp_path):
    clouds, outcomes = clouds_of(
        opened(tmp_path, image_files.images(JETS, BOOSTED_TOP), BOOSTED_TOP), image_task(cap=300)
    )
    order = canonical_order(clouds.jet_of_node, clouds.nodes)
    np.testing.assert_array_equal(order, np.arange(len(order)))
    assert outcomes["in_windows"] == sum(outcomes[name] for name in ("negative", "below_threshold", "over_cap", "kept"))
    assert clouds.counts.max() == 300 and outcomes["over_cap"] == clouds.jets["nodes_cut"].sum() > 0


def test_negative_energies_are_dropped_and_counted(tmp_path):
    pixels = image_files.images(JETS, BOOSTED_TOP)
    pixels[:, 3, 10, 10:14] = -0.5
    clouds, outcomes = clouds_of(opened(tmp_path, pixels, BOOSTED_TOP))
    assert outcomes["negative"] == 4 * JETS
    assert (clouds.nodes["value"] >= 0).all()


def test_a_threshold_applies_to_pixels_without_pt_as_well(tmp_path):
    pixels = np.zeros((1, 3, 125, 125), np.float32)
    pixels[0, 1, 60, 61] = -3.5
    source = opened(tmp_path, pixels, ("track_pt", "track_d0_sig", "track_dz_sig"), {})
    kept, _ = clouds_of(source, image_task(["TRACK"]))
    cut, outcomes = clouds_of(source, image_task(["TRACK"], thresholds={"TRACK": 0.5}))
    assert (len(kept.nodes["value"]), len(cut.nodes["value"]), outcomes["below_threshold"]) == (1, 0, 1)


def test_only_the_selected_jets_become_clouds(tmp_path):
    pixels = image_files.images(JETS, BOOSTED_TOP)
    points = opened(tmp_path, pixels, BOOSTED_TOP).read(0, JETS)
    task = image_task()
    jets = image_objects(points.jets, task).take(np.array([False, True, False, False, True]))
    clouds, _ = image_clouds(points, jets, task)
    np.testing.assert_array_equal(drawn(clouds, BOOSTED_TOP, task.network_inputs), pixels[[1, 4]])
    np.testing.assert_array_equal(clouds.jets["event"], points.jets["event"][[1, 4]])


def test_jets_carry_every_column_of_a_shard_that_needs_no_graph(tmp_path):
    source = opened(
        tmp_path, image_files.images(JETS, BOOSTED_TOP), BOOSTED_TOP, {"am": np.arange(JETS), "pt": [1.0] * JETS}
    )
    task = image_task()
    jets = image_objects(source.read(0, JETS).jets, task)
    given_later = {"label", "weight", "split", "n_nodes", "nodes_cut"}
    assert set(object_types(task.object_kind)) - set(jets.columns) == given_later
    assert jets.columns["gen_mass"].tolist() == [0, 1, 2, 3, 4]
    assert jets.columns["jet_mass"].tolist() == [0.0] * JETS


def test_cuts_apply_to_what_the_file_holds(tmp_path):
    source = opened(tmp_path, image_files.images(JETS, BOOSTED_TOP), BOOSTED_TOP)
    task = load_task("top", ["object.pt_min=600"])
    cuts = image_cuts(image_objects(source.read_jets(0, JETS), task), task, source.missing)
    assert list(cuts) == ["pt"]
    np.testing.assert_array_equal(cuts["pt"], image_files.quantities(JETS)["pt"] > 600)
    seeds = {"ieta": np.array([28.0, 5, 16, 39, 40]), "iphi": np.zeros(JETS)}
    source = opened(tmp_path, image_files.images(JETS, BOOSTED_TOP), BOOSTED_TOP, seeds)
    cuts = image_cuts(image_objects(source.read_jets(0, JETS), task), task, source.missing)
    assert list(cuts) == ["eta", "seed_edge"]
    # Tower row 5 is at η = −1.96; the others are within |η| < 1.37 and |ieta| ≤ 16.
    assert (cuts["eta"] & cuts["seed_edge"]).tolist() == [True, False, True, True, True]


def test_a_task_that_needs_other_channels_is_refused_naming_them(tmp_path):
    source = opened(tmp_path, image_files.images(2, ("track_pt", "ECAL")), ("track_pt", "ECAL"))
    task = load_task("top", ["truth.source=sample_name"])
    with pytest.raises(
        InputError, match=r"a\.parquet: no image channel for BPIX1, BPIX2, BPIX3, HCAL.*=\[TRACK,ECAL\]"
    ):
        check_source(source, task, "top")
    with pytest.raises(InputError, match=r"a\.parquet: no truth for class 'top'.*--trust-sample-names"):
        check_source(opened(tmp_path, image_files.images(2, BOOSTED_TOP), BOOSTED_TOP, {}), load_task("top"), "top")
    check_source(opened(tmp_path, image_files.images(2, BOOSTED_TOP), BOOSTED_TOP), load_task("top"), "top")


def test_channels_are_those_of_the_planes(tmp_path):
    source = opened(tmp_path, image_files.images(1, TAU), TAU)
    assert source.channels == {channels()[name] for name in (*CHANNELS, "BPIX4", "TIB1", "TIB2", "TOB1", "TOB2")}
