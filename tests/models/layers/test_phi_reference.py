"""Whole events turned around the beam by any angle: no graph network notices, in torch and in ONNX Runtime."""

import math

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from e2egraph.detector.geometry import PHI_PITCH, PHI_STEPS, between_phi_steps
from e2egraph.export.onnx import to_onnx
from e2egraph.models.layers.geometry.phi_reference import REFERENCE, PhiReference
from e2egraph.models.registry import build_model, load_model_config
from e2egraph.tasks.inputs import Inputs, resolve
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.models.events import Events, events
from tests.models.other_inputs import EVENT, WHOLE_DETECTOR
from tests.models.zoo import MODELS, small_settings

PIXELS = ["BPIX1", "BPIX2", "BPIX3"]
# Hits too, and hits alone, which have no energy.
WITH_HITS = resolve(["value", "d0", "dz"], ["TRACK", *PIXELS, "ECAL", "HCAL"], [], WHOLE_DETECTOR, {})
HITS = resolve(["rho"], PIXELS, [], WHOLE_DETECTOR, {})

# Those that read images see the detector as it stands; the others here ask for what events do not have.
OTHERS = ("cnn", "resnet", "vit", "fcn", "tracks-and-cells-mass")
NETWORKS = [name for name in MODELS if not name.startswith(OTHERS)]
KERNELS = [name for name in NETWORKS if not name.startswith("tracks")]
ANGLES = (0.7, math.pi, -2.9)


def network(name: str, inputs: Inputs = EVENT, *settings: str, folder: str = "models") -> torch.nn.Module:
    torch.manual_seed(3)
    usual = small_settings(name) if name in MODELS else ["options.width=16"]
    if name == "tracks-and-cells-links" and inputs is EVENT:
        settings = (*settings, "options.links=[]")
    config = load_model_config(name if folder == "models" else f"configs/{folder}/{name}.yaml", [*usual, *settings])
    return build_model(config, inputs, TWO_CLASSES).eval()


def scores(model: torch.nn.Module, given: Events) -> Tensor:
    with torch.no_grad():
        result: Tensor = model(*given.tensors)
    return result


def check_turns(model: torch.nn.Module, given: Events) -> None:
    as_it_is = scores(model, given)
    for angle in ANGLES:
        # The same bits: differences of φ are whole numbers of steps.
        assert torch.equal(scores(model, given.turned(angle)), as_it_is), angle
    mirrored = given.points * torch.tensor([1.0, -1.0])
    assert (scores(model, Events(mirrored, *given.tensors[1:])) - as_it_is).abs().max() > 1e-7


@pytest.mark.parametrize("name", NETWORKS)
def test_turning_an_event_changes_no_score(name: str) -> None:
    inputs = WITH_HITS if name == "tracks-and-cells-links" else EVENT
    check_turns(network(name, inputs), events([130, 61], inputs))


@pytest.mark.parametrize("settings", [("options.order=phi",), ("options.sliding=true",), ("options.order=eta",)])
def test_turning_changes_no_score_along_any_order_of_windows(settings: tuple[str, ...]) -> None:
    check_turns(network("window", EVENT, *settings), events([150, 61]))


@pytest.mark.parametrize("name", ["window-merged", "sage-merged", "edgeconv-merged"])
def test_turning_changes_no_score_where_nodes_are_merged(name: str) -> None:
    check_turns(network(name, folder="merged"), events([150, 61]))


@pytest.mark.parametrize("name", KERNELS)
def test_turning_changes_no_score_of_hits_alone(name: str) -> None:
    check_turns(network(name, HITS), events([90, 41], HITS))


