"""What a GravNet node gathers: mean and maximum of its neighbours' messages, weighted by distance.

The weight of a neighbour is exp(−c d²), and with *fading* exp(−c d²) − exp(−c d²₊), where d₊ is the distance of the
nearest node that is no longer a neighbour (∞ when there is none). Without it the output jumps whenever two nodes at
almost the same distance change places, which rounding alone brings about in one jet of ten at N ≈ 800: torch and ONNX
Runtime then disagree. With it a neighbour comes and goes with weight zero, and the output is continuous.

Written once in plain tensor operations (``gather_plain``: the definition, and what is exported), and once as a function
with its own gradient (``gather``), which works on a few thousand nodes at a time: nothing of size [B, N, k, F] is ever
kept or even made, and on a CPU the working set stays in the caches (about twice as fast at N ≈ 800).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from e2egraph.models.kernels.search.neighbors import gather_nodes

# Numbers in one working block.
CPU_BLOCK = 2**20
GPU_BLOCK = 2**26


def gather(s: Tensor, h: Tensor, index: Tensor, found: Tensor, potential: float) -> Tensor:
    """[mean_j w_ij h_j, max_j w_ij h_j], w_ij = exp(−potential |s_i − s_j|²) − exp(−potential |s_i − s_last|²).

    ``s`` [B, N, S] coordinates, ``h`` [B, N, F] messages, ``index`` and ``found`` [B, N, k + 1] as ``nearest`` gives
    them: j runs over the first k, the last only fades them; where it is not ``found`` nothing is subtracted. Returns
    [B, N, 2F]; zeros for a node without neighbours. Differentiable (once) in s and h. Where several neighbours share
    the maximum, the first takes the gradient.
    """
    if torch.compiler.is_exporting():
        return gather_plain(s, h, index, found, potential)
    result: Tensor = _Gather.apply(s, h, index, found, potential)
    return result


def gather_plain(s: Tensor, h: Tensor, index: Tensor, found: Tensor, potential: float) -> Tensor:
    """The definition of ``gather``, in plain differentiable operations."""
    difference = s.unsqueeze(2) - gather_nodes(s, index)
    raw = torch.exp(-potential * (difference * difference).sum(-1)).masked_fill(~found, 0.0)
    weight = (raw[..., :-1] - raw[..., -1:]).masked_fill(~found[..., :-1], 0.0)
    messages = weight.unsqueeze(-1) * gather_nodes(h, index[..., :-1])
    found = found[..., :-1]
    n_found = found.sum(-1, keepdim=True)
    mean = messages.sum(2) / n_found.clamp(min=1).to(h.dtype)
    highest = messages.masked_fill(~found.unsqueeze(-1), float("-inf")).amax(2)
    return torch.cat([mean, torch.where(n_found > 0, highest, torch.zeros_like(highest))], dim=-1)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, s: Tensor, h: Tensor, index: Tensor, found: Tensor, potential: float) -> Tensor:
        B, N, k_plus_one = index.shape
        F = h.shape[-1]
        first = torch.arange(B, device=s.device).view(-1, 1, 1) * N
        s_flat, h_flat = s.reshape(B * N, s.shape[-1]), h.reshape(B * N, F)
        rows_of, found_flat = (index + first).view(B * N, k_plus_one), found.reshape(B * N, k_plus_one)
        result = torch.empty((B * N, 2 * F), device=h.device, dtype=h.dtype)
        winner = torch.empty((B * N, F), device=h.device, dtype=torch.int64)
        for start, stop in _blocks(B * N, k_plus_one * F, s.device):
            rows, here = rows_of[start:stop], found_flat[start:stop]
            _, _, weight = _weights(s_flat, rows, here, start, stop, potential)
            here = here[:, :-1]
            messages = _take(h_flat, rows[:, :-1]).mul_(weight.unsqueeze(-1))
            count = here.sum(1, keepdim=True)
            torch.div(messages.sum(1), count.clamp(min=1), out=result[start:stop, :F])
            if not bool(here.all()):
                messages.masked_fill_(~here.unsqueeze(-1), float("-inf"))
            highest, winner[start:stop] = messages.max(1)
            result[start:stop, F:] = highest.masked_fill_(count == 0, 0.0)
        ctx.save_for_backward(s_flat, h_flat, rows_of, found_flat, winner)
        ctx.potential = potential
        return result.view(B, N, 2 * F)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        s_flat, h_flat, rows_of, found_flat, winner = ctx.saved_tensors
        n_rows, k_plus_one = rows_of.shape
        F = h_flat.shape[-1]
        B, N, _ = gradient.shape
        gradient = gradient.reshape(n_rows, 2 * F)
        s_gradient, h_gradient = torch.zeros_like(s_flat), torch.zeros_like(h_flat)
        for start, stop in _blocks(n_rows, k_plus_one * F, s_flat.device):
            rows, here = rows_of[start:stop], found_flat[start:stop]
            difference, raw, weight = _weights(s_flat, rows, here, start, stop, ctx.potential)
            here = here[:, :-1]
            messages = _take(h_flat, rows[:, :-1])
            mean_part = gradient[start:stop, :F] / here.sum(1, keepdim=True).clamp(min=1)
            d_message = mean_part.unsqueeze(1).expand(-1, k_plus_one - 1, -1).contiguous()
            d_message.scatter_add_(1, winner[start:stop].unsqueeze(1), gradient[start:stop, F:].unsqueeze(1))
            d_weight = messages.mul_(d_message).sum(-1).masked_fill_(~here, 0.0)
            # Each of the k weights has the last raw one subtracted from it.
            d_raw = torch.cat([d_weight, -d_weight.sum(1, keepdim=True)], dim=1)
            # raw is zero where nothing was found, and so is all that is multiplied by it.
            d_square = d_raw.mul_(raw).mul_(-ctx.potential)
            d_difference = difference.mul_(2.0 * d_square.unsqueeze(-1))
            s_gradient[start:stop] += d_difference.sum(1)
            _add_rows(s_gradient, rows, d_difference.neg_())
            _add_rows(h_gradient, rows[:, :-1], d_message.mul_(weight.unsqueeze(-1)))
        return s_gradient.view(B, N, s_flat.shape[1]), h_gradient.view(B, N, F), None, None, None


def _blocks(n_rows: int, numbers_a_row: int, device: torch.device) -> list[tuple[int, int]]:
    size = max(1, (GPU_BLOCK if device.type == "cuda" else CPU_BLOCK) // max(1, numbers_a_row))
    return [(start, min(n_rows, start + size)) for start in range(0, n_rows, size)]


def _take(flat: Tensor, rows: Tensor) -> Tensor:
    """Rows [R, k] of ``flat [M, F]``: a new tensor [R, k, F]."""
    return flat.index_select(0, rows.reshape(-1)).view(*rows.shape, flat.shape[1])


def _add_rows(total: Tensor, rows: Tensor, values: Tensor) -> None:
    """total[rows] += values, duplicates summed in order: ``total [M, F]``, ``rows [R, k]``, ``values [R, k, F]``."""
    width = total.shape[-1]
    total.scatter_add_(0, rows.reshape(-1, 1).expand(-1, width), values.reshape(-1, width))


def _weights(
    s_flat: Tensor, rows: Tensor, found: Tensor, start: int, stop: int, potential: float
) -> tuple[Tensor, Tensor, Tensor]:
    """s_i − s_j [R, k + 1, S], exp(−potential |s_i − s_j|²) [R, k + 1] and weights [R, k]; 0 where not found."""
    difference = s_flat[start:stop].unsqueeze(1) - _take(s_flat, rows)
    raw = torch.exp(-potential * difference.square().sum(-1)).masked_fill_(~found, 0.0)
    return difference, raw, (raw[:, :-1] - raw[:, -1:]).masked_fill_(~found[:, :-1], 0.0)
