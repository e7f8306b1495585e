"""Graph network with locality-sensitive hashing: J. Pata et al., Eur. Phys. J. C 81 (2021) 381, arXiv:2101.08578, §4,
and Commun. Phys. 7 (2024) 124, arXiv:2303.17657 (machine-learned particle flow).

Nodes are sorted into bins of equal size by a learned hash, and every bin is a small dense graph: cost O(N · bin). Two
things differ from the publications. Hashing is done several times with other directions and the results are averaged,
so that what one hash parts, another joins. And the hash reads an embedding of the points alone (``kernels.hashing``
says why); the graph within the bins reads the learned vectors too.
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from e2egraph.config import configuration
from e2egraph.models.graph_network import GraphNetwork, GraphOptions
from e2egraph.models.kernels.bin_graph import mix
from e2egraph.models.kernels.hashing import PointEmbedding, bin_numbers
from e2egraph.models.layers.ordering.serialization import GRID_BITS, Blocks, content_fraction, cut, order_code

# Weight of an edge of length ‖d_i − d_j‖: exp(−0.1 ‖d_i − d_j‖) (as in the public code of arXiv:2101.08578).
DECAY = 0.1

# Lengths below this count as this: the square root has a gradient everywhere, and the rounding of near nodes' distances
# (10⁻⁵ in the square, in float32) does not matter. The weight there is 0.99.
COINCIDENT = 0.1
LEAST_LENGTH = DECAY * COINCIDENT


class LshKernel(nn.Module):
    """x [B, N, width] → elu(g ⊙ A x θ + (1 − g) ⊙ x W_h), g = σ(x W_t + b), of the same shape ("GHConvDense").

    A_ij = exp(−0.1 ‖d_i − d_j‖) for nodes of one bin, itself included, else 0; d = FFN(x) + p with p the embedding of
    the points, [B, N, ``space``]. With ``normalize``, D^(−1/2) A D^(−1/2) with D_ii = Σ_j A_ij. A x θ is the mean over
    ``rounds`` hashes, each with frozen random directions and bins of its own. Nodes of one bin number follow the
    space-filling curve, and the row of all is cut into bins of ``bin_size`` nodes; ``max_bins`` bounds the numbers;
    ``unit`` [rad]: of the points' embedding; ``periodic``: whether φ closes on itself, for both hash and curve.
    Distances are computed in float32 at least, under autocast too. Memory is O(N · bin).
    """

    rotations: Tensor

    def __init__(
        self,
        width: int,
        space: int,
        bin_size: int,
        rounds: int,
        max_bins: int,
        normalize: bool,
        unit: float,
        periodic: bool = False,
    ) -> None:
        super().__init__()
        self.bin_size = bin_size
        self.normalize = normalize
        self.periodic = periodic
        # No bias last: it would not change d_i − d_j.
        self.coordinates = nn.Sequential(nn.Linear(width, space), nn.ELU(), nn.Linear(space, space, bias=False))
        self.place = PointEmbedding(space, unit, periodic)
        self.message = nn.Linear(width, width, bias=False)
        self.own = nn.Linear(width, width, bias=False)
        self.gate = nn.Linear(width, width)
        self.register_buffer("rotations", torch.randn(rounds, space, max(1, max_bins // 2)))

    def extra_repr(self) -> str:
        return f"bin={self.bin_size}, rounds={self.rotations.shape[0]}, normalize={self.normalize}"

    def forward(self, x: Tensor, points: Tensor, mask: Tensor) -> Tensor:
        points = points.masked_fill(~mask.unsqueeze(-1), 0.0)
        # The decay goes into d, of N rows, and not into the distances, of N · bin.
        d = DECAY * (self.coordinates(x) + self.place(points))
        d = d.to(torch.promote_types(d.dtype, torch.float32))
        message = self.message(x)
        bins, rounds = self.bins(x, points, mask), len(self.rotations)
        d, message, full = (
            part.flatten(0, 1) for part in (bins.split(d, rounds), bins.split(message, rounds), bins.mask)
        )
        mixed = mix(d, message, full, LEAST_LENGTH, self.normalize)
        joined, own = bins.join(mixed.view(*bins.mask.shape, message.shape[-1]), rounds), self.own(x)
        return nn.functional.elu(own + torch.sigmoid(self.gate(x)) * (joined / rounds - own))

    def bins(self, x: Tensor, points: Tensor, mask: Tensor) -> Blocks:
        """The bins of each round: blocks of B · rounds rows, the rounds of a jet one after the other.

        ``points`` finite everywhere.
        """
        if torch.compiler.is_exporting():
            return self._bins(x, points, mask)
        return self._bins_not_compiled(x, points, mask)

    @torch.compiler.disable
    def _bins_not_compiled(self, x: Tensor, points: Tensor, mask: Tensor) -> Blocks:
        # A compiler works parts of it out again for the gradient, with other rounding, and so with other bins.
        return self._bins(x, points, mask)

    @torch.no_grad()
    def _bins(self, x: Tensor, points: Tensor, mask: Tensor) -> Blocks:
        rounds = len(self.rotations)
        place = self.place(points.double())
        number = bin_numbers(place, self.rotations, mask, self.bin_size)
        # Below 2¹⁰ bins · 2²⁴ cells, which leaves 19 bits of float64 for the order of coincident nodes.
        code = number * 4.0**GRID_BITS + order_code(points, periodic=self.periodic).unsqueeze(1)
        key = code + content_fraction(x).unsqueeze(1)
        return cut(key.flatten(0, 1), mask.repeat_interleave(rounds, 0), self.bin_size)


@configuration
class LshOptions(GraphOptions):
    """``bin``: nodes that see each other; ``space``: learned coordinates. Published: bin 160, space 64 (CMS); bin 256,
    space 128, width 256, 6 + 6 layers (CLIC); one round.

    ``rounds``: hashes, with bins of their own each, that are averaged. ``max_bins``: numbers of a hash at most.
    ``normalize``: divide by the sums of the edges' weights of both nodes.
    """

    bin: Annotated[int, Field(ge=1)] = 64
    space: Annotated[int, Field(ge=1)] = 16
    rounds: Annotated[int, Field(ge=1)] = 2
    max_bins: Annotated[int, Field(ge=2, le=1024)] = 256
    normalize: bool = True


class GnnLsh(GraphNetwork):
    """Graph network of LSH-binned blocks."""

    Options = LshOptions

    def make_kernel(self, block: int) -> nn.Module:
        o = self.options
        unit = self.inputs.region.half_eta
        return LshKernel(o.width, o.space, o.bin, o.rounds, o.max_bins, o.normalize, unit, self.periodic)
