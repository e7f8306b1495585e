"""Tracks and cells as its classes describe it, jet by jet in double precision: the network's scores and gradients."""

import copy
import math
from collections import defaultdict

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from e2egraph.detector.geometry import ETA_PITCH, PHI_PITCH
from e2egraph.models.kernels.near_attention import LARGEST, OFFSET_SCALE, NearAttentionKernel
from e2egraph.models.layers.readout.pooling import SMALLEST_ENERGY, TYPICAL_NODES
from e2egraph.models.layers.standardize import EPSILON
from e2egraph.models.registry import build_model, load_model_config
from e2egraph.models.tokens import cell_tokens, flow
from e2egraph.models.tokens.cells import ENERGY_OF_A_HIT
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.models.jets import jets

V = len(INPUTS.variables)
UNIT = INPUTS.region.half_eta
ENERGIES = [INPUTS.channel_names.index(name) for name in ("TRACK", "ECAL", "HCAL")]


def place_of(points: Tensor) -> Tensor:
    position = points / UNIT
    return torch.cat([torch.ones(len(points), 1), position, (position**2).sum(1, keepdim=True)], dim=1)


def scaled(variables: Tensor, names: list[str]) -> Tensor:
    columns = []
    for name in names:
        scale, x = INPUTS.variables[INPUTS.index(name)].scale, variables[:, INPUTS.index(name)]
        columns.append(scale.gain * (x / scale.unit if scale.linear else torch.asinh(x / scale.unit)))
    return torch.stack(columns, dim=1)


