"""The shipped variants for whole events: images as published, and graphs of some thousand nodes."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from e2egraph.errors import UsageError
from e2egraph.models.image.event_image import EventImage
from e2egraph.models.registry import build_model, load_model_config
from e2egraph.tasks.inputs import resolve
from tests.all_inputs import TWO_CLASSES
from tests.models.events import events
from tests.models.other_inputs import EVENT, WHOLE_DETECTOR
from tests.models.zoo import parity

FOLDER = Path(__file__).parents[2] / "configs" / "variants"
VARIANTS = ["resnet15-event", "cnn-circular-224", "window-event", "tracks-and-cells-event"]


def network(name: str, *settings: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_model(load_model_config(str(FOLDER / f"{name}.yaml"), settings), EVENT, TWO_CLASSES).eval()


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_scores_events_whatever_their_order(name: str) -> None:
    model, given = network(name), events([400, 90, 0])
    with torch.no_grad():
        scores = model(*given.tensors)
        order = torch.randperm(400, generator=torch.Generator().manual_seed(3))
        torch.testing.assert_close(model(*given.reordered(order).tensors), scores, atol=2e-5, rtol=0)
    assert scores.shape == (3, 2) and scores.isfinite().all()


def test_resnet15_sees_the_published_image_of_an_event() -> None:
    model, given = network("resnet15-event"), events([400, 90])
    seen = []
    model.stem.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model(*given.tensors)
    assert seen[0].shape == (2, 3, 224, 224)
    image = EventImage(EVENT, 224, 2.5)(*given.tensors[:3])
    torch.testing.assert_close(seen[0], 0.5 * torch.asinh(image))
    edges = [np.linspace(-2.5, 2.5, 225), np.linspace(-math.pi, math.pi, 225)]
    tracks = given.features[0, :, EVENT.index("is_TRACK")] > 0
    eta, phi = given.points[0, tracks].double().T.numpy()
    weights = given.features[0, tracks, EVENT.index("value")].numpy()
    np.testing.assert_allclose(image[0, 0], np.histogram2d(eta, phi, edges, weights=weights)[0], rtol=1e-5, atol=1e-5)


def test_resnet15_on_events_leaves_as_onnx() -> None:
    assert parity(network("resnet15-event", "options.event.size=64"), 60, inputs=EVENT).largest_difference < 1e-4


@pytest.mark.parametrize("setting", ["size=33", "granularity=3", "channels=[ECAL]", "gains={ECAL: 2}"])
def test_an_event_s_image_takes_no_options_of_crystals(setting: str) -> None:
    with pytest.raises(UsageError, match="event draws its own image; drop size, granularity, channels and gains"):
        network("resnet15-event", f"options.{setting}")


def test_an_event_s_image_needs_tracks_and_both_calorimeters() -> None:
    config = load_model_config(str(FOLDER / "resnet15-event.yaml"))
    lacking = resolve(["rho"], ["TRACK", "ECAL"], [], WHOLE_DETECTOR, {})
    with pytest.raises(UsageError, match=r"an image of events reads value .* and HCAL"):
        build_model(config, lacking, TWO_CLASSES)
