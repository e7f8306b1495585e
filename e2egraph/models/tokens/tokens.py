"""What tokens are made from, and what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from e2egraph.detector.channels import Channel
from e2egraph.models.layers.geometry.places import place_of
from e2egraph.models.layers.readout.pooling import Energies
from e2egraph.tasks.inputs import Inputs


@dataclass(frozen=True)
class Nodes:
    """The nodes of B jets with what several kinds of tokens read; padding is zero. Made by ``NodeMaker``.

    Channels first, as whole rows are read, joined and scaled faster than columns. ``points`` [B, 2, N] [rad];
    ``variables`` [B, V, N] raw; ``flags`` [B, channels, N] one-hot; ``is_track``, ``is_other`` [B, N] bool; ``energy``
    [B, E, N] [GeV] as ``pooling.Energies``; ``weights`` [B, channels + E, N]: flags and energy;
    ``place`` [B, 4, N]: 1, for layers without a bias of their own, which costs a pass over all nodes, and ``place_of``.
    """

    points: Tensor
    variables: Tensor
    flags: Tensor
    is_track: Tensor
    is_other: Tensor
    energy: Tensor
    weights: Tensor
    place: Tensor


@dataclass(frozen=True)
class Tokens:
    """``x`` [B, T, width]; ``points`` [B, T, 2] [rad]; ``energy`` [B, T, E] [GeV]; ``found`` [B, T]: whether there is
    one; nothing else means anything where there is none. ``place`` [B, N]: which of the T tokens each node is part of,
    T for none; where makers are asked for it (``places``)."""

    x: Tensor
    points: Tensor
    energy: Tensor
    found: Tensor
    place: Tensor | None = None


class NodeMaker(nn.Module):
    """``points`` [B, 2, N], ``features`` [B, V, N] (zero in padding) and ``valid`` [B, N] (bool) → ``Nodes``."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__()
        self.energies = Energies(inputs)
        self.unit, self.periodic = inputs.region.half_eta, inputs.region.periodic
        self.variables = len(inputs.variables)
        track = f"is_{Channel.TRACK.name}"
        self.track = inputs.index(track) if inputs.has(track) else None

    def forward(self, points: Tensor, features: Tensor, valid: Tensor) -> Nodes:
        variables, flags = features[:, : self.variables], features[:, self.variables :]
        energy = self.energies.rows(features)
        weights = torch.cat([flags, energy], dim=1)
        one = torch.ones_like(points[:, :1])
        place = torch.cat([one, place_of(points, self.unit, dim=1, periodic=self.periodic)], dim=1)
        if self.track is None:
            return Nodes(points, variables, flags, torch.zeros_like(valid), valid, energy, weights, place)
        flag = features[:, self.track]
        return Nodes(points, variables, flags, flag > 0.5, valid & (flag <= 0.5), energy, weights, place)


def joined(kinds: Sequence[Tokens]) -> Tokens:
    """All kinds of tokens of a jet in one row; what a kind has no energy of is zero."""
    columns = max(kind.energy.shape[-1] for kind in kinds)
    kinds = [
        replace(kind, energy=F.pad(kind.energy, (0, columns - kind.energy.shape[-1])))
        if kind.energy.shape[-1] < columns
        else kind
        for kind in kinds
    ]
    names = ("x", "points", "energy", "found")
    return Tokens(*(torch.cat([getattr(kind, name) for kind in kinds], dim=1) for name in names))


def unpooled(x: Tensor, kinds: Sequence[Tokens]) -> Tensor:
    """The vectors ``x`` [B, T, width] of all ``kinds`` of tokens back at the nodes, [B, N, width]: of each node the sum
    of those that it is part of, zero where there is none."""
    width, total, first = x.shape[2], x.shape[1], 0
    rows = F.pad(x, (0, 0, 0, 1))
    found: Tensor | None = None
    for kind in kinds:
        number = kind.x.shape[1]
        if kind.place is not None:
            index = torch.where(kind.place < number, kind.place + first, total)
            own = torch.gather(rows, 1, index.unsqueeze(2).expand(-1, -1, width))
            found = own if found is None else found + own
        first += number
    assert found is not None
    return found


def of_each(weight: Tensor, rows: Tensor) -> Tensor:
    """The linear map ``weight [M, D]`` of each node's numbers, ``rows [B, D, N]`` → ``[B, M, N]``."""
    if torch.compiler.is_exporting():
        return torch.matmul(weight, rows)
    # Which would turn the rows into columns first.
    return torch.bmm(weight.expand(rows.shape[0], -1, -1), rows)


def perceptron(layers: nn.Sequential, x: Tensor, one: int) -> Tensor:
    """``layers``, linear, ReLU and linear, on the rows ``[R, D − 1]`` in which the number 1 is left out before column
    ``one``: that column of weights is added as a bias, so that all of it is two products."""
    all_weights = layers[0].get_parameter("weight")
    weight, bias = torch.cat([all_weights[:, :one], all_weights[:, one + 1 :]], dim=1), all_weights[:, one]
    result: Tensor = layers[1:](F.linear(x, weight, bias))
    return result
