"""Hits, crystals and towers pooled into square cells of the region, of which the ones with most energy are kept."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from e2egraph.models.layers.geometry.grid import pixel_axes, pixel_numbers
from e2egraph.tasks.region import Region

# GeV that a hit counts for when cells are ranked: cells without energy are ranked by their hits. A power of two, which
# the exporter's rounding of constants to float32 leaves as it is.
ENERGY_OF_A_HIT = 2.0**-10

# What a cell's energy is lowered by for each cell before it: above float64's rounding of sums, below any difference of
# energies that means something. Cells with the same hits are so ordered by position.
POSITION_STEP = 2.0**-40


@dataclass(frozen=True)
class Cells:
    """The kept cells of each jet. Made by ``CellGrid``.

    ``number`` [B, N]: of each node's cell in the grid, as float, below ``numbers``; ``kept`` [B, C] (int64): of the
    kept cells; ``found`` [B, C]: whether there is one; ``centre`` [B, C, 2]: Δη, Δφ [rad] of the kept cells;
    ``offset`` [B, 2, N]: the place of each node in its own cell, from −1 to 1. Centres that are not found, and offsets
    of nodes that do not count, are finite and mean nothing. The grid has ``side`` cells a row;
    ``around``: cells around φ where it closes on itself, or 0.
    """

    number: Tensor
    numbers: int
    side: int
    around: int
    kept: Tensor
    found: Tensor
    centre: Tensor
    offset: Tensor

    def slot(self) -> Tensor:
        """The place [B, N] of each node's cell among the kept ones, or C for a node of no kept cell."""
        return torch.gather(self._places(), 1, self.number.to(torch.int64))

    def neighbors(self) -> Tensor:
        """The places [B, C, 9] among the kept cells of the nine cells around each, its own in the middle, row by row;
        C where that cell is not kept, or the one in the middle not found."""
        n_jets, n_cells = self.kept.shape
        step = torch.arange(-1, 2, device=self.kept.device)
        rows, columns = step.repeat_interleave(3), step.repeat(3)
        near = self.kept.unsqueeze(2) + (rows * self.side + columns)
        if self.around:
            column = torch.remainder(self.kept, self.side).unsqueeze(2) + columns
            near = near + self.around * ((column < 1).to(torch.int64) - (column > self.around).to(torch.int64))
        # Cell 0 is of the rim, and never kept.
        near = torch.where(self.found.unsqueeze(2), near, 0)
        return torch.gather(self._places(), 1, near.flatten(1)).view(n_jets, n_cells, len(rows))

    def _places(self) -> Tensor:
        """The place [B, numbers] of each cell of the grid among the kept ones, or C for one that is not kept."""
        n_jets, n_cells = self.kept.shape
        places = torch.arange(n_cells, device=self.kept.device)
        table = torch.full((n_jets, self.numbers), n_cells, device=self.kept.device, dtype=torch.int64)
        return table.scatter(1, self.kept, torch.where(self.found, places, n_cells))

    def sums(self, *values: Tensor) -> Tensor:
        """Rows of numbers of the nodes ``[B, D, N]``, one after the other, summed in the kept cells: ``[B, C, ΣD]``;
        differentiable."""
        if torch.compiler.is_exporting():
            # index_add becomes a ScatterND, whose additions race when ONNX Runtime has several threads.
            wanted = torch.where(self.found, self.kept.to(self.number.dtype), -1.0)
            member = (wanted.unsqueeze(2) == self.number.unsqueeze(1)).to(values[0].dtype)
            return torch.matmul(member, torch.cat(values, dim=1).transpose(1, 2))
        n_jets, n_cells = self.kept.shape
        first = torch.arange(n_jets, device=self.kept.device).unsqueeze(1) * (n_cells + 1)
        slot = (self.slot() + first).flatten()
        totals = []
        for value in values:
            rows = value.transpose(1, 2).flatten(0, 1)
            total = rows.new_zeros(n_jets * (n_cells + 1), rows.shape[1]).index_add(0, slot, rows)
            totals.append(total.view(n_jets, n_cells + 1, rows.shape[1])[:, :n_cells])
        return torch.cat(totals, dim=-1)


