"""Whole events turned around the beam by any angle: no graph network notices, in torch and in ONNX Runtime."""

import math

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from e2egraph.export.onnx import to_onnx
from e2egraph.models.layers.phi_reference import DIRECTION, PhiReference
from e2egraph.models.registry import build_model, load_model_config
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.models.other_inputs import EVENT
from tests.models.zoo import MODELS, parity, small_settings

# Those that read images see the detector as it stands; the others here ask for what events do not have.
NETWORKS = [
    name
    for name in MODELS
    if not name.startswith(("cnn", "resnet", "vit", "fcn")) and name not in ("tracks-and-cells-mass",)
]
NO_LINKS = {"tracks-and-cells-links": ["options.links=[]"]}


def event(angle: float = 0.0, nodes: int = 120, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    """Two events of ``nodes`` and fewer nodes, turned by ``angle`` [rad]."""
    generator = torch.Generator().manual_seed(5)
    eta = (2 * torch.rand(2, nodes, generator=generator, dtype=torch.float64) - 1) * 2.4
    phi = (2 * torch.rand(2, nodes, generator=generator, dtype=torch.float64) - 1) * math.pi + angle
    phi = phi - 2 * math.pi * torch.floor(phi / (2 * math.pi) + 0.5)
    mask = torch.arange(nodes) < torch.tensor([[nodes], [nodes - 31]])
    value = torch.rand(2, nodes, generator=generator, dtype=torch.float64) ** 3 * 50
    channel = torch.nn.functional.one_hot(torch.arange(nodes) % 3, 3).expand(2, nodes, 3)
    others = torch.zeros(2, nodes, len(EVENT.variables) - 1, dtype=torch.float64)
    features = torch.cat([value.unsqueeze(-1), others, channel], dim=-1)
    points = torch.stack([eta, phi], dim=-1)
    return points.to(dtype), features.to(dtype), mask, torch.zeros(2, 0, dtype=dtype)


def network(name: str) -> torch.nn.Module:
    torch.manual_seed(3)
    config = load_model_config(name, [*small_settings(name), *NO_LINKS.get(name, [])])
    return build_model(config, EVENT, TWO_CLASSES).eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_turning_an_event_changes_no_score(name: str) -> None:
    model = network(name).double()
    with torch.no_grad():
        as_it_is = model(*event())
        for angle in (1e-3, 0.7, math.pi, -2.9):
            # 2π is rounded as in the exported network.
            torch.testing.assert_close(model(*event(angle)), as_it_is, rtol=1e-6, atol=1e-7)
    flipped = event()
    flipped[0][..., 1] *= -1  # a mirror image is another event
    assert (model(*flipped) - as_it_is).abs().max() > 1e-6


def test_the_sum_of_momenta_points_in_one_direction() -> None:
    points, features, mask, _ = event(0.4)
    points = points.masked_fill(~mask.unsqueeze(-1), 0.0)
    features = features.masked_fill(~mask.unsqueeze(-1), 0.0)
    turned = PhiReference(EVENT)(points, features, mask)
    energy = features[..., EVENT.index("value")]
    total = torch.stack([(energy * wave(turned[..., 1])).sum(1) for wave in (torch.cos, torch.sin)])
    direction = torch.atan2(total[1], total[0])
    torch.testing.assert_close(direction, torch.full_like(direction, DIRECTION), atol=1e-6, rtol=0)
    assert (turned[..., 1].abs() <= math.pi).all()
    assert torch.equal(turned[..., 0], points[..., 0]) and (turned[~mask] == 0).all()
    first = PhiReference(EVENT, channels_first=True)(points.transpose(1, 2), features.transpose(1, 2), mask)
    torch.testing.assert_close(first.transpose(1, 2), turned)


def test_an_event_without_a_direction_is_turned_as_one_along_the_axis() -> None:
    points = torch.tensor([[[0.1, 0.0], [0.2, math.pi / 2]]])
    features = torch.zeros(1, 2, EVENT.n_features)
    kept = PhiReference(EVENT)(points, features, torch.ones(1, 2, dtype=torch.bool))
    torch.testing.assert_close(kept, points + torch.tensor([0.0, DIRECTION]))


def test_jets_and_clusters_are_left_alone() -> None:
    points = torch.rand(1, 3, 2)
    assert PhiReference(INPUTS)(points, torch.rand(1, 3, INPUTS.n_features), torch.ones(1, 3).bool()) is points


@pytest.mark.parametrize("name", ["gnn-lsh", "tracks-and-cells", "window"])
def test_the_exported_network_turns_with_the_event_too(name: str) -> None:
    model = network(name)
    assert parity(model, 200, inputs=EVENT).largest_difference < 1e-4
    session = onnxruntime.InferenceSession(to_onnx(model, EVENT, TWO_CLASSES).SerializeToString())
    scores = []
    for angle in (0.0, 0.5):
        points, features, mask, _ = event(angle, dtype=torch.float32)
        given = {
            "points": points.transpose(1, 2),
            "features": features.transpose(1, 2),
            "mask": mask.float().unsqueeze(1),
        }
        found = session.run(None, {name: tensor.numpy() for name, tensor in given.items()})[0]
        scores.append(found)
    # In single precision a node at a cell's edge may fall to the other side.
    np.testing.assert_allclose(scores[1], scores[0], atol=2e-3)
