"""Attention in linear time by random features, FAVOR+: K. Choromanski et al., ICLR 2021, arXiv:2009.14794.

exp(xᵀy) is the mean over random w ~ N(0, 1) of exp(wᵀx − ‖x‖²/2) exp(wᵀy − ‖y‖²/2) (Lemma 1). With m fixed draws of w
it becomes a product φ(x)ᵀφ(y), and softmax attention can be summed over the keys once for all queries: O(N · m), with
no [N, N] anywhere.
"""

from __future__ import annotations

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from e2egraph.config import configuration
from e2egraph.models.graph_network import GraphNetwork
from e2egraph.models.kernels.projection import AttentionOptions, HeadProjection

# Added to every feature so that no denominator vanishes (Choromanski et al., numerical_stabilizer of their code).
STABILIZER = 1e-6

# ‖q‖² below which normalised queries and keys fade to zero instead of turning about.
SMALLEST_SQUARE = 1e-6

# Upper bound of the temperature: the relative variance of an estimated weight is at most (e^(4τ) − 1) / m.
LARGEST_TEMPERATURE = 2.0


class PerformerKernel(nn.Module):
    """x [B, N, width] → W_o (estimate of softmax(τ q̂ k̂ᵀ)) v over the nodes of the jet, of the same shape.

    q̂ and k̂ have length one: the mean squared error of an estimated weight exp(xᵀy) is its square times
    (e^(‖x + y‖²) − 1) / m (Lemma 2), so that long queries and keys drown in noise whatever the number of features.
    τ in (0, 2), learned for each head, starts at 1. ``features`` is m; the random directions are of each head's own.

    In training the directions are drawn again every ``redraw`` calls (0: never); outside it they stay as they are. Draw
    number n follows from n and a seed taken from torch's global generator when the kernel is made. The module's state
    holds both, so that a resumed training draws what an uninterrupted one would have.
    """

    def __init__(self, width: int, heads: int, features: int, redraw: int) -> None:
        super().__init__()
        self.redraw = redraw
        self.projection = HeadProjection(width, heads)
        self.raw_temperature = nn.Parameter(torch.zeros(heads))
        self.seed = int(torch.randint(2**31, ()))
        self.steps = 0
        self.register_buffer("directions", torch.empty(heads, features, width // heads))
        self._draw()

    directions: Tensor

    def extra_repr(self) -> str:
        return f"features={self.directions.shape[1]}, redraw={self.redraw}"

    def get_extra_state(self) -> Tensor:
        """Seed and number of training steps. Not buffers: to read those on a GPU would stop it at each step."""
        return torch.tensor([self.seed, self.steps])

    def set_extra_state(self, state: Tensor) -> None:
        self.seed, self.steps = (int(number) for number in state)

    def forward(self, x: Tensor, points: Tensor, mask: Tensor) -> Tensor:
        if self.training:
            self._count()
        q, k, v = self.projection.split(x)
        # Features are exponentials: under autocast too they are computed in float32 at least.
        kind = torch.float32 if q.dtype in (torch.float16, torch.bfloat16) else q.dtype
        with torch.autocast(x.device.type, enabled=False):
            length = (LARGEST_TEMPERATURE * torch.sigmoid(self.raw_temperature.to(kind))).sqrt().view(1, -1, 1, 1)
            directions = self.directions.to(kind)
            q, k = (length * unit(h.to(kind)) for h in (q, k))
            queries, keys = query_features(q, directions), key_features(k, directions, mask)
            values = linear_attention(queries, keys, v.to(kind), mask)
        return self.projection.join(values.to(v.dtype))

    @torch.compiler.disable
    def _count(self) -> None:
        self.steps += 1
        if self.redraw and self.steps % self.redraw == 0:
            self._draw()

    @torch.no_grad()
    def _draw(self) -> None:
        number = self.steps // self.redraw if self.redraw else 0
        generator = torch.Generator().manual_seed(self.seed + number)
        heads, features, size = self.directions.shape
        drawn = [orthogonal_directions(features, size, generator) for _ in range(heads)]
        # A new tensor: the one before may be kept for a gradient still to come.
        self.directions = torch.stack(drawn).to(self.directions)


def orthogonal_directions(features: int, size: int, generator: torch.Generator) -> Tensor:
    """``[features, size]`` float32 rows, each distributed as N(0, 1) and orthogonal in blocks of ``size``.

    Rows of orthogonal matrices from the QR decomposition of Gaussian ones, times the norms of independent Gaussian
    vectors, χ of ``size`` degrees of freedom (Choromanski et al., §2.4). The estimate stays unbiased and its error is
    smaller (their Theorem 2).
    """
    n_blocks = -(-features // size)
    gaussian = torch.randn(n_blocks, size, size, generator=generator, dtype=torch.float64)
    orthogonal, upper = torch.linalg.qr(gaussian)
    # QR fixes signs in its own way; times the signs of the diagonal the result is uniform over rotations.
    orthogonal = orthogonal * upper.diagonal(dim1=1, dim2=2).sign().unsqueeze(1)
    norms = torch.randn(n_blocks * size, size, generator=generator, dtype=torch.float64).norm(dim=1, keepdim=True)
    return (orthogonal.reshape(-1, size) * norms)[:features].float()


def unit(x: Tensor) -> Tensor:
    """``x [..., C]`` with length one; vectors near zero get a length that falls to zero with theirs, smoothly."""
    return x * torch.rsqrt(x.square().sum(-1, keepdim=True) + SMALLEST_SQUARE)


def query_features(q: Tensor, directions: Tensor) -> Tensor:
    """φ of ``q [B, H, N, C]`` for ``directions [H, m, C]``: ``[B, H, N, m]``.

    The largest feature of each row is brought to 1, by a factor (e^(−‖q‖²/2) within it) that attention does not feel.
    """
    projected = q @ directions.transpose(-1, -2)
    return random_features(projected, projected.detach().amax(-1, keepdim=True))


def key_features(k: Tensor, directions: Tensor, mask: Tensor) -> Tensor:
    """φ of ``k [B, H, N, C]`` for ``directions [H, m, C]``: ``[B, H, N, m]``.

    The largest feature of all nodes of the jet (``mask [B, N]``) is brought to 1 in each head.
    """
    projected = k @ directions.transpose(-1, -2)
    half_square = 0.5 * k.square().sum(-1, keepdim=True)
    highest = (projected.detach().amax(-1, keepdim=True) - half_square.detach()).squeeze(-1)
    highest = highest.masked_fill(~mask.unsqueeze(1), float("-inf"))
    # One number more, so that a jet without nodes has a maximum too.
    highest = nn.functional.pad(highest, (0, 1), value=float("-inf")).amax(-1)
    highest = torch.where(mask.any(1, keepdim=True), highest, torch.zeros_like(highest))
    return random_features(projected, half_square + highest[..., None, None])


def random_features(projected: Tensor, subtracted: Tensor) -> Tensor:
    """[exp(wᵀx − subtracted) + ε] / √m of ``projected = wᵀx [..., m]``; Lemma 1 with ``subtracted`` = ‖x‖²/2."""
    m = projected.shape[-1]
    return torch.exp(projected - (subtracted + 0.5 * math.log(m))) + STABILIZER * m**-0.5


def linear_attention(q_features: Tensor, k_features: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Σ_j φ(q_i)ᵀφ(k_j) v_j / Σ_j φ(q_i)ᵀφ(k_j) over the nodes j of ``mask [B, N]``; zero where there is none.

    ``q_features``, ``k_features`` [B, H, N, m], ``v [B, H, N, C]`` → [B, H, N, C].
    """
    # To leave padding out of both sums is to set its φ(k) to zero, on fewer numbers.
    summed = torch.cat([v, torch.ones_like(v[..., :1])], dim=-1).masked_fill(~mask[:, None, :, None], 0.0)
    result = q_features @ (k_features.transpose(-1, -2) @ summed)
    total = result[..., -1:]
    return result[..., :-1] / torch.where(total > 0, total, torch.ones_like(total))


@configuration
class PerformerOptions(AttentionOptions):
    """``features``: random features a head; ``redraw``: training steps between draws of their directions (0: never)."""

    features: Annotated[int, Field(ge=1)] = 64
    redraw: Annotated[int, Field(ge=0)] = 1000


class Performer(GraphNetwork):
    """Graph network of FAVOR+ attention."""

    Options = PerformerOptions

    def make_kernel(self, block: int) -> nn.Module:
        o = self.options
        return PerformerKernel(o.width, o.heads, o.features, o.redraw)