@pytest.mark.parametrize("name", NETWORKS)
def test_places_between_the_steps_change_scores_by_rounding_alone(name: str) -> None:
    generator = torch.Generator().manual_seed(5)
    given = events([120, 89])
    noise = torch.rand(given.mask.shape, generator=generator) * given.mask * 1e-3
    anywhere = Events(given.points + torch.stack([0 * noise, noise], -1), *given.tensors[1:])
    model = network(name)
    as_it_is = scores(model, anywhere)
    for angle in ANGLES:
        torch.testing.assert_close(scores(model, anywhere.turned(angle)), as_it_is, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_neither_order_nor_padding_of_an_event_matters(name: str) -> None:
    model, given = network(name), events([60, 33, 1, 0])
    order = torch.randperm(60, generator=torch.Generator().manual_seed(3))
    together = scores(model, given)
    torch.testing.assert_close(scores(model, given.reordered(order)), together, atol=2e-5, rtol=0)
    for i, n in enumerate([60, 33, 1, 0]):
        alone = Events(*(tensor[i : i + 1, :n] for tensor in given.tensors[:3]), given.jet[i : i + 1])
        torch.testing.assert_close(scores(model, alone)[0], together[i], atol=1e-5, rtol=0)


def test_the_node_of_largest_value_lies_at_the_reference() -> None:
    given = events([50, 20, 1]).turned(0.4)
    turned = PhiReference(EVENT)(*given.tensors[:3])
    best = given.features[..., EVENT.index("value")].argmax(1, keepdim=True)
    phi = torch.gather(turned[..., 1], 1, best)
    torch.testing.assert_close(phi, torch.full_like(phi, REFERENCE))
    assert pytest.approx(2.5 * PHI_PITCH, rel=1e-6) == REFERENCE
    assert (turned[..., 1].abs() <= math.pi + 1e-6).all()
    assert torch.equal(turned[..., 0], given.points[..., 0]) and (turned[~given.mask] == 0).all()
    first = PhiReference(EVENT, channels_first=True)(
        given.points.transpose(1, 2), given.features.transpose(1, 2), given.mask
    )
    assert torch.equal(first.transpose(1, 2), turned)


def test_which_of_several_copies_is_the_reference_depends_on_neither_order_nor_angle() -> None:
    given = events([60, 33], copies=3)
    best = given.features[..., EVENT.index("value")].amax(1, keepdim=True)
    assert ((given.features[..., EVENT.index("value")] == best).sum(1) == 3).all()
    order = torch.randperm(60, generator=torch.Generator().manual_seed(3))
    as_it_is = PhiReference(EVENT)(*given.tensors[:3])
    for angle in ANGLES:
        other = given.turned(angle).reordered(order)
        assert torch.equal(PhiReference(EVENT)(*other.tensors[:3]), as_it_is[:, order])


def test_jets_and_clusters_and_events_without_nodes_are_left_alone() -> None:
    points = torch.rand(1, 3, 2)
    assert PhiReference(INPUTS)(points, torch.rand(1, 3, INPUTS.n_features), torch.ones(1, 3).bool()) is points
    nothing = torch.zeros(2, 0, 2), torch.zeros(2, 0, EVENT.n_features), torch.zeros(2, 0).bool()
    assert PhiReference(EVENT)(*nothing).shape == (2, 0, 2)


# One of each that turns nodes to the reference; that kernels give in ONNX what they give in torch, tests/e2e proves.
@pytest.mark.parametrize("name", ["gnn-lsh", "tracks-and-cells"])
def test_the_exported_network_turns_with_the_event_too(name: str) -> None:
    model = network(name, EVENT, "options.depth=1")
    session = onnxruntime.InferenceSession(to_onnx(model, EVENT, TWO_CLASSES).SerializeToString())
    found = []
    for angle in (0.0, *ANGLES):
        given = events([110, 60]).turned(angle)
        tensors = {
            "points": given.points.transpose(1, 2),
            "features": given.features.transpose(1, 2),
            "mask": given.mask.float().unsqueeze(1),
        }
        found.append(session.run(["logits"], {name: tensor.numpy() for name, tensor in tensors.items()})[0])
        np.testing.assert_array_equal(found[-1], found[0])
    np.testing.assert_allclose(found[0], scores(model, events([110, 60])), atol=1e-4)


def test_steps_of_phi_keep_every_node_in_its_pixel() -> None:
    phi = np.concatenate([np.random.default_rng(0).uniform(-math.pi, math.pi, 20_000), [-math.pi, 0.0, 3.1415926]])
    moved = between_phi_steps(phi)
    assert np.abs(moved - phi).max() <= 2 * math.pi / PHI_STEPS * (1 + 1e-9)
    for size in (64, 224, 360):
        edges = np.linspace(-math.pi, math.pi, size + 1)
        pixel = np.searchsorted(edges, phi, side="right") - 1
        np.testing.assert_array_equal(np.searchsorted(edges, moved.astype(np.float32), side="right") - 1, pixel)
