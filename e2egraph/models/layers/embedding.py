"""Raw nodes → vectors of one width: physical scaling, then a two-layer perceptron on each node."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from e2egraph.models.layers.geometry.places import place_of
from e2egraph.models.layers.scaling import NodeScaling
from e2egraph.tasks.inputs import Inputs


class Embedding(nn.Module):
    """``points [B, N, 2]``, ``features [B, N, V]`` (raw) → ``[B, N, width]``; nodes do not see each other here."""

    def __init__(self, width: int, inputs: Inputs) -> None:
        super().__init__()
        self.scaling = NodeScaling(inputs)
        self.unit, self.periodic = inputs.region.half_eta, inputs.region.periodic
        # Δη, Δφ and ΔR² next to the features: the distance to the jet axis is what most substructure is a function of.
        self.layers = nn.Sequential(nn.Linear(inputs.n_features + 3, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, points: Tensor, features: Tensor) -> Tensor:
        if self.periodic:
            place = [place_of(points, self.unit, periodic=True)]
        else:
            position = points / self.unit
            place = [position, position.square().sum(-1, keepdim=True)]
        x: Tensor = self.layers(torch.cat([*place, self.scaling(features)], dim=-1))
        return x
