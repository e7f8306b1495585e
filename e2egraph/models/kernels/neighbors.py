"""Nearest neighbours of every node in some coordinates: masked, chunked, without gradient, with defined ties."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Distances held at once. On a CPU a block of 2¹⁸ stays in the caches; a GPU wants large ones.
CPU_BLOCK = 2**18
GPU_BLOCK = 2**26

# Ties: torch.topk leaves their order open, ONNX's takes the lower index. Keys are therefore float64, squared distance
# times (1 + j · 2⁻⁴⁴): two different float32 differ by at least 2⁻²⁴ of themselves, so for j < 2²⁰ no two different
# distances change places, and equal ones are ordered by index. Squared distances are raised by 2⁻¹⁰⁰ (10⁻³⁰) first,
# which keeps that true for coincident nodes.
INDEX_STEP = 2.0**-44
COINCIDENT = 2.0**-100

# From 64 k columns on, torch's topk on a CPU keeps a heap of k instead of partitioning the whole row: twice as fast.
HEAP_COLUMNS_PER_NEIGHBOR = 64


@torch.no_grad()
def nearest(coordinates: Tensor, mask: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest other nodes of every node, by Euclidean distance in ``coordinates [B, N, S]``.

    Returns ``index [B, N, k]`` (int64, within the jet; 0 where there is none) and ``found [B, N, k]`` (bool). A node is
    left out of its own list by its index, not by its distance; padding (``mask [B, N]`` false) is nobody's neighbour
    and has none. With n nodes, min(k, n − 1) are found, nearest first; of equally distant nodes the lower index comes
    first. N < 2²⁰.
    Squared distances are sums of squared differences, not the expanded product: exact zeros for coincident nodes and
    the same rounding for mirror-image pairs on a lattice, so that ties are ties in torch and in ONNX Runtime alike.
    """
    offset = torch.where(mask, COINCIDENT, float("inf")).to(coordinates.dtype).unsqueeze(1)  # [B, 1, N]
    search = _search_at_once if torch.compiler.is_exporting() else _search_in_blocks
    keys, index = search(coordinates, offset, k)
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


def _search_in_blocks(coordinates: Tensor, offset: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The same numbers, some rows of all jets at a time in buffers used again and again."""
    B, N, S = coordinates.shape
    device, dtype = coordinates.device, coordinates.dtype
    scale = 1.0 + torch.arange(N, device=device, dtype=torch.float64) * INDEX_STEP
    wide = HEAP_COLUMNS_PER_NEIGHBOR * k
    columns = wide if device.type == "cpu" and wide // 2 < N < wide else max(N, k)
    n_rows = max(1, min(N, (GPU_BLOCK if device.type == "cuda" else CPU_BLOCK) // max(1, B * N)))
    total_buffer = torch.empty((B, n_rows, N), device=device, dtype=dtype)
    square_buffer = torch.empty_like(total_buffer)
    keys_buffer = torch.full((B, n_rows, columns), float("inf"), device=device, dtype=torch.float64)
    keys = torch.empty((B, N, k), device=device, dtype=torch.float64)
    index = torch.empty((B, N, k), device=device, dtype=torch.int64)
    axes = [coordinates[..., axis].contiguous() for axis in range(S)]
    for start in range(0, N, n_rows):
        stop = min(N, start + n_rows)
        total, square = total_buffer[:, : stop - start], square_buffer[:, : stop - start]
        for axis, x in enumerate(axes):
            torch.sub(x[:, start:stop].unsqueeze(2), x.unsqueeze(1), out=square)
            # Not addcmul: a fused multiply-add would round mirror-image pairs differently.
            torch.add(offset if axis == 0 else total, square.square_(), out=total)
        total[:, :, start:stop].diagonal(dim1=1, dim2=2).fill_(float("inf"))
        block = keys_buffer[:, : stop - start]
        block[..., :N].copy_(total).mul_(scale)
        out = (keys[:, start:stop], index[:, start:stop])
        out[0][...], out[1][...] = torch.topk(block, k, dim=-1, largest=False)
    return keys, index


def gather_nodes(x: Tensor, index: Tensor) -> Tensor:
    """Rows ``index [B, M, k]`` of ``x [B, N, D]``, [B, M, k, D]; differentiable in x."""
    n_jets, n_nodes, width = x.shape
    first = torch.arange(n_jets, device=x.device).view(-1, 1, 1) * n_nodes
    rows = x.reshape(n_jets * n_nodes, width).index_select(0, (index + first).reshape(-1))
    return rows.view(n_jets, index.shape[1], index.shape[2], width)