class CellGrid(nn.Module):
    """Cells of ``size`` × ``size`` crystals over ``region``; ``forward`` finds the ``n_cells`` with the highest energy.

    Cells are numbered row by row in a square grid with a rim around them, which holds what is not counted. Cells of the
    rim and others that are none of the region's are never kept.
    """

    def __init__(self, n_cells: int, size: int, region: Region) -> None:
        super().__init__()
        self.n_cells, self.size, self.region = n_cells, size, region
        pixels = torch.tensor([[float(region.rows)], [float(region.columns)]])
        pitch = torch.tensor([[region.eta_pitch], [region.phi_pitch]])
        down, across = (-(-number // size) for number in (region.rows, region.columns))
        side = max(down, across) + 2
        self.side, self.last = side, side - 1
        self.parted = region.rows % size > 0 or region.columns % size > 0
        self.around = across if region.periodic and region.columns % size == 0 else 0
        per_rad, shift, first = (torch.tensor(values).unsqueeze(1) for values in zip(*pixel_axes(region), strict=True))
        weight = torch.zeros(side, side, dtype=torch.float64)
        position = torch.arange(down * across, dtype=torch.float64).view(down, across)
        weight[1 : down + 1, 1 : across + 1] = 1.0 - POSITION_STEP * position
        middle = ((torch.arange(side) - 1.0) * size + 0.5 * (size - pixels)) * pitch  # [2, side]
        constants = {
            "per_rad": per_rad,
            "shift": shift,
            # The middle of a pixel, counted from the outer edge of the rim: no rounding moves it to another cell.
            "first": first + size + 0.5,
            "edge": pixels + size,
            "stride": torch.tensor([[float(side)], [1.0]]),
            # Offset 0 in cell c of an axis is at (2 c − zero) half cells.
            "per_half_cell": 2.0 / (size * pitch),
            "zero": 1.0 + pixels / size,
            "weight": _filled(weight.flatten(), n_cells),
            "centre": _filled(torch.cartesian_prod(middle[0], middle[1]), n_cells),
        }
        for name, values in constants.items():
            self.register_buffer(name, values, persistent=False)

    per_rad: Tensor
    shift: Tensor
    first: Tensor
    edge: Tensor
    stride: Tensor
    per_half_cell: Tensor
    zero: Tensor
    weight: Tensor
    centre: Tensor

    @torch.no_grad()
    def forward(self, points: Tensor, energy: Tensor, mask: Tensor) -> Cells:
        """``points`` [B, 2, N]; ``energy`` [B, N] [GeV] of each node, not negative; ``mask`` [B, N]: the nodes that
        count. Of cells of equal energy the first are kept; with fewer occupied ones than ``n_cells`` the rest is not
        ``found``."""
        pixel = pixel_numbers(points, self.per_rad, self.shift, self.first)
        if self.region.periodic:
            columns, column = self.region.columns, pixel[:, 1:]
            turns = torch.floor((column - self.size) / columns)
            pixel = torch.cat([pixel[:, :1], column - columns * turns], dim=1)
        cell = torch.floor(pixel * (1.0 / self.size))
        if self.parted:  # the last cell of an axis ends beyond the region
            cell = torch.where(pixel < self.edge, cell, float(self.last))
        cell = cell.clamp(0.0, float(self.last))
        offset = points * self.per_half_cell + self.zero - 2.0 * cell
        if self.region.periodic:
            # A node that rounding put beyond one end of φ lies in the cells of the other.
            around = self.region.columns * (2.0 / self.size)
            turns = torch.floor(offset[:, 1:] / around + 0.5)
            offset = torch.cat([offset[:, :1], offset[:, 1:] - around * turns], dim=1)
        number = torch.where(mask, (cell * self.stride).sum(1), 0.0)
        # In float64 the sums do not depend on the order of nodes: which cells are kept is the same everywhere.
        total = self.weight.new_zeros(points.shape[0], len(self.weight))
        total = total.scatter_add(1, number.to(torch.int64), energy.double() + ENERGY_OF_A_HIT)
        highest, kept = torch.topk(total * self.weight, self.n_cells, dim=1)
        found = highest > 0.0
        return Cells(number, len(self.weight), self.side, self.around, kept, found, self.centre[kept], offset)


def _filled(values: Tensor, least: int) -> Tensor:
    """``values`` by number, with zeros for more where there are fewer than ``least``."""
    more = values.new_zeros(max(0, least - len(values)), *values.shape[1:])
    return torch.cat([values, more])
