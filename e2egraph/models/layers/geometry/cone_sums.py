"""Sums of momenta and energies around each node: what attention, which averages, cannot add up.

Of a track and the calorimeter deposits near it, what counts is how much energy there is in all: more than the track
explains is a neutral particle's. The sums are taken on grids over the detector, one for each width, so that time and
memory grow with the number of nodes alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from e2egraph.errors import UsageError
from e2egraph.models.layers.scaling import VariableScaling
from e2egraph.models.network import require
from e2egraph.tasks.inputs import Inputs

# A deposit is shared among the four nearest points of the grid by its distance to them (h²/6 of variance along each
# axis, for pitch h), the grid is smoothed with 1/4, 1/2, 1/4 (h²/2), and read as deposits are put (h²/6): √(5/6) h.
WIDTH_PER_PITCH = math.sqrt(5.0 / 6.0)

# What a deposit counts at no distance, on average over places between the points: (1/2 · 2/3 + 2 · 1/4 · 1/6)².
AT_ZERO = (5.0 / 12.0) ** 2

# Where a node is at the HCAL, from where it is at the ECAL.
AT_HCAL = "dphi_hcal"

# Rows of the grid beyond the region at either end: what is put or smoothed there finds a place.
MARGIN = 3


class ConeSums(nn.Module):
    """``points [B, N, 2]`` (η, φ), raw ``features [B, N, V]``, ``valid [B, N]`` → ``[B, N, 3 · faces · widths]``.

    Of each of ``widths`` [rad], Σ_j w(ΔR_ij) pT_j over tracks, over ECAL and over HCAL deposits, where nodes are at the
    ECAL, and where the inputs have ``dphi_hcal``, where they are at the HCAL as well; w is nearly a Gaussian of that
    width, 1 at no distance, and the node itself is counted. Scaled as ``value`` is. For whole events, whose φ closes:
    UsageError for other regions, or without tracks, ECAL, HCAL and ``value``.
    """

    def __init__(self, inputs: Inputs, widths: Sequence[float]) -> None:
        super().__init__()
        require("model.options.cone_sums", inputs, "value", "is_TRACK", "is_ECAL", "is_HCAL")
        region = inputs.region
        if not region.periodic:
            raise UsageError(
                f"model.options.cone_sums adds up over whole events, but nodes lie in {region.describe()}; leave it "
                "out."
            )
        self.widths, self.half_eta = tuple(widths), region.half_eta
        self.value = inputs.index("value")
        self.flags = [inputs.index(f"is_{name}") for name in ("TRACK", "ECAL", "HCAL")]
        self.to_hcal = inputs.index(AT_HCAL) if inputs.has(AT_HCAL) else None
        self.scaling = VariableScaling(inputs, ["value"])
        self.out_width = (1 if self.to_hcal is None else 2) * len(self.flags) * len(self.widths)

    def extra_repr(self) -> str:
        return f"widths={self.widths}"

    @torch.no_grad()
    def forward(self, points: Tensor, features: Tensor, valid: Tensor) -> Tensor:
        eta, phi = points.unbind(-1)
        value = torch.where(valid, features[..., self.value], 0.0).clamp(min=0.0).unsqueeze(-1)
        deposits = features[..., self.flags] * value
        faces = [phi] if self.to_hcal is None else [phi, phi + features[..., self.to_hcal]]
        sums = [sums_around(eta, face, deposits, width, self.half_eta) for face in faces for width in self.widths]
        return self.scaling(torch.cat(sums, dim=-1))


def sums_around(eta: Tensor, phi: Tensor, deposits: Tensor, width: float, half_eta: float) -> Tensor:
    """Σ_j w(ΔR_ij) deposit_j at each node i of whole events.

    ``eta``, ``phi`` [B, N], ``deposits`` [B, N, K] → [B, N, K]. w is nearly a Gaussian of ``width`` [rad], 1 at no
    distance. What lies beyond ``half_eta`` counts at its edge.
    """
    n_events, kinds = deposits.shape[0], deposits.shape[2]
    columns = math.ceil(2.0 * math.pi * WIDTH_PER_PITCH / width)
    rows = math.ceil(2.0 * half_eta * WIDTH_PER_PITCH / width) + 2 * MARGIN
    # As the exporter rounds constants, so that places are the same in ONNX Runtime.
    row = (eta + half_eta) * _rounded(WIDTH_PER_PITCH / width) + float(MARGIN)
    index, share = _corners(row.clamp(0.0, rows - 2.0), phi * _rounded(columns / (2.0 * math.pi)), columns)
    index = index.flatten(1).unsqueeze(-1).expand(-1, -1, kinds)  # [B, 4 N, kinds]
    put = (share.unsqueeze(-1) * deposits.unsqueeze(1)).flatten(1, 2)
    grid = deposits.new_zeros(n_events, rows * columns, kinds).scatter_add(1, index, put)
    grid = grid.view(n_events, rows, columns, kinds)
    grid = _smooth(grid, torch.cat([grid[:, :, -1:], grid, grid[:, :, :1]], dim=2), 2)
    edge = torch.zeros_like(grid[:, :1])
    grid = _smooth(grid, torch.cat([edge, grid, edge], dim=1), 1)
    found = torch.gather(grid.flatten(1, 2), 1, index).view(n_events, 4, -1, kinds)
    return (share.unsqueeze(-1) * found).sum(1) * _rounded(1.0 / AT_ZERO)


def _corners(row: Tensor, column: Tensor, columns: int) -> tuple[Tensor, Tensor]:
    """The four points of a grid around each node [B, 4, N] (int64, columns wrapped) and the share of each."""
    first, left = torch.floor(row), torch.floor(column)
    down, right = row - first, column - left
    left = left - columns * torch.floor(left / columns)
    next_right = torch.where(left + 1.0 < columns, left + 1.0, 0.0)
    index = torch.stack([one * columns + other for one in (first, first + 1.0) for other in (left, next_right)], dim=1)
    share = torch.stack([one * other for one in (1.0 - down, down) for other in (1.0 - right, right)], dim=1)
    return index.to(torch.int64), share


def _smooth(grid: Tensor, wider: Tensor, along: int) -> Tensor:
    """1/4, 1/2, 1/4 along a dimension of ``grid``; ``wider`` has one more on either side."""
    length = grid.shape[along]
    return 0.5 * grid + 0.25 * (wider.narrow(along, 0, length) + wider.narrow(along, 2, length))


def _rounded(value: float) -> float:
    return float(torch.tensor(value, dtype=torch.float32))
