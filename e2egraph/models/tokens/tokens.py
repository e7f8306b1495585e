"""What tokens are made from, and what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from e2egraph.detector.channels import Channel
from e2egraph.graphs.columns import VARIABLES
from e2egraph.models.network import feature_index
from e2egraph.models.pooling import energies
from e2egraph.models.scaling import HALF_WINDOW


@dataclass(frozen=True)
class Nodes:
    """The nodes of B jets with what several kinds of tokens read; padding is zero. Made by ``nodes_of``.

    ``points`` [B, N, 2] [rad]; ``features`` [B, N, V] raw; ``flags`` [B, N, channels] one-hot; ``is_track``,
    ``is_other`` [B, N] bool; ``energy`` [B, N, 3] [GeV] as ``pooling.energies``; ``place`` [B, N, 4]: ``place_of``.
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
    """``x`` [B, T, width]; ``points`` [B, T, 2] [rad]; ``energy`` [B, T, 3] [GeV]; ``found`` [B, T]: whether there is
    one, all else being of no account where there is none."""

    x: Tensor
    points: Tensor
    energy: Tensor
    found: Tensor


def nodes_of(points: Tensor, features: Tensor, valid: Tensor) -> Nodes:
    """``points`` [B, N, 2], ``features`` [B, N, V] (zero in padding) and ``valid`` [B, N] (bool) as ``Nodes``."""
    flags = features[..., len(VARIABLES) :]
    is_track = features[..., feature_index(f"is_{Channel.TRACK.name}")] > 0.5
    return Nodes(points, features, flags, is_track, valid & ~is_track, energies(features), place_of(points))


def joined(kinds: Sequence[Tokens]) -> Tokens:
    """All kinds of tokens of a jet in one row."""
    return Tokens(*(torch.cat([getattr(kind, name) for kind in kinds], dim=1) for name in Tokens.__annotations__))


def place_of(points: Tensor) -> Tensor:
    """1, ``points [..., 2]`` in units of half the window, and their squared length: [..., 4].

    The first for layers without a bias of their own, which costs a pass over all nodes.
    """
    position = points / HALF_WINDOW
    square = position.square().sum(-1, keepdim=True)
    return torch.cat([torch.ones_like(square), position, square], dim=-1)


def columns(features: Tensor, names: Sequence[str]) -> Tensor:
    """Variables of ``features [..., V]`` by name, in their order: [..., names]."""
    return features.index_select(-1, torch.tensor([feature_index(name) for name in names], device=features.device))
