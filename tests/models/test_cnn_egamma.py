"""The e/γ network: its crop against Rasterize, its layers against what is published."""

import pytest
import torch

from e2egraph.data.padding import FEATURE_NAMES
from e2egraph.detector.geometry import ETA_PITCH, PHI_PITCH
from e2egraph.errors import UsageError
from e2egraph.export.onnx import to_onnx
from e2egraph.export.parity import check_parity
from e2egraph.models.image.cnn_egamma import EGammaCNN, EGammaCNNOptions
from e2egraph.models.image.crystal_crop import CrystalCrop
from e2egraph.models.image.rasterize import Rasterize
from e2egraph.models.registry import load_model_config, parameter_count
from tests.models.jets import jets

VALUE, TIME, ECAL = (FEATURE_NAMES.index(name) for name in ("value", "time", "is_ECAL"))


@pytest.mark.parametrize("lattice", [False, True])
@pytest.mark.parametrize("size", [4, 32, 124])
def test_the_crop_is_the_middle_of_the_jet_image(size: int, lattice: bool) -> None:
    points, features, mask, _ = jets([3000, 33, 0], lattice=lattice)
    crop = CrystalCrop(size, time=False)(points, features, mask)
    first = 62 - size // 2
    whole = Rasterize(("ECAL",))(points, features, mask)
    assert crop.shape == (3, 1, size, size)
    torch.testing.assert_close(crop, whole[:, :, first : first + size, first : first + size])
    assert crop[0].any()


def crystals(*cells: tuple[int, int, float, float]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """ECAL nodes at (row, column) from the centre with energy and time."""
    points, features = torch.zeros(1, len(cells), 2), torch.zeros(1, len(cells), len(FEATURE_NAMES))
    for i, (row, column, energy, time) in enumerate(cells):
        points[0, i] = torch.tensor([row * ETA_PITCH, column * PHI_PITCH])
        features[0, i, VALUE], features[0, i, TIME], features[0, i, ECAL] = energy, time, 1.0
    return points, features, torch.ones(1, len(cells), dtype=torch.bool)


def test_a_crop_of_32_runs_from_16_below_the_centre_to_15_above() -> None:
    crop = CrystalCrop()(*crystals((0, 0, 5.0, 1.0), (-16, 15, 2.0, -3.0), (16, 0, 9.0, 9.0), (0, -17, 9.0, 9.0)))
    assert crop.shape == (1, 2, 32, 32)
    assert crop[0, :, 16, 16].tolist() == [5.0, 1.0]
    assert crop[0, :, 0, 31].tolist() == [2.0, -3.0]
    assert crop.count_nonzero() == 4


def test_deposits_of_one_crystal_add_up_and_their_times_are_averaged() -> None:
    crop = CrystalCrop()(*crystals((1, 2, 5.0, 1.0), (1, 2, 1.0, 2.0)))
    assert crop[0, :, 17, 18].tolist() == [6.0, 1.5]


def test_parameters_are_those_of_the_published_layers() -> None:
    convolutions = (2 * 9 * 16 + 16) + (16 * 9 * 16 + 16) + (16 * 9 * 32 + 32) + (32 * 9 * 32 + 32)
    dense = (8 * 8 * 32 * 256 + 256) + (256 * 128 + 128)
    assert parameter_count(EGammaCNN(EGammaCNNOptions(), 1)) == convolutions + dense + 129 == 574_081
    assert parameter_count(EGammaCNN(EGammaCNNOptions(time=False), 1)) == 574_081 - 9 * 16


def test_time_is_read_when_asked_for_and_only_then() -> None:
    torch.manual_seed(0)
    points, features, mask, jet = jets([400])
    later = features.clone()
    later[..., TIME] += 1.0
    for time in (True, False):
        model = EGammaCNN(EGammaCNNOptions(time=time), 2).eval()
        same = torch.equal(model(points, features, mask, jet), model(points, later, mask, jet))
        assert same == (not time)


def test_a_crop_that_two_poolings_do_not_divide_is_refused() -> None:
    with pytest.raises(UsageError, match="multiple of 4"):
        load_model_config("cnn-egamma", ["options.size=30"])


def test_the_exported_network_scores_as_torch_does() -> None:
    torch.manual_seed(0)
    model = EGammaCNN(EGammaCNNOptions(), 2)
    report = check_parity(model, to_onnx(model, 2).SerializeToString(), max_nodes=200)
    assert report.largest_difference < 1e-5
