"""Padded jets for the tests of networks: continuous or lattice coordinates, any lengths."""

from __future__ import annotations

import torch
from torch import Tensor

from e2egraph.detector.geometry import ETA_PITCH, PHI_PITCH
from e2egraph.tasks.inputs import Inputs as NetworkInputs
from tests.all_inputs import INPUTS

Inputs = tuple[Tensor, Tensor, Tensor, Tensor]


def jets(
    counts: list[int],
    *,
    lattice: bool = False,
    n: int | None = None,
    seed: int = 0,
    inputs: NetworkInputs = INPUTS,
) -> Inputs:
    """``points, features, mask, jet`` of jets with ``counts`` nodes, padded to ``n`` (default: the longest).

    ``inputs``: whose variables and channels they have. On the lattice nodes sit on crystal centres, several on one,
    with few different deposits.
    """
    generator = torch.Generator().manual_seed(seed)
    B, N = len(counts), max(counts, default=0) if n is None else n
    cells = torch.randn(B, N, 2, generator=generator) * 20
    if lattice:
        cells = (cells / 10).round() * 10
    half = torch.tensor([inputs.region.half_rows, inputs.region.half_columns])
    points = cells.clamp(-half, half) * torch.tensor([ETA_PITCH, PHI_PITCH], dtype=torch.float32)
    channels, variables = len(inputs.channels), len(inputs.variables)
    channel = torch.randint(0, channels, (B, N), generator=generator)
    features = torch.zeros(B, N, inputs.n_features)
    raw = torch.randn(B, N, variables, generator=generator)
    features[..., :variables] = raw.round() if lattice else raw
    if inputs.has("value"):
        features[..., inputs.index("value")] = features[..., inputs.index("value")].exp()
    features[..., variables:] = torch.nn.functional.one_hot(channel, channels).float()
    mask = torch.arange(N) < torch.tensor(counts).unsqueeze(1)
    present = mask.unsqueeze(-1)
    jet = torch.randn(B, len(inputs.object), generator=generator)
    return points * present, features * present, mask, jet
