"""What attention adds to its logits for a pair of nodes: a small network of both and of how far apart they are."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from e2egraph.detector.geometry import ETA_PITCH

# Numbers in the hidden layer of a pair.
HIDDEN = 8

# Two nodes within a tenth of a crystal are at the same place: it keeps the logarithm of their distance finite.
SAME_PLACE = 0.1 * ETA_PITCH


class PairwiseBias(nn.Module):
    """V ReLU(A x_i + B x_j + c ln ΔR²_ij): ``x [B, N, width]``, ``points [B, N, 2]`` (Δη, Δφ) → ``[B, heads, N, N]``.

    After the interaction matrix of Particle Transformer (H. Qu, C. Li, S. Qian, ICML 2022, arXiv:2202.03772, §3), where
    a perceptron reads the logarithms of Δ, k_T, z and m² of two particles. Hits have no four-momenta; but all of these
    are made of what each node says of itself and of their distance, so that a hidden layer of both can be sums over
    rows and columns, and only ln ΔR² is computed for each pair. No bias of the last layer: a softmax over j would not
    feel it. ``unit`` [rad]: of distances, half the region's extent along η.
    """

    def __init__(self, width: int, heads: int, unit: float) -> None:
        super().__init__()
        self.unit = unit
        self.ends = nn.Linear(width, 2 * HIDDEN)
        self.closeness = nn.Parameter(0.3 * torch.randn(HIDDEN))
        self.heads = nn.Linear(HIDDEN, heads, bias=False)

    def forward(self, x: Tensor, points: Tensor) -> Tensor:
        n_jets, n_nodes, _ = x.shape
        first, second = self.ends(x).transpose(1, 2).unsqueeze(-1).split(HIDDEN, dim=1)  # [B, H, N, 1]
        near = closeness(points, self.unit).to(x.dtype).unsqueeze(1) * self.closeness.view(-1, 1, 1)
        hidden = torch.relu(near + first + second.transpose(2, 3))
        bias = torch.matmul(self.heads.weight, hidden.flatten(2))
        return bias.view(n_jets, self.heads.out_features, n_nodes, n_nodes)


def closeness(points: Tensor, unit: float) -> Tensor:
    """ln ΔR² of every pair of ``points [B, N, 2]``, in units of ``unit`` [rad]: [B, N, N]."""
    difference = points.unsqueeze(2) - points.unsqueeze(1)
    eta, phi = difference[..., 0], difference[..., 1]
    # Exactly phi wherever |phi| < π, as in every jet.
    phi = phi - 2.0 * math.pi * torch.round(phi / (2.0 * math.pi))
    return torch.log((eta * eta + phi * phi + SAME_PLACE**2) / unit**2)
