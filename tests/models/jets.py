"""Padded jets for the tests of networks: continuous or lattice coordinates, any lengths."""

from __future__ import annotations

import torch
from torch import Tensor

from e2egraph.detector.channels import channels
from e2egraph.detector.geometry import ETA_PITCH, PHI_PITCH
from e2egraph.graphs.columns import JET_VARIABLES, VARIABLES
from e2egraph.models.network import N_FEATURES

Inputs = tuple[Tensor, Tensor, Tensor, Tensor]


def jets(counts: list[int], *, lattice: bool = False, n: int | None = None, seed: int = 0) -> Inputs:
    """``points, features, mask, jet`` of jets with ``counts`` nodes, padded to ``n`` (default: the longest).

    On the lattice nodes sit on crystal centres, several on one, with few different deposits.
    """
    generator = torch.Generator().manual_seed(seed)
    B, N = len(counts), max(counts, default=0) if n is None else n
    cells = torch.randn(B, N, 2, generator=generator) * 20
    if lattice:
        cells = (cells / 10).round() * 10
    points = cells.clamp(-62, 62) * torch.tensor([ETA_PITCH, PHI_PITCH], dtype=torch.float32)
    channel = torch.randint(0, len(channels()), (B, N), generator=generator)
    features = torch.zeros(B, N, N_FEATURES)
    raw = torch.randn(B, N, len(VARIABLES), generator=generator)
    features[..., : len(VARIABLES)] = raw.round() if lattice else raw
    features[..., 1] = features[..., 1].exp()
    features[..., len(VARIABLES) :] = torch.nn.functional.one_hot(channel, len(channels())).float()
    mask = torch.arange(N) < torch.tensor(counts).unsqueeze(1)
    present = mask.unsqueeze(-1)
    jet = torch.randn(B, len(JET_VARIABLES), generator=generator)
    return points * present, features * present, mask, jet