def track_tokens(make: nn.Module, points: Tensor, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    tracks = torch.nonzero(features[:, V] > 0.5).flatten()
    value = features[:, INPUTS.index("value")]
    chosen = tracks[torch.argsort(value[tracks], descending=True)][: make.n_tracks]
    names = [name for name in INPUTS.variable_names if name not in ("rho", "time")]
    x = make.layers(torch.cat([place_of(points[chosen]), scaled(features[chosen], names)], dim=1))
    energy = torch.stack([value[chosen], *[torch.zeros(len(chosen))] * 2], dim=1)
    return x, points[chosen], energy


def cell_numbers(points: Tensor) -> Tensor:
    """Row and column of the cell of 5×5 crystals that each node lies in, of the 25×25 in the window."""
    per_rad = torch.tensor(np.float32([1 / ETA_PITCH, 1 / PHI_PITCH]))
    return torch.div(torch.floor(points.float() * per_rad + 0.5) + 62, 5, rounding_mode="floor")


def tokens_of_cells(make: nn.Module, points: Tensor, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    value, flags = features[:, INPUTS.index("value")].clamp(min=0), features[:, V:]
    numbers = cell_numbers(points)
    middle = (numbers.double() * 5 + 2 - 62) * torch.tensor([ETA_PITCH, PHI_PITCH])
    offset = (points - middle) / (2.5 * torch.tensor([ETA_PITCH, PHI_PITCH]))
    others = flags[:, 1:]
    energy = flags[:, ENERGIES] * value.unsqueeze(1)
    own = torch.cat([place_of(points), offset, scaled(features, ["value", "time"]), others], dim=1)
    members: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i in torch.nonzero(flags[:, 0] < 0.5).flatten().tolist():
        members[(int(numbers[i, 0]), int(numbers[i, 1]))].append(i)
    totals = {cell: float(energy[i].sum()) + len(i) * ENERGY_OF_A_HIT for cell, i in members.items()}
    kept = sorted(members, key=lambda cell: (-totals[cell], cell))[: make.group.keep]
    x, places, energies = [torch.zeros(0, make.layers[0].in_features)], [torch.zeros(0, 2)], [torch.zeros(0, 3)]
    for cell in kept:
        i = members[cell]
        learned = torch.relu(own[i] @ make.node.weight.T).sum(0) / cell_tokens.TYPICAL_NODES
        counts = torch.asinh(others[i].sum(0) / cell_tokens.TYPICAL_NODES)
        deposits = torch.asinh(energy[i][:, 1:].sum(0) / cell_tokens.TYPICAL_ENERGY)
        x.append(torch.cat([learned, counts, deposits, place_of(middle[i[:1]])[0]]).unsqueeze(0))
        places.append(middle[i[:1]])
        energies.append(energy[i].sum(0, keepdim=True))
    return make.layers(torch.cat(x)), torch.cat(places), torch.cat(energies)


def mixed(kernel: nn.Module, x: Tensor, points: Tensor) -> Tensor:
    projection = kernel.projection
    q, k, v = projection.qkv(x).view(len(x), 3, projection.heads, -1).permute(1, 2, 0, 3)
    logits = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
    if not isinstance(kernel, NearAttentionKernel):
        return projection.output((torch.softmax(logits, 2) @ v).transpose(0, 1).flatten(1))
    eta, phi = (points.unsqueeze(0) - points.unsqueeze(1)).unbind(-1)
    squared = (eta**2 + 2 - 2 * torch.cos(phi)) / UNIT**2
    fading = kernel.log_fading.exp().clamp(max=LARGEST).view(-1, 1, 1)
    share = torch.softmax(logits - fading * squared, dim=2)
    offsets = torch.stack([eta / UNIT, torch.sin(phi) / UNIT, squared], dim=-1)
    moments = torch.einsum("hij,ijm->ihm", share, offsets) * OFFSET_SCALE
    return projection.output((share @ v).transpose(0, 1).flatten(1)) + kernel.moments(moments.flatten(1))


def scores_of_a_jet(network: nn.Module, points: Tensor, features: Tensor) -> Tensor:
    track_maker, *cell_makers = network.makers
    kinds = [track_tokens(track_maker, points, features)]
    kinds += [tokens_of_cells(make, points, features) for make in cell_makers]
    x, places, energy = (torch.cat(parts) for parts in zip(*kinds, strict=True))
    for block in network.encoder.blocks if len(x) else ():
        x = x + mixed(block.kernel, block.kernel_norm(x), places)
        x = x + block.node(block.node_norm(x))
    x = network.pooling.node(network.encoder.norm(x))
    x = torch.cat([x, torch.zeros(1, x.shape[1])])  # nothing is below zero
    share = energy / energy.sum(0).clamp(min=SMALLEST_ENERGY)
    mean, total = x.sum(0) / max(len(x) - 1, 1), torch.asinh(x.sum(0) / TYPICAL_NODES)
    flags, value = features[:, V:], features[:, INPUTS.index("value")].clamp(min=0)
    weights = torch.cat([flags, flags[:, ENERGIES] * value.unsqueeze(1)], dim=1)
    place = place_of(points)
    functions = torch.cat([place[:, :1], torch.relu(network.flow.place(place))], dim=1)
    moments = torch.asinh(weights.T @ functions / flow.UNIT)
    pooled = torch.cat([mean, x.max(0).values, total, (share.T @ x[:-1]).flatten(), moments.flatten()])
    standard = network.standardize
    scores: Tensor = network.head((pooled - standard.mean) / torch.sqrt(standard.variance + EPSILON))
    return scores


@pytest.mark.parametrize("name", ["tracks-and-cells", "tracks-and-cells-small", "tracks-and-cells-large"])
def test_scores_and_gradients_are_those_of_the_formulas(name: str) -> None:
    torch.manual_seed(3)
    network = build_model(load_model_config(name), INPUTS, TWO_CLASSES).train()
    points, features, mask, jet = jets([700, 200, 30, 1, 0])
    network(points, features, mask, jet)  # statistics of pooled jets
    network.eval()
    found = network(points, features, mask, jet)
    plain = copy.deepcopy(network).double()
    torch.set_default_dtype(torch.float64)
    try:
        nodes = [(p[m].double(), f[m].double()) for p, f, m in zip(points, features, mask, strict=True)]
        expected = torch.stack([scores_of_a_jet(plain, *of_jet) for of_jet in nodes])
        of_scores = torch.linspace(-1, 1, expected.numel()).view_as(expected)
        (expected * of_scores).sum().backward()
    finally:
        torch.set_default_dtype(torch.float32)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)
    (found * of_scores.float()).sum().backward()
    for (which, ours), theirs in zip(network.named_parameters(), plain.parameters(), strict=True):
        assert ours.grad is not None and theirs.grad is not None
        error = (ours.grad - theirs.grad).abs().max() / theirs.grad.abs().max()
        assert error < 1e-3, f"{which}: {error}"
