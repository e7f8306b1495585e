"""The small dense graphs within bins: messages summed with weights exp(−‖d_i − d_j‖).

Written once in plain tensor operations (``mix_plain``: the definition, and what is exported), and once as a function
with its own gradient, which works on some bins at a time and computes weights again on the way back: of all pairs
nothing is kept, and the working set stays in the caches of a CPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from e2egraph.models.kernels.search.neighbors import CPU_BLOCK

# A node's own edge makes D ≈ 1 at least, but for empty places.
LEAST_DEGREE = 0.5


def mix(d: Tensor, message: Tensor, mask: Tensor, least: float, normalize: bool) -> Tensor:
    """Σ_j A_ij message_j within bins, A_ij = exp(−‖d_i − d_j‖), or of D^(−1/2) A D^(−1/2), D_ii = Σ_j A_ij.

    ``d [n, bin, S]`` (lengths below ``least`` count as that) and ``message [n, bin, width]`` are zero where
    ``mask [n, bin]`` is false; what comes out there does not matter. Differentiable once on a CPU.
    """
    plain = torch.compiler.is_compiling() or not d.is_cpu or torch.is_autocast_enabled("cpu")
    if plain or torch.compiler.is_exporting():
        return mix_plain(d, message, mask, least, normalize)
    result: Tensor = _Mix.apply(d, message, mask, least, normalize)
    return result


def mix_plain(d: Tensor, message: Tensor, mask: Tensor, least: float, normalize: bool) -> Tensor:
    """The definition of ``mix``, in plain differentiable operations."""
    a = torch.exp(-distances(d, least))
    if not normalize:
        return torch.matmul(a, message)
    # Empty places hold no message; only here must they not be counted.
    degree = torch.matmul(a, mask.unsqueeze(-1).to(a.dtype))
    scale = torch.rsqrt(degree.clamp(min=LEAST_DEGREE))
    return scale * torch.matmul(a, scale * message)


def distances(d: Tensor, least: float) -> Tensor:
    """‖d_i − d_j‖ for all pairs of ``d [n, bin, S]``, or ``least`` where it is less: [n, bin, bin].

    |d_i|² + |d_j|² − 2 d_i·d_j, in the precision of ``d`` under autocast too.
    """
    # Exports are made without autocast, and would keep a region of it as a function of its own.
    precise = nullcontext() if torch.compiler.is_exporting() else torch.autocast(d.device.type, enabled=False)
    with precise:
        own = (d * d).sum(-1, keepdim=True)
        square = torch.baddbmm(own + own.transpose(1, 2), d, d.transpose(1, 2), alpha=-2.0)
    return torch.sqrt(square.clamp(min=least * least))


class _Mix(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, d: Tensor, message: Tensor, mask: Tensor, least: float, normalize: bool) -> Tensor:
        counted = mask.unsqueeze(-1).to(d.dtype)
        result = torch.empty_like(message)
        degree = torch.ones_like(counted)
        for few in _parts(d):
            a = _lengths(d[few], least).neg_().exp_()
            if normalize:
                torch.bmm(a, counted[few], out=degree[few])
            scale = torch.rsqrt(degree[few].clamp(min=LEAST_DEGREE))
            torch.bmm(a, scale * message[few], out=result[few]).mul_(scale)
        ctx.save_for_backward(d, message, counted, degree, result)
        ctx.least, ctx.normalize = least, normalize
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        d, message, counted, degree, result = ctx.saved_tensors
        d_gradient, message_gradient = torch.empty_like(d), torch.empty_like(message)
        least = float(d.new_tensor(ctx.least * ctx.least).sqrt())  # as rounded where it was put in
        for few in _parts(d):
            length = _lengths(d[few], ctx.least)
            a = torch.exp(-length)
            scale = torch.rsqrt(degree[few].clamp(min=LEAST_DEGREE))
            scaled = scale * gradient[few]
            received = torch.bmm(a, scaled)  # A is its own transpose
            torch.mul(received, scale, out=message_gradient[few])
            left, right = scaled, scale * message[few]
            if ctx.normalize:
                # D enters twice: where a message is sent, and where the sum arrives.
                of_scale = (received * message[few]).sum(-1, keepdim=True)
                of_scale += (gradient[few] * result[few]).sum(-1, keepdim=True) / scale
                of_degree = of_scale * scale.pow(3) * -0.5 * (degree[few] > LEAST_DEGREE)
                left, right = torch.cat([left, of_degree], -1), torch.cat([right, counted[few]], -1)
            # By squared distances: a derivative of −a / 2 length each, none where a length is the least.
            weight = a.div_(torch.threshold_(length, least, float("inf")))
            of_square = torch.bmm(left, right.transpose(1, 2)).mul_(weight)
            ones = torch.cat([d[few], torch.ones_like(d[few][..., :1])], -1)
            sums = torch.bmm(of_square, ones).add_(torch.bmm(of_square.transpose(1, 2), ones))
            torch.sub(sums[..., :-1], d[few] * sums[..., -1:], out=d_gradient[few])
        return d_gradient, message_gradient, None, None, None


def _lengths(d: Tensor, least: float) -> Tensor:
    """``distances``, in place."""
    own = (d * d).sum(-1, keepdim=True)
    square = torch.add(own, own.transpose(1, 2))
    return square.baddbmm_(d, d.transpose(1, 2), alpha=-2.0).clamp_(min=least * least).sqrt_()


def _parts(d: Tensor) -> Iterator[slice]:
    """Some bins at a time, whose matrices stay in the cache."""
    size = max(1, CPU_BLOCK // 4 // d.shape[1] ** 2)
    return (slice(start, start + size) for start in range(0, len(d), size))
