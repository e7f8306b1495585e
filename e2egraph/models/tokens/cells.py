"""Hits, crystals and towers pooled into square cells of the region, of which the ones with most energy are kept."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from e2egraph.models.layers.grid import region_pixels
from e2egraph.tasks.region import Region

# GeV that a hit counts for when cells are ranked: cells without energy are ranked by their hits. A power of two, which
# the exporter's rounding of constants to float32 leaves as it is.
ENERGY_OF_A_HIT = 2.0**-10

# What a cell's energy is lowered by for each cell before it: above float64's rounding of sums, below any difference of
# energies that means something. Cells with the same hits are so ordered by position.
POSITION_STEP = 2.0**-40


@dataclass(frozen=True)
class Cells:
    """The kept cells of each jet. Made by ``occupied_cells``.

    ``slot`` [B, N]: the cell of each node among the kept ones, or ``n_cells`` for a node of no kept cell; ``centre``
    [B, C, 2]: Δη, Δφ [rad] of the cells; ``found`` [B, C]: whether there is one; ``offset`` [B, N, 2]: the place of
    each node in its own cell, from −1 to 1.
    """

    n_cells: int
    slot: Tensor
    centre: Tensor
    found: Tensor
    offset: Tensor

    def sums(self, values: Tensor) -> Tensor:
        """``values [B, N, D]`` summed in the kept cells, ``[B, C, D]``; differentiable."""
        if torch.compiler.is_exporting():
            # index_add becomes a ScatterND, whose additions race when ONNX Runtime has several threads.
            number = torch.arange(self.n_cells, device=values.device).view(-1, 1)
            return torch.matmul((self.slot.unsqueeze(1) == number).to(values.dtype), values)
        n_jets, n_nodes, width = values.shape
        first = torch.arange(n_jets, device=values.device).unsqueeze(1) * (self.n_cells + 1)
        rows = (self.slot + first).reshape(-1)
        total = values.new_zeros(n_jets * (self.n_cells + 1), width)
        total = total.index_add(0, rows, values.reshape(n_jets * n_nodes, width))
        return total.view(n_jets, self.n_cells + 1, width)[:, : self.n_cells]


@torch.no_grad()
def occupied_cells(points: Tensor, energy: Tensor, mask: Tensor, n_cells: int, size: int, region: Region) -> Cells:
    """The ``n_cells`` cells of ``size`` × ``size`` crystals with the highest energy (equal ones by position).

    ``points`` [B, N, 2]; ``energy`` [B, N] [GeV] of each node, not negative; ``mask`` [B, N]: the nodes that count.
    With fewer occupied cells than ``n_cells`` the rest is not ``found``.
    """
    n_jets = points.shape[0]
    down, across = -(-region.rows // size), -(-region.columns // size)
    number_of_cells = down * across
    row, column, inside = region_pixels(points, region)
    row, column = row // size, column // size
    counted = mask & inside
    cell = torch.where(counted, row * across + column, number_of_cells)
    # In float64 the sums do not depend on the order of nodes: which cells are kept is the same everywhere.
    weight = (energy.double() + ENERGY_OF_A_HIT) * counted
    total = weight.new_zeros(n_jets, number_of_cells + 1).scatter_add(1, cell, weight)[:, :-1]
    position = torch.arange(number_of_cells, device=points.device, dtype=total.dtype)
    total = total * (1.0 - POSITION_STEP * position)
    if n_cells > number_of_cells:
        total = F.pad(total, (0, n_cells - number_of_cells))
    highest, kept = torch.topk(total, n_cells, dim=1)
    found = highest > 0.0
    # The last place of the table is which nodes of no cell read.
    number = torch.arange(n_cells, device=points.device).expand_as(kept)
    table = torch.full((n_jets, max(number_of_cells, n_cells) + 1), n_cells, device=points.device, dtype=torch.int64)
    table = table.scatter(1, kept, torch.where(found, number, n_cells))
    slot = torch.where(counted, torch.gather(table, 1, cell), n_cells)
    eta, phi = (region.rows, region.eta_pitch), (region.columns, region.phi_pitch)
    centre = torch.stack([_middle(kept // across, size, *eta), _middle(kept % across, size, *phi)], dim=-1)
    own = torch.stack([_middle(row, size, *eta), _middle(column, size, *phi)], dim=-1)
    half = points.new_tensor([0.5 * size * region.eta_pitch, 0.5 * size * region.phi_pitch])
    return Cells(
        n_cells=n_cells,
        slot=slot,
        centre=centre.to(points.dtype) * found.unsqueeze(-1),
        found=found,
        offset=((points - own) / half).clamp(-1.0, 1.0) * counted.unsqueeze(-1),
    )


def _middle(number: Tensor, size: int, pixels: int, pitch: float) -> Tensor:
    """Coordinate [rad] of the middle of cell ``number`` along an axis of ``pixels``, from the middle of the region."""
    return ((number * size).float() + 0.5 * (size - pixels)) * pitch
