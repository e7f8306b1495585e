"""Event images against numpy's histograms, and that turning an event in φ turns what the network sees, exactly."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from e2egraph.detector.channels import Channel
from e2egraph.detector.geometry import PHI_PITCH
from e2egraph.errors import UsageError
from e2egraph.models.image.cnn_circular import CircularCNN, CircularCNNOptions, CircularConv
from e2egraph.models.image.event_image import EVENT_CHANNELS, EventImage
from e2egraph.models.registry import load_model_config, parameter_count
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.models.jets import Inputs, jets
from tests.models.zoo import classes

VALUE = INPUTS.index("value")
ONE = classes(1)
SMALL = {"widths": (4, 6, 8, 8), "hidden": 10}


def event(counts: list[int], size: int = 64, seed: int = 0) -> Inputs:
    """Nodes all over the detector, in the middle of pixels in φ, with energies whose sums are exact."""
    points, features, mask, jet = jets(counts, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    points[..., 0] = torch.rand(points.shape[:2], generator=generator) * 6.0 - 3.0
    column = torch.randint(0, size, points.shape[:2], generator=generator)
    points[..., 1] = (column + 0.5) * (2.0 * math.pi / size) - math.pi
    features[..., VALUE] = torch.randint(1, 9, points.shape[:2], generator=generator).float()
    return points, features, mask, jet


def turned(points: Tensor, pixels: int, size: int = 64) -> Tensor:
    """All Δφ turned by whole pixels and wrapped into [−π, π)."""
    phi = points[..., 1].double() + pixels * 2.0 * math.pi / size
    wrapped = torch.remainder(phi + math.pi, 2.0 * math.pi) - math.pi
    return torch.stack([points[..., 0], wrapped.float()], dim=-1)


@pytest.mark.parametrize(("size", "eta_max", "phi_max"), [(64, 2.5, None), (224, 2.5, None), (40, 1.1, 0.9)])
def test_the_image_is_numpys_histogram(size: int, eta_max: float, phi_max: float | None) -> None:
    points, features, mask, _ = jets([300, 20, 0], seed=2)
    points = points * 1.5
    image = EventImage(INPUTS, size, eta_max, phi_max)(points, features, mask)
    assert image.shape == (3, 3, size, size)
    bounds = [(-eta_max, eta_max), (-(phi_max or math.pi), phi_max or math.pi)]
    for b in range(3):
        for i, channel in enumerate(EVENT_CHANNELS):
            chosen = mask[b] & (features[b, :, INPUTS.index(f"is_{channel.name}")] > 0)
            at, weight = points[b, chosen].double().numpy(), features[b, chosen, VALUE].double().numpy()
            expected = np.histogram2d(at[:, 0], at[:, 1], size, bounds, weights=weight)[0]
            np.testing.assert_allclose(image[b, i].numpy(), expected, rtol=1e-5, atol=1e-6)
    assert image[0].any()


def test_channels_are_tracks_ecal_and_hcal_and_hits_are_left_out() -> None:
    assert EVENT_CHANNELS == (Channel.TRACK, Channel.ECAL, Channel.HCAL)
    points, features, mask, _ = jets([200])
    features[..., [INPUTS.index(f"is_{channel.name}") for channel in EVENT_CHANNELS]] = 0.0
    assert not EventImage(INPUTS, 64, 2.5)(points, features, mask).any()


def test_angles_beyond_pi_are_wrapped_and_beyond_a_window_dropped() -> None:
    points, features, mask, _ = event([50])
    circle = EventImage(INPUTS, 64, 2.5)
    around = points + torch.tensor([0.0, 2.0 * math.pi])
    assert torch.equal(circle(around, features, mask), circle(points, features, mask))
    assert not EventImage(INPUTS, 64, 2.5, math.pi)(around, features, mask).any()


@pytest.mark.parametrize("pixels", [1, 7, 31, -5])
def test_turning_the_event_by_whole_pixels_rolls_the_image(pixels: int) -> None:
    points, features, mask, _ = event([300, 40])
    image = EventImage(INPUTS, 64, 2.5)
    rolled = image(points, features, mask).roll(pixels, dims=-1)
    assert torch.equal(image(turned(points, pixels), features, mask), rolled)


def test_the_convolution_is_torchs_on_an_image_closed_in_phi_and_open_in_eta() -> None:
    torch.manual_seed(0)
    ours = CircularConv(2, 3)
    x = torch.randn(2, 2, 5, 7)
    filled = nn.functional.pad(nn.functional.pad(x, (1, 1, 0, 0), mode="circular"), (0, 0, 1, 1))
    torch.testing.assert_close(ours(x), nn.functional.conv2d(filled, ours.conv.weight, ours.conv.bias))
    for shift in range(7):
        torch.testing.assert_close(ours(x.roll(shift, dims=-1)), ours(x).roll(shift, dims=-1))
    assert not torch.allclose(ours(x.roll(1, dims=-2)), ours(x).roll(1, dims=-2))
    opened = CircularConv(2, 3, circular=False)
    opened.load_state_dict(ours.state_dict())
    torch.testing.assert_close(opened(x), nn.functional.conv2d(x, ours.conv.weight, ours.conv.bias, padding=1))


def trained_a_little(options: CircularCNNOptions) -> CircularCNN:
    """Normalisation with statistics of its own, in float64."""
    torch.manual_seed(0)
    model = CircularCNN(options, INPUTS, classes(3)).double().train()
    points, features, mask, jet = event([300, 200])
    model(points, features.double(), mask, jet)
    return model.eval()


@pytest.mark.parametrize("turns", [1, 3, -2])
def test_feature_maps_roll_with_the_event(turns: int) -> None:
    model = trained_a_little(CircularCNNOptions(**SMALL))  # type: ignore[arg-type]
    points, features, mask, _ = event([300, 40], seed=3)
    with torch.no_grad():
        still, moved = (
            model.convolutions(model.image(at, features.double(), mask)) for at in (points, turned(points, 8 * turns))
        )
    assert still.shape == (2, 8, 8, 8)
    torch.testing.assert_close(moved, still.roll(turns, dims=-1), atol=1e-12, rtol=0)
    assert not torch.allclose(moved, still)


def test_the_mean_over_phi_scores_a_turned_event_as_before_and_flattening_does_not() -> None:
    points, features, mask, jet = event([300, 40], seed=3)
    for pooling, invariant in (("phi", True), ("flatten", False)):
        model = trained_a_little(CircularCNNOptions(pooling=pooling, **SMALL))  # type: ignore[arg-type]
        with torch.no_grad():
            still, moved = (model(at, features.double(), mask, jet) for at in (points, turned(points, 24)))
        assert torch.allclose(still, moved, atol=1e-12, rtol=0) == invariant


def test_parameters_are_those_of_the_public_code() -> None:
    widths = (3, 64, 128, 256, 256)
    convolutions = sum(9 * a * b + b + 2 * b for a, b in pairwise(widths))
    assert convolutions == 962_304
    dense = {64: 8 * 8 * 256 * 512 + 512, 128: 16 * 16 * 256 * 512 + 512}
    for size, first in dense.items():
        assert parameter_count(CircularCNN(CircularCNNOptions(size=size), INPUTS, ONE)) == convolutions + first + 513
    by_columns = CircularCNN(CircularCNNOptions(size=224, pooling="phi"), INPUTS, classes(1))
    assert parameter_count(by_columns) == convolutions + 28 * 256 * 512 + 512 + 513


def test_scores_do_not_depend_on_the_rest_of_the_batch() -> None:
    model = trained_a_little(CircularCNNOptions(**SMALL)).float()  # type: ignore[arg-type]
    points, features, mask, jet = event([60, 30, 0])
    with torch.no_grad():
        together = model(points, features, mask, jet)
        for i in range(3):
            one = slice(i, i + 1)
            alone = model(points[one], features[one], mask[one], jet[one])
            torch.testing.assert_close(alone, together[one], atol=1e-6, rtol=0)


def test_a_jet_window_is_drawn_with_open_edges() -> None:
    settings = ["options.size=128", "options.eta_max=1.0875", "options.phi_max=1.0908"]
    options = CircularCNNOptions(**load_model_config("cnn-circular", settings).options | SMALL)
    model = CircularCNN(options, INPUTS, TWO_CLASSES).eval()
    assert not any(conv.circular for conv in model.modules() if isinstance(conv, CircularConv))
    points, features, mask, jet = jets([400])
    image = model.image(points, features, mask)
    deposits = features[..., [INPUTS.index(f"is_{c.name}") for c in EVENT_CHANNELS]] * features[..., VALUE, None]
    torch.testing.assert_close(image.sum((2, 3)), deposits.sum(1))  # nothing of ±62 crystals is left out
    assert points.abs().max() > 60 * PHI_PITCH
    assert model(points, features, mask, jet).shape == (1, 2)


@pytest.mark.parametrize("setting", ["options.size=100", "options.widths=[8, 8]", "options.phi_max=4.0"])
def test_wrong_options_are_refused_by_name(setting: str) -> None:
    with pytest.raises(UsageError, match=setting.removeprefix("options.").split("=")[0]):
        load_model_config("cnn-circular", [setting])
