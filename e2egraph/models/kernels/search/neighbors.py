"""Nearest neighbours of every node in some coordinates: masked, chunked, without gradient, with defined ties."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from e2egraph.models.kernels.search.smallest import columns_for, smallest
from e2egraph.models.kernels.search.tree import search_trees, tree_pays

# Distances held at once. On a CPU a block of 2¹⁸ stays in the caches; a GPU wants large ones.
CPU_BLOCK = 2**18
GPU_BLOCK = 2**26

# Ties: torch.topk leaves their order open, ONNX's takes the lower index. Keys are therefore float64, squared distance
# times (1 + j · 2⁻⁴⁴): two different float32 differ by at least 2⁻²⁴ of themselves, so for j < 2²⁰ no two different
# distances change places, and equal ones are ordered by index. Squared distances are raised by 2⁻¹⁰⁰ (10⁻³⁰) first,
# which keeps that true for coincident nodes.
INDEX_STEP = 2.0**-44
COINCIDENT = 2.0**-100

# Rounding of the few float32 operations that make a squared distance, 2⁻²⁴ each, and some to spare: what is truly at
# squared distance s has no key below s · CERTAIN.
CERTAIN = 1.0 - 2.0**-20


@torch.no_grad()
def nearest(coordinates: Tensor, mask: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest other nodes of every node, by Euclidean distance in ``coordinates [B, N, S]``.

    Returns ``index [B, N, k]`` (int64, within the jet; 0 where there is none) and ``found [B, N, k]`` (bool). A node is
    left out of its own list by its index, not by its distance; padding (``mask [B, N]`` false) is nobody's neighbour
    and has none. With n nodes, min(k, n − 1) are found, nearest first; of equally distant nodes the lower index comes
    first. N < 2²⁰.
    Squared distances are sums of squared differences, not the expanded product: exact zeros for coincident nodes and
    the same rounding for mirror-image pairs on a lattice, so that ties are ties in both torch and ONNX Runtime.
    """
    offset = torch.where(mask, COINCIDENT, float("inf")).to(coordinates.dtype).unsqueeze(1)  # [B, 1, N]
    if torch.compiler.is_exporting():
        keys, index = _search_at_once(coordinates, offset, k)
    elif coordinates.is_cpu:
        keys, index = _search_on_cpu(coordinates, offset, mask, k)
    else:
        keys, index = _search_in_blocks(coordinates, offset, k)
    found = (keys < float("inf")) & mask.unsqueeze(-1)
    return torch.where(found, index, torch.zeros_like(index)), found


def _search_at_once(coordinates: Tensor, offset: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """All distances in one block: for ONNX, where a loop over a symbolic size does not exist. Keys and indices."""
    total = offset
    for axis in range(coordinates.shape[-1]):
        x = coordinates[..., axis]
        difference = x.unsqueeze(2) - x.unsqueeze(1)
        total = total + difference * difference
    number = torch.arange(coordinates.shape[1], device=coordinates.device)
    keys = total.masked_fill(number.unsqueeze(1) == number, float("inf"))
    # k columns more, so that TopK is legal at any N. ONNX itself puts the lower index first: no float64 needed.
    keys, index = torch.topk(F.pad(keys, (0, k), value=float("inf")), k, dim=-1, largest=False)
    return keys, index


@torch.compiler.disable
def _search_on_cpu(coordinates: Tensor, offset: Tensor, mask: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The same numbers by the quicker of two ways."""
    coordinates = coordinates.masked_fill(~mask.unsqueeze(-1), 0.0)
    if tree_pays(coordinates, k):
        return search_trees(coordinates, mask, k, _SquaredDistance)
    return _search_in_blocks(coordinates, offset, k)


def _search_in_blocks(coordinates: Tensor, offset: Tensor, k: int, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The same numbers, some rows of all jets at a time in buffers used again and again.

    ``rows`` [R]: of these nodes alone, [B, R, k].
    """
    B, N, S = coordinates.shape
    device, dtype = coordinates.device, coordinates.dtype
    rows = torch.arange(N, device=device) if rows is None else rows
    scale = 1.0 + torch.arange(N, device=device, dtype=torch.float64) * INDEX_STEP
    n_rows = max(1, min(len(rows), (GPU_BLOCK if device.type == "cuda" else CPU_BLOCK) // max(1, B * N)))
    total_buffer = torch.empty((B, n_rows, N), device=device, dtype=dtype)
    square_buffer = torch.empty_like(total_buffer)
    grouped = device.type == "cpu" and bool(coordinates.isfinite().all())
    shape = (B, n_rows, columns_for(N, k) if grouped else max(N, k))
    keys_buffer = torch.full(shape, float("inf"), device=device, dtype=torch.float64)
    choose = partial(smallest, n=N) if grouped else partial(torch.topk, dim=-1, largest=False)
    keys = torch.empty((B, len(rows), k), device=device, dtype=torch.float64)
    index = torch.empty((B, len(rows), k), device=device, dtype=torch.int64)
    axes = [coordinates[..., axis].contiguous() for axis in range(S)]
    for start in range(0, len(rows), n_rows):
        here = rows[start : start + n_rows]
        total, square = total_buffer[:, : len(here)], square_buffer[:, : len(here)]
        for axis, x in enumerate(axes):
            torch.sub(x[:, here].unsqueeze(2), x.unsqueeze(1), out=square)
            # Not addcmul: a fused multiply-add would round mirror-image pairs differently.
            torch.add(offset if axis == 0 else total, square.square_(), out=total)
        total.scatter_(2, here.view(1, -1, 1).expand(B, -1, 1), float("inf"))
        block = keys_buffer[:, : len(here)]
        block[..., :N].copy_(total).mul_(scale)
        stop = start + len(here)
        keys[:, start:stop], index[:, start:stop] = choose(block, k=k)
    return keys, index


@dataclass(frozen=True)
class _SquaredDistance:
    """The keys of ``nearest`` for a tree: of the nodes ``x [n, S]`` of one jet."""

    x: Tensor

    def keys(self, rows: Tensor, candidates: Tensor) -> Tensor:
        total = self.x.new_tensor(COINCIDENT)
        for x in self.x.unbind(1):
            difference = x[rows].unsqueeze(1) - x[candidates]
            total = total + difference.square_()
        return total.double() * (1.0 + candidates.double() * INDEX_STEP)

    def least_key(self, square: Tensor) -> Tensor:
        return square * CERTAIN

    def compare_all(self, rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
        x = self.x.unsqueeze(0)
        offset = torch.full_like(x[..., 0], COINCIDENT).unsqueeze(1)
        keys, index = _search_in_blocks(x, offset, k, rows)
        return keys[0], index[0]


def gather_nodes(x: Tensor, index: Tensor) -> Tensor:
    """Rows ``index [B, M, k]`` of ``x [B, N, D]``, [B, M, k, D]; differentiable in x."""
    n_jets, n_nodes, width = x.shape
    first = torch.arange(n_jets, device=x.device).view(-1, 1, 1) * n_nodes
    rows = x.reshape(n_jets * n_nodes, width).index_select(0, (index + first).reshape(-1))
    return rows.view(n_jets, index.shape[1], index.shape[2], width)
