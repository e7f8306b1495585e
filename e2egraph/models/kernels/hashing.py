"""Locality-sensitive hashing of points: a learned embedding, and which of some random directions it lies nearest to.

The hash reads raw (Δη, Δφ) alone, and in float64. Its argmax jumps, and where it does, the borders of all later bins
move: hashing the learned vectors, as published, makes ONNX Runtime, whose float32 differs in the last bits, see other
bins than torch. The points are the same bits in both, and in float64 two roundings disagree on one node in 10¹².
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from e2egraph.models.kernels.search.neighbors import CPU_BLOCK
from e2egraph.models.layers.geometry.places import coordinates_of

# Initial spread of the frequencies, in radians per half region: the embedding turns over about a fifth of it, which is
# how far apart the bins of a jet of some thousand nodes are. A perceptron with ReLU turns so little over the window
# that most directions stay empty (8 of 64 bins in use on a uniform window, here 45).
FREQUENCY = 5.0

# Scores that agree to this count as equal, and the lower number wins, so that rounding never decides a bin.
TIE = 2.0**-40


class PointEmbedding(nn.Module):
    """``points [B, N, 2]`` (rad) → p = W sin(F points / unit + b), [B, N, space], in the precision of the points.

    Where φ is ``periodic``, F has three columns, for (η, cos φ, sin φ) / unit.

    F, b and W are learned; at first F and b are those of random Fourier features (A. Rahimi, B. Recht, NeurIPS 2007),
    so that p·p′ falls with the distance of the points, equally in every direction.
    """

    def __init__(self, space: int, unit: float, periodic: bool = False) -> None:
        super().__init__()
        self.periodic = periodic
        # Rounded to float32 as the exporter rounds every constant: the hash in ONNX is the same.
        self.per_radian = float(np.float32(1.0 / unit))
        self.frequencies = nn.Linear(3 if periodic else 2, space)
        self.mix = nn.Linear(space, space, bias=False)
        nn.init.normal_(self.frequencies.weight, std=FREQUENCY)
        nn.init.uniform_(self.frequencies.bias, -math.pi, math.pi)

    def forward(self, points: Tensor) -> Tensor:
        # Not a matrix product: autocast would round phases of many radians to two digits.
        scaled = (coordinates_of(points, self.periodic) * self.per_radian).unsqueeze(-2).unbind(-1)  # [B, N, 1] each
        along = self.frequencies.weight.to(points.dtype).unbind(-1)
        first, *others = (coordinate * turns for coordinate, turns in zip(scaled, along, strict=True))
        phase = sum(others, first) + self.frequencies.bias.to(points.dtype)
        return F.linear(torch.sin(phase), self.mix.weight.to(points.dtype))


def bin_numbers(p: Tensor, rotations: Tensor, mask: Tensor, bin_size: int) -> Tensor:
    """argmax [p R, −p R] of each node (cross-polytope hashing: A. Andoni et al., NeurIPS 2015, arXiv:1509.02897, §2).

    ``p [B, N, S]`` (its mean over the nodes of ``mask [B, N]`` is taken off first), ``rotations`` R [rounds, S, H].
    A jet of n nodes uses the first ⌈n / 2 ``bin_size``⌉ columns of R (H at most, one at least), each for two opposite
    directions: as many bins as its nodes fill, whatever it is padded to. Returns whole numbers below 2 H,
    [B, rounds, N] int64: 2 j for column j, 2 j + 1 for its opposite.
    """
    rounds, space, n_columns = rotations.shape
    # What no jet of this many places can use need not be computed; an exported graph finds out how many when it runs.
    n_columns = torch.sym_max(1, torch.sym_min(n_columns, (p.shape[1] + 2 * bin_size - 1) // (2 * bin_size)))
    count = mask.sum(1, keepdim=True)
    p = p.masked_fill(~mask.unsqueeze(-1), 0.0)
    p = p - (p.sum(1) / count.clamp(min=1).to(p.dtype)).unsqueeze(1)
    columns = rotations[..., :n_columns].transpose(0, 1).reshape(space, rounds * n_columns)
    number = torch.arange(n_columns, device=p.device)
    in_use = number < torch.clamp((count + 2 * bin_size - 1) // (2 * bin_size), min=1)  # [B, columns]
    handicap = torch.where(in_use, number.to(p.dtype) * TIE, float("inf"))[:, None, None, :]
    columns = columns.to(p.dtype).unflatten(-1, (rounds, n_columns))
    if torch.compiler.is_compiling() or torch.compiler.is_exporting() or not p.is_cpu:
        return _nearest_direction(p, columns, handicap).transpose(1, 2)
    # Some nodes at a time, whose scores stay in the cache.
    n_nodes = max(1, CPU_BLOCK // 4 // (rounds * n_columns))
    n_jets = max(1, n_nodes // max(1, p.shape[1]))
    numbers = [
        torch.cat([_nearest_direction(nodes, columns, of_jets) for nodes in jets.split(n_nodes, 1)], 1)
        for jets, of_jets in zip(p.split(n_jets), handicap.split(n_jets), strict=True)
    ]
    return torch.cat(numbers).transpose(1, 2)


def _nearest_direction(p: Tensor, columns: Tensor, handicap: Tensor) -> Tensor:
    """2 argmax |p columns| − handicap, and 1 more where the score is negative: ``p [B, N, S]`` → [B, N, rounds].

    ``columns [S, rounds, n]``, ``handicap [B, 1, 1, n]``.
    """
    score = torch.matmul(p, columns.flatten(1)).unflatten(-1, columns.shape[1:])
    best = score.abs().sub_(handicap).argmax(-1, keepdim=True)
    opposite = torch.gather(score, -1, best) < -TIE
    return (2 * best + opposite).squeeze(-1)
