"""Nearest neighbours in many coordinates: distances from one matrix product, in float64, without gradient.

``search.neighbors`` adds up squared differences axis by axis, which is exact and quick for a few coordinates and slow
for 64. Here |x_i − x_j|² = |x_i|² + |x_j|² − 2 x_i·x_j, whose cancellation would cost float32 all digits of near
neighbours; in float64 it costs nothing that matters. A k-d tree (``search.tree``) is no quicker from about eight
dimensions on, four times slower at 64.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from e2egraph.models.kernels.search.neighbors import CPU_BLOCK, GPU_BLOCK
from e2egraph.models.kernels.search.smallest import columns_for, smallest

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
    # What depends on j alone: |x_j|², never found if padded.
    column = (x * x).sum(-1).masked_fill(~mask, float("inf")).unsqueeze(1)
    in_blocks = _search_on_cpu if x.is_cpu else _search_in_blocks
    keys, index = (_search_at_once if torch.compiler.is_exporting() else in_blocks)(x, column, k)
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
    """The same numbers, but for rounding in float64, some rows of all jets at a time."""
    B, N, _ = x.shape
    device = x.device
    own = (x * x).sum(-1, keepdim=True) / STEP
    grouped = device.type == "cpu" and bool(own.isfinite().all())
    columns = columns_for(N, k) if grouped else max(N, k)
    choose = partial(smallest, n=N) if grouped else partial(torch.topk, dim=-1, largest=False)
    # The whole sum in one product, in steps, with what rounds it: each pass over all distances counts.
    column = F.pad(column / STEP + 0.5, (0, columns - N), value=float("inf"))
    left = torch.cat([x * (-2.0 / STEP), own, torch.ones_like(own)], dim=-1)
    right = F.pad(torch.cat([x, torch.ones_like(own)], dim=-1), (0, 0, 0, columns - N)).transpose(1, 2)
    right = torch.cat([right, column], dim=1)
    offset = torch.arange(columns, device=device, dtype=torch.float64) * INDEX_STEP
    n_rows = max(1, min(N, (GPU_BLOCK if device.type == "cuda" else CPU_BLOCK) // max(1, B * N)))
    keys = torch.empty((B, N, k), device=device, dtype=torch.float64)
    index = torch.empty((B, N, k), device=device, dtype=torch.int64)
    for start in range(0, N, n_rows):
        stop = min(N, start + n_rows)
        block = torch.bmm(left[:, start:stop], right).floor_().add_(offset)
        block[:, :, start:stop].diagonal(dim1=1, dim2=2).fill_(float("inf"))
        keys[:, start:stop], index[:, start:stop] = choose(block, k=k)
    return keys.clamp_(min=0.0), index


# A number of nodes of its own each time, which a compiler would unroll the loop for.
_search_on_cpu = torch.compiler.disable(_search_in_blocks)
