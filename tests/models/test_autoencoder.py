"""The autoencoder's score is the error of what it decodes, and keeps the promises of every network."""

import math
from pathlib import Path

import pytest
import torch

from e2egraph.errors import UsageError
from e2egraph.models.image.event_image import EventImage
from e2egraph.models.image.planes import ENERGY
from e2egraph.models.layers.geometry.phi_reference import PhiReference
from e2egraph.models.registry import build_model, load_model_config
from e2egraph.tasks.outputs import Head, Outputs, class_outputs
from tests.all_inputs import TWO_CLASSES
from tests.models.events import events
from tests.models.other_inputs import EVENT
from tests.models.zoo import parity

FILE = Path(__file__).parents[2] / "configs" / "variants" / "event-autoencoder.yaml"
SMALL = ["width=16", "depth=1", "heads=2", "tracks=8", "cells=[{size: 5, keep: 8, octaves: 2}]", "node_width=8"]


def network(outputs=TWO_CLASSES):
    torch.manual_seed(0)
    settings = [*(f"options.encoder.options.{setting}" for setting in SMALL), "options.hidden=16"]
    return build_model(load_model_config(str(FILE), settings), EVENT, outputs).eval()


def test_the_score_is_the_error_of_the_image_that_comes_back():
    model, given = network(class_outputs(("qcd", "ttbar", "rpv"))), events([90, 31])
    seen = []
    model.decoder.register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.no_grad():
        scores = model(*given.tensors)
    turned = PhiReference(EVENT)(*given.tensors[:3])
    image = ENERGY(EventImage(EVENT, 16, 2.5)(turned, *given.tensors[1:3])).flatten(1)
    error = (seen[0] - image).square().mean(1)
    torch.testing.assert_close(scores[:, 1].exp(), error, rtol=1e-4, atol=2e-6)
    assert torch.equal(scores[:, 1], scores[:, 2]) and not scores[:, 0].any()


def test_it_keeps_the_promises_of_every_network():
    model, given = network(), events([90, 31, 1, 0])
    with torch.no_grad():
        together = model(*given.tensors)
        for angle in (0.7, math.pi):
            assert torch.equal(model(*given.turned(angle).tensors), together)
        order = torch.randperm(90, generator=torch.Generator().manual_seed(3))
        torch.testing.assert_close(model(*given.reordered(order).tensors), together, atol=2e-5, rtol=0)
        alone = model(given.points[1:2, :31], given.features[1:2, :31], given.mask[1:2, :31], given.jet[1:2])
    torch.testing.assert_close(alone[0], together[1], atol=2e-5, rtol=0)
    assert parity(model, 60, inputs=EVENT).largest_difference < 1e-4


def test_it_gives_scores_of_classes_and_nothing_else():
    with pytest.raises(UsageError, match="an autoencoder gives class scores of two classes or more"):
        network(Outputs(heads=(Head(name="mass", columns=("mass",)),)))
