"""Nearest neighbours in many coordinates: distances from one matrix product, in float64, without gradient.

``kernels.neighbors`` adds up squared differences axis by axis, which is exact and quick for a few coordinates and slow
for 64. Here |x_i − x_j|² = |x_i|² + |x_j|² − 2 x_i·x_j, whose cancellation would cost float32 all digits of near
neighbours; in float64 it costs nothing that matters.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from e2egraph.models.kernels.neighbors import CPU_BLOCK, GPU_BLOCK, HEAP_COLUMNS_PER_NEIGHBOR

# Squared distances are whole multiples of this, so that the rounding of the products cannot order equal distances.
STEP = 2.0**-22

# Added per index to distances in steps: equally distant nodes are ordered by index, for N ≤ 2²⁰ and d² < 2¹⁰.
INDEX_STEP = 2.0**-20


@torch.no_grad()
def nearest_in_features(x: Tensor, mask: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """The k nearest other nodes of every node, by Euclidean distance in ``x [B, N, D]`` of any D.

    Returns ``index [B, N, k]`` (int64, within the jet; 0 where there is none), ``found [B, N, k]`` (bool) and
    ``square [B, N, k]`` (squared distances, rounded to 2⁻²²; 0 where there is none; float32 at least). Padding
    (``mask [B, N]`` false) is nobody's neighbour and has none, whatever stands there. Nearest first; of equally distant
    nodes the lower index, as long as distances stay below 32 (those of vectors normalised to √width do).
    """
    dtype = torch.promote_types(x.dtype, torch.float32)
    x = x.masked_fill(~mask.unsqueeze(-1), 0.0).double()
    search = _search_at_once if torch.compiler.is_exporting() else _search_in_blocks
    # What depends on j alone: |x_j|², never found if padded.
    column = (x * x).sum(-1).masked_fill(~mask, float("inf")).unsqueeze(1)
    keys, index = search(x, column, k)
    found = (keys < float("inf")) & mask.unsqueeze(-1)
    square = torch.floor(torch.where(found, keys, torch.zeros_like(keys))) * STEP
    return torch.where(found, index, torch.zeros_like(index)), found, square.to(dtype)


def _search_at_once(x: Tensor, column: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """All distances in one block: for ONNX, where a loop over a symbolic size does not exist. Keys and indices."""
    number = torch.arange(x.shape[1], device=x.device)
    square = column + (x * x).sum(-1, keepdim=True) - 2.0 * torch.matmul(x, x.transpose(1, 2))
    keys = torch.floor(square.clamp(min=0.0) / STEP + 0.5) + number.double() * INDEX_STEP
    keys = keys.masked_fill(number.unsqueeze(1) == number, float("inf"))
    # k columns more, so that TopK is legal at any N.
    keys, index = torch.topk(F.pad(keys, (0, k), value=float("inf")), k, dim=-1, largest=False)
    return keys, index


def _search_in_blocks(x: Tensor, column: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The same numbers, some rows of all jets at a time in a buffer used again and again."""
    B, N, _ = x.shape
    device = x.device
    offset = torch.arange(N, device=device, dtype=torch.float64) * INDEX_STEP
    own = (x * x).sum(-1, keepdim=True)
    transposed = x.transpose(1, 2)
    wide = HEAP_COLUMNS_PER_NEIGHBOR * k
    columns = wide if device.type == "cpu" and wide // 2 < N < wide else max(N, k)
    n_rows = max(1, min(N, (GPU_BLOCK if device.type == "cuda" else CPU_BLOCK) // max(1, B * N)))
    buffer = torch.full((B, n_rows, columns), float("inf"), device=device, dtype=torch.float64)
    keys = torch.empty((B, N, k), device=device, dtype=torch.float64)
    index = torch.empty((B, N, k), device=device, dtype=torch.int64)
    for start in range(0, N, n_rows):
        stop = min(N, start + n_rows)
        square = torch.baddbmm(column, x[:, start:stop], transposed, alpha=-2.0).add_(own[:, start:stop])
        square.clamp_(min=0.0).mul_(1.0 / STEP).add_(0.5).floor_().add_(offset)
        square[:, :, start:stop].diagonal(dim1=1, dim2=2).fill_(float("inf"))
        block = buffer[:, : stop - start]
        block[..., :N].copy_(square)
        keys[:, start:stop], index[:, start:stop] = torch.topk(block, k, dim=-1, largest=False)
    return keys, index
