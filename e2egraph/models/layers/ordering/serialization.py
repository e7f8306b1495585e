"""Nodes in a row: an order along physical coordinates, cut into blocks of equal size, and the way back.

Sorting, splitting and undoing stand here once for every kernel that works on blocks and for merging between stages.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from e2egraph.detector.geometry import ECAL_COLUMNS, ETA_PITCH, PHI_PITCH
from e2egraph.models.layers.ordering.rows import join_rows, split_rows

Order = Literal["curve", "eta", "phi"]

# Cells a side of the grid that the curve runs through, eight a crystal's side: ±256 crystals is more than the barrel,
# and tracks and hits of one crystal are ordered by where they are.
GRID_BITS = 12
CELLS_PER_CRYSTAL = 8

# Where φ closes, the curve runs through strips of φ, up one and down the next, so that its ends meet: an even number of
# them, each as many cells wide (60 crystals) as fit into a Z-order over squares of 512 × 512 cells.
STRIPS, SQUARE_BITS = 6, 9
STRIP_CELLS = ECAL_COLUMNS * CELLS_PER_CRYSTAL // STRIPS

# A coordinate is sorted in steps of 2⁻¹⁸ of its range: 24 µrad in φ, a thousandth of a crystal.
STEPS = 2**18

# Rounded to float32, as the exporter does to every constant: the product with a float32 is then exact in float64.
TURNS_PER_RADIAN = float(np.float32(0.5 / math.pi))

# Number → the number whose even bits are its bits, for all below 2¹²; [4096] float64. A constant, since ONNX has shifts
# of unsigned integers only, and loops over bits would stand in an exported network once a block.
SPREAD_BITS = torch.tensor([int(f"{number:b}", base=4) for number in range(2**GRID_BITS)], dtype=torch.float64)

# Keys are float64: integer code (< 2²⁴) plus a fraction below one that orders nodes of one code.
LARGEST_FRACTION = 1.0 - 2.0**-24


def order_code(points: Tensor, order: Order = "curve", periodic: bool = False) -> Tensor:
    """Whole numbers [B, N] (float64) that grow along the order through ``points [B, N, 2]`` (Δη, Δφ in rad).

    ``curve``: Z-order over cells of an eighth of a crystal (G. M. Morton, IBM, 1966), along which neighbours in number
    are mostly neighbours in space. ``eta``, ``phi``: the coordinate itself in [−π, π), for windows that run along it.
    Where φ is ``periodic``, the curve is a Z-order in squares of a strip of φ, up one strip and down the next: it
    closes on itself, and its last nodes lie next to its first.
    """
    if order != "curve":
        coordinate = points[..., 0 if order == "eta" else 1].double()
        return torch.floor((coordinate * TURNS_PER_RADIAN + 0.5) * STEPS).clamp(0, STEPS - 1)
    if periodic:
        return _closed_curve(points)
    half = 2 ** (GRID_BITS - 1)
    row = torch.floor((points[..., 0] / ETA_PITCH + 0.5) * CELLS_PER_CRYSTAL) + half
    column = torch.floor((points[..., 1] / PHI_PITCH + 0.5) * CELLS_PER_CRYSTAL) + half
    spread = SPREAD_BITS.to(points.device)
    # NaN, as padding may hold, has no whole number: it gets the first cell.
    row, column = (cell.clamp(0, 2 * half - 1).nan_to_num(0.0).to(torch.int64) for cell in (row, column))
    return 2.0 * spread[row] + spread[column]


def _closed_curve(points: Tensor) -> Tensor:
    """``order_code`` along the curve that closes on itself: strip, square of it, and Z-order, 3 + 3 + 18 bits."""
    half, square = 2 ** (GRID_BITS - 1), 2**SQUARE_BITS
    # Crystals' centres are middles of cells here, as nodes of whole events keep their steps of φ.
    row = torch.floor(points[..., 0] / ETA_PITCH * CELLS_PER_CRYSTAL + 0.5) + half
    column = torch.floor(points[..., 1] / PHI_PITCH * CELLS_PER_CRYSTAL + 0.5) + STRIPS * STRIP_CELLS // 2
    row = row.clamp(0, 2 * half - 1).nan_to_num(0.0).to(torch.int64)
    column = torch.remainder(column.nan_to_num(0.0, 0.0, 0.0), STRIPS * STRIP_CELLS).to(torch.int64)
    strip = torch.div(column, STRIP_CELLS, rounding_mode="floor")
    row = torch.where(torch.remainder(strip, 2) == 0, row, 2 * half - 1 - row)
    along = torch.div(row, square, rounding_mode="floor")
    spread = SPREAD_BITS.to(points.device)
    inside = 2.0 * spread[row - square * along] + spread[column - STRIP_CELLS * strip]
    return (strip * (2 * half // square) + along).double() * 4.0**SQUARE_BITS + inside


@dataclass(frozen=True)
class Blocks:
    """An order of the nodes of each jet, cut into blocks of ``size``. Made by ``serialize``.

    ``place`` [B, N]: where each node stands in the row; ``node`` [B, M]: which node stands there, M a multiple of
    ``size``; ``mask`` [B, M / size, size]: whether one does.
    """

    size: int
    place: Tensor
    node: Tensor
    mask: Tensor

    def split(self, x: Tensor, rounds: int = 1) -> Tensor:
        """``x [B, N, D]`` → ``[B, M / size, size, D]``; empty places hold zeros. Differentiable once.

        Blocks of B · ``rounds`` orders, those of a jet one after the other, give ``[B · rounds, M / size, size, D]``.
        """
        return split_rows(x, self.node, self.mask, self.place, rounds)

    def join(self, blocks: Tensor, rounds: int = 1) -> Tensor:
        """The inverse of ``split``: ``[B, M / size, size, D]`` → ``[B, N, D]``; padded nodes hold what lies there.

        With ``rounds`` orders of each jet their sum. Differentiable once.
        """
        return join_rows(blocks, self.node, self.mask, self.place, rounds)


@torch.no_grad()
def serialize(code: Tensor, x: Tensor, mask: Tensor, size: int, *, shift: int = 0, wrap: bool = False) -> Blocks:
    """Order the nodes of each jet by ``code [B, N]`` (whole numbers in float64) and cut the row into blocks.

    Nodes of one code are ordered by a fixed projection of ``x [B, N, D]``, not by their index: coincident nodes change
    places with their content, so that what blocks hold does not depend on the order of the input. Padding
    (``mask [B, N]`` false) stands last. ``shift`` moves the cuts by that many places, 0 ≤ shift < size; with ``wrap``
    the row is a circle, and the last ``shift`` nodes stand before the first ones.
    """
    return cut(code + content_fraction(x), mask, size, shift=shift, wrap=wrap)


@torch.no_grad()
def cut(key: Tensor, mask: Tensor, size: int, *, shift: int = 0, wrap: bool = False) -> Blocks:
    """``serialize`` by ``key [B, N]`` (float64), the code of each node with its ``content_fraction`` added."""
    n_nodes = mask.shape[1]
    key = key.masked_fill(~mask, float("inf"))
    number = torch.arange(n_nodes, device=key.device).expand_as(key)
    order = _sorted_indices(key)
    rank = torch.zeros_like(order).scatter(1, order, number)
    if wrap:
        n_valid = mask.sum(1, keepdim=True)
        moved = (rank + shift) % n_valid.clamp(min=1)
        place, n_places = torch.where(mask, moved, rank), n_nodes
    else:
        # Without nodes no blocks either: there would be nothing to fill their places with.
        place, n_places = rank + shift, n_nodes + shift if n_nodes > 0 else 0
    n_blocks = (n_places + size - 1) // size
    node = F.pad(torch.zeros_like(place), (0, n_blocks * size - n_nodes)).scatter(1, place, number)
    held = F.pad(torch.zeros_like(mask), (0, n_blocks * size - n_nodes)).scatter(1, place, mask)
    return Blocks(size, place, node, held.reshape(mask.shape[0], n_blocks, size))


def content_fraction(x: Tensor) -> Tensor:
    """A number in [0, 1) for each row of ``x [B, N, D]``, as good as never the same for different rows: [B, N]."""
    x = x.float()
    direction = torch.cos(torch.arange(x.shape[-1], device=x.device, dtype=x.dtype))
    projection = (x * direction).sum(-1).double()
    # Softsign, not a sigmoid: that is 1 for all float32 beyond 17, and vectors between blocks grow far larger.
    return (0.5 + 0.5 * projection / (1.0 + projection.abs())) * LARGEST_FRACTION


def _sorted_indices(key: Tensor) -> Tensor:
    """Indices that sort each row of ``key [B, N]``, equal keys by index."""
    if torch.compiler.is_exporting():
        # ONNX has no Sort; its TopK puts the lower index first.
        return torch.topk(key, key.shape[1], dim=1, largest=False, sorted=True).indices
    return torch.sort(key, dim=1, stable=True).indices
