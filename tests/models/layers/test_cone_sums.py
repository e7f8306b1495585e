"""Sums around nodes against Gaussian sums over all pairs, and where there can be none."""

import math

import pytest
import torch
from torch import Tensor

from e2egraph.errors import UsageError
from e2egraph.models.layers.geometry.cone_sums import ConeSums
from e2egraph.tasks.task import load_task
from tests.all_inputs import INPUTS
from tests.flow_dataset import flow_task

FLOW = flow_task().network_inputs


def event(nodes: int = 1200) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    eta, phi, value = torch.rand(3, 1, nodes, generator=generator)
    features = torch.zeros(1, nodes, FLOW.n_features)
    features[..., FLOW.index("value")] = 10 * value
    features[..., len(FLOW.variables) :] = torch.nn.functional.one_hot(torch.arange(nodes) % 3, 3).float()
    points = torch.stack([(2 * eta - 1) * 2.9, (2 * phi - 1) * math.pi], dim=-1)
    return points, features, torch.ones(1, nodes, dtype=torch.bool)


def in_gev(sums: Tensor) -> Tensor:
    scale = FLOW.variables[FLOW.index("value")].scale
    return torch.sinh(sums / scale.gain) * scale.unit


@pytest.mark.parametrize("width", [0.025, 0.1, 0.2])
def test_sums_are_close_to_those_over_all_pairs_with_gaussian_weights(width: float) -> None:
    points, features, valid = event()
    found = in_gev(ConeSums(FLOW, [width])(points, features, valid))[0]
    apart = points[0].unsqueeze(1) - points[0].unsqueeze(0)
    apart[..., 1] = torch.remainder(apart[..., 1] + math.pi, 2 * math.pi) - math.pi
    weight = torch.exp(-apart.square().sum(-1) / (2 * width**2))
    value, kind = features[0, :, FLOW.index("value")], torch.arange(len(points[0])) % 3
    exact = torch.stack([weight @ (value * (kind == each)) for each in (0, 1, 2)], dim=-1)
    assert (found - exact).abs().mean() < 0.13 * exact.mean()
    assert torch.corrcoef(torch.stack([found.flatten(), exact.flatten()]))[0, 1] > 0.98


def test_neighbours_across_the_seam_of_phi_count_and_padding_does_not() -> None:
    points = torch.tensor([[[0.1, math.pi - 0.004], [0.1, -math.pi + 0.004], [0.1, 0.0]]])
    features = torch.zeros(1, 3, FLOW.n_features)
    features[..., FLOW.index("value")] = 10.0
    features[..., FLOW.index("is_ECAL")] = 1.0
    near = in_gev(ConeSums(FLOW, [0.1])(points, features, torch.tensor([[True, True, True]])))[0, :, 1]
    assert near[0] > 1.7 * near[2]
    alone = in_gev(ConeSums(FLOW, [0.1])(points, features, torch.tensor([[True, False, True]])))[0, :, 1]
    assert alone[0] == pytest.approx(float(near[0]) / 2, rel=0.1)


def test_a_track_counts_for_the_tower_that_it_ends_in_and_for_the_crystal_it_passed() -> None:
    inputs = load_task("particle-flow").network_inputs
    points = torch.tensor([[[0.1, 0.0], [0.1, 0.0], [0.1, 0.5]]])
    features = torch.zeros(1, 3, inputs.n_features)
    for node, kind in enumerate(("TRACK", "ECAL", "HCAL")):
        features[0, node, inputs.index(f"is_{kind}")] = 1.0
    features[0, 0, inputs.index("value")] = 10.0
    features[0, 0, inputs.index("dphi_hcal")] = 0.5
    ecal, hcal = in_gev(ConeSums(inputs, [0.1])(points, features, torch.ones(1, 3, dtype=torch.bool)))[0, :, [0, 3]].T
    assert ecal[1] > 5 and ecal[2] == 0
    assert hcal[2] > 5 and hcal[1] == 0


def test_other_regions_are_refused() -> None:
    with pytest.raises(UsageError, match=r"cone_sums adds up over whole events, but nodes lie in 125×125 pixels"):
        ConeSums(INPUTS, [0.1])
