"""What tokens are made from, and what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from e2egraph.detector.channels import Channel
from e2egraph.models.layers.pooling import Energies
from e2egraph.tasks.inputs import Inputs


@dataclass(frozen=True)
class Nodes:
    """The nodes of B jets with what several kinds of tokens read; padding is zero. Made by ``NodeMaker``.

    ``points`` [B, N, 2] [rad]; ``features`` [B, N, V] raw; ``flags`` [B, N, channels] one-hot; ``is_track``,
    ``is_other`` [B, N] bool; ``energy`` [B, N, E] [GeV] as ``pooling.Energies``; ``place`` [B, N, 4]: ``place_of``.
    """

    points: Tensor
    features: Tensor
    flags: Tensor
    is_track: Tensor
    is_other: Tensor
    energy: Tensor
    place: Tensor


@dataclass(frozen=True)
class Tokens:
    """``x`` [B, T, width]; ``points`` [B, T, 2] [rad]; ``energy`` [B, T, E] [GeV]; ``found`` [B, T]: whether there is
    one; nothing else means anything where there is none."""

    x: Tensor
    points: Tensor
    energy: Tensor
    found: Tensor


class NodeMaker(nn.Module):
    """``points`` [B, N, 2], ``features`` [B, N, V] (zero in padding) and ``valid`` [B, N] (bool) → ``Nodes``."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__()
        self.energies = Energies(inputs)
        self.unit = inputs.region.half_eta
        self.variables = len(inputs.variables)
        track = f"is_{Channel.TRACK.name}"
        self.track = inputs.index(track) if inputs.has(track) else None

    def forward(self, points: Tensor, features: Tensor, valid: Tensor) -> Nodes:
        flags = features[..., self.variables :]
        is_track = torch.zeros_like(valid) if self.track is None else features[..., self.track] > 0.5
        place = place_of(points, self.unit)
        return Nodes(points, features, flags, is_track, valid & ~is_track, self.energies(features), place)


def joined(kinds: Sequence[Tokens]) -> Tokens:
    """All kinds of tokens of a jet in one row."""
    return Tokens(*(torch.cat([getattr(kind, name) for kind in kinds], dim=1) for name in Tokens.__annotations__))


def place_of(points: Tensor, unit: float) -> Tensor:
    """1, ``points [..., 2]`` in units of ``unit`` [rad], and their squared length: [..., 4].

    The first for layers without a bias of their own, which costs a pass over all nodes.
    """
    position = points / unit
    square = position.square().sum(-1, keepdim=True)
    return torch.cat([torch.ones_like(square), position, square], dim=-1)


def columns(features: Tensor, index: Sequence[int]) -> Tensor:
    """Columns of ``features [..., V]`` at ``index``, in its order: [..., len(index)]."""
    return features.index_select(-1, torch.tensor(list(index), device=features.device))
