"""What all nodes of a jet add up to: moments of every channel, with learned functions of the place."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from e2egraph.models.tokens.tokens import Nodes, of_each

# Unit of the sums: what a channel of a jet typically holds in nodes or GeV, over ten.
UNIT = 8.0


class Flow(nn.Module):
    """asinh Σ_n w_c(n) φ_k(place of n), [B, ``out_width``], over all nodes n of the jet.

    w: one for each node of channel c, and the pT or energy of tracks, crystals and towers; φ_0 = 1, so that numbers of
    nodes and sums of energy are among them, and ``functions`` learned φ_k = ReLU(linear in Δη, Δφ, ΔR²). These are the
    moments of P. Komiske, E. Metodiev, J. Thaler, JHEP 01 (2019) 121, arXiv:1810.05165, eq. 1.2, with each node's
    function of one layer.
    """

    def __init__(self, functions: int, flags: int, energies: int) -> None:
        super().__init__()
        # The first number of a place is 1.
        self.place = nn.Linear(4, functions, bias=False) if functions else None
        self.out_width = (flags + energies) * (1 + functions)

    def forward(self, nodes: Nodes) -> Tensor:
        functions = nodes.place[:, :1]
        if self.place is not None:
            # With the first number of places, which is 1, as one more function.
            constant = torch.eye(1, 4, dtype=functions.dtype, device=functions.device)
            functions = torch.relu(of_each(torch.cat([constant, self.place.weight]), nodes.place))
        return torch.asinh(torch.matmul(nodes.weights, functions.transpose(1, 2)) / UNIT).flatten(1)
