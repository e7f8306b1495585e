"""The e/γ network: its crop against Rasterize, its layers against what is published."""

from pathlib import Path

import numpy as np
import pytest
import torch

from e2egraph.data.padding import pad
from e2egraph.detector.geometry import ETA_PITCH, PHI_PITCH
from e2egraph.errors import UsageError
from e2egraph.events.sources.registry import image_options, open_source
from e2egraph.graphs.making.imagepoints import image_clouds, image_objects
from e2egraph.models.image.cnn_egamma import EGammaCNN, EGammaCNNOptions
from e2egraph.models.image.crystal_crop import CrystalCrop
from e2egraph.models.image.rasterize import Rasterize
from e2egraph.models.registry import load_model_config, parameter_count
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.task import load_task
from tests import image_files
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.models.jets import jets
from tests.models.other_inputs import CROP, HITS, SIX
from tests.models.zoo import classes

VALUE, TIME, ECAL = (INPUTS.index(name) for name in ("value", "time", "is_ECAL"))


@pytest.mark.parametrize("lattice", [False, True])
@pytest.mark.parametrize(("size", "inputs"), [(4, INPUTS), (32, INPUTS), (124, INPUTS), (32, CROP)])
def test_the_crop_is_the_middle_of_the_image_with_the_centre_at_half_its_size_less_one(
    size: int, inputs: Inputs, lattice: bool
) -> None:
    points, features, mask, _ = jets([3000, 33, 0], lattice=lattice, inputs=inputs)
    crop = CrystalCrop(inputs, size, ("ECAL",))(points, features, mask)
    first = inputs.region.half_rows - (size // 2 - 1)
    whole = Rasterize(inputs, ("ECAL",))(points, features, mask)
    assert crop.shape == (3, 1, size, size)
    torch.testing.assert_close(crop, whole[:, :, first : first + size, first : first + size])
    assert crop[0].any()


def test_a_file_of_crops_comes_back_bit_for_bit_with_the_seed_at_15_15(tmp_path: Path) -> None:
    pixels = image_files.images(20, ("ECAL", "ECAL_time"), size=32)
    pixels[:, 0, 15, 15] = 1000.0 + np.arange(20)
    path = image_files.write_hdf5(tmp_path / "crops.hdf5", pixels, {"y": np.arange(20) % 2}, name="X", last=True)
    file = open_source(path, image_options(None, "egamma"))
    points = file.read(0, 20)
    task = load_task("top", ["inputs.channels=[ECAL]", "inputs.suppress_displaced=false"])
    clouds, _ = image_clouds(points, image_objects(points.jets, task), task)
    arrays = pad(clouds, task.network_inputs)
    drawn = CrystalCrop(task.network_inputs)(*map(torch.from_numpy, (arrays.points, arrays.features, arrays.mask)))
    np.testing.assert_array_equal(drawn.numpy(), pixels)
    at_seed = points.variables["value"][(points.rows == 0) & (points.columns == 0)]
    np.testing.assert_array_equal(at_seed, pixels[:, 0, 15, 15])


def crystals(*cells: tuple[int, int, float, float]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """ECAL nodes at (row, column) from the centre with energy and time."""
    points, features = torch.zeros(1, len(cells), 2), torch.zeros(1, len(cells), INPUTS.n_features)
    for i, (row, column, energy, time) in enumerate(cells):
        points[0, i] = torch.tensor([row * ETA_PITCH, column * PHI_PITCH])
        features[0, i, VALUE], features[0, i, TIME], features[0, i, ECAL] = energy, time, 1.0
    return points, features, torch.ones(1, len(cells), dtype=torch.bool)


def test_a_crop_of_32_runs_from_15_below_the_centre_to_16_above() -> None:
    nodes = crystals((0, 0, 5.0, 1.0), (-15, 16, 2.0, -3.0), (-16, 0, 9.0, 9.0), (0, 17, 9.0, 9.0))
    crop = CrystalCrop(INPUTS)(*nodes)
    assert crop.shape == (1, 2, 32, 32)
    assert crop[0, :, 15, 15].tolist() == [5.0, 1.0]
    assert crop[0, :, 0, 31].tolist() == [2.0, -3.0]
    assert crop.count_nonzero() == 4


def test_deposits_of_one_crystal_add_up_and_their_times_are_averaged() -> None:
    crop = CrystalCrop(INPUTS)(*crystals((1, 2, 5.0, 1.0), (1, 2, 1.0, 2.0)))
    assert crop[0, :, 16, 17].tolist() == [6.0, 1.5]


def test_parameters_are_those_of_the_published_layers() -> None:
    convolutions = (2 * 9 * 16 + 16) + (16 * 9 * 16 + 16) + (16 * 9 * 32 + 32) + (32 * 9 * 32 + 32)
    dense = (8 * 8 * 32 * 256 + 256) + (256 * 128 + 128)
    assert parameter_count(EGammaCNN(EGammaCNNOptions(), INPUTS, classes(1))) == convolutions + dense + 129 == 574_081
    assert parameter_count(EGammaCNN(EGammaCNNOptions(channels=("ECAL",)), INPUTS, classes(1))) == 574_081 - 9 * 16


def test_time_is_read_when_asked_for_and_only_then() -> None:
    torch.manual_seed(0)
    points, features, mask, jet = jets([400])
    later = features.clone()
    later[..., TIME] += 1.0
    for channels in (None, ("ECAL", "track_pt")):
        model = EGammaCNN(EGammaCNNOptions(channels=channels), INPUTS, TWO_CLASSES).eval()
        same = torch.equal(model(points, features, mask, jet), model(points, later, mask, jet))
        assert same == (channels is not None)


def test_a_crop_that_two_poolings_do_not_divide_is_refused() -> None:
    with pytest.raises(UsageError, match="multiple of 4"):
        load_model_config("cnn-egamma", ["options.size=30"])


def test_a_crop_larger_than_the_region_or_of_what_the_task_lacks_is_refused() -> None:
    with pytest.raises(UsageError, match=r"model.options.size=36 .* does not fit into 33×33 pixels around"):
        CrystalCrop(CROP, 36)
    with pytest.raises(UsageError, match=r"ECAL_time cannot be drawn: the task has no variable time; choose"):
        EGammaCNN(EGammaCNNOptions(), SIX, TWO_CLASSES)
    assert EGammaCNN(EGammaCNNOptions(channels=("ECAL",)), SIX, TWO_CLASSES).crop.channels == ("ECAL",)
    with pytest.raises(UsageError, match=r"ECAL cannot be drawn: the task has no channel ECAL; choose"):
        CrystalCrop(HITS)
