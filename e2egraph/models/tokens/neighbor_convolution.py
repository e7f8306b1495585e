"""Convolution over the cells that are there: what an image network's 3 × 3 filters do, at the cost of the kept cells.

B. Graham, L. van der Maaten, Submanifold sparse convolutional networks, arXiv:1706.01307, §3: a layer gives a value
where there was one, so that empty cells stay empty and cost nothing.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Cells in a 3 × 3 filter.
FILTER = 9


class NeighborConvolution(nn.Module):
    """x [B, C, width], near [B, C, 9] → x_i + W ReLU(Σ_o W_o norm(x)_near(i, o) + b) + c.

    ``near``: places among the C cells of those around each (``cells.Cells.neighbors``), C for none, which adds nothing.
    W_o is one matrix for each of the nine directions; norm is layer normalisation.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.filter = nn.Linear(FILTER * width, width)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor, near: Tensor) -> Tensor:
        n_jets, n_cells, width = x.shape
        rows = F.pad(self.norm(x), (0, 0, 0, 1)).flatten(0, 1)  # the last cell of each jet is none
        first = torch.arange(n_jets, device=x.device).view(n_jets, 1, 1) * (n_cells + 1)
        around = rows.index_select(0, (near + first).flatten()).view(n_jets * n_cells, FILTER * width)
        return x + self.output(torch.relu(self.filter(around))).view(n_jets, n_cells, width)
