"""Images → rows of patches, and where each patch lies: the input side of a vision transformer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# The longest wavelength of the position encoding, in units of 2π patches (A. Vaswani et al., arXiv:1706.03762, §3.5).
LONGEST_WAVE = 10_000.0


class PatchEmbedding(nn.Module):
    """``image [B, C, H, W]`` → ``[B, T, width]``: squares of ``patch`` × ``patch`` pixels, each through one linear map.

    A. Dosovitskiy et al., ICLR 2021, arXiv:2010.11929, eq. 1. The image is filled up with zeros at its far edges, so
    that the first patch begins at the first pixel; T = ⌈H / patch⌉ · ⌈W / patch⌉, rows first. ``size``: H and W.
    """

    def __init__(self, channels: int, size: tuple[int, int], patch: int, width: int) -> None:
        super().__init__()
        self.patch = patch
        self.rows, self.columns = (-(-pixels // patch) for pixels in size)
        self.missing = (0, self.columns * patch - size[1], 0, self.rows * patch - size[0])
        self.project = nn.Linear(channels * patch * patch, width)

    def extra_repr(self) -> str:
        return f"patch={self.patch}, {self.rows}×{self.columns} patches"

    def forward(self, image: Tensor) -> Tensor:
        n_jets, channels = image.shape[:2]
        m, n, p = self.rows, self.columns, self.patch
        squares = F.pad(image, self.missing).reshape(n_jets, channels, m, p, n, p)
        tokens: Tensor = self.project(squares.permute(0, 2, 4, 1, 3, 5).reshape(n_jets, m * n, channels * p * p))
        return tokens


def sinusoidal_positions(rows: int, columns: int, width: int) -> Tensor:
    """Sines and cosines of each patch's row (first half of the vector) and column (second half):
    [rows · columns, width].

    The encoding of A. Vaswani et al., arXiv:1706.03762, §3.5, once along each axis.
    ValueError: ``width`` is no multiple of four.
    """
    if width % 4:
        raise ValueError(f"positions in two dimensions need a width that is a multiple of 4, not {width}")
    waves = width // 4
    frequency = LONGEST_WAVE ** (-torch.arange(waves, dtype=torch.float64) / waves)
    angle = torch.arange(max(rows, columns), dtype=torch.float64).unsqueeze(1) * frequency
    axis = torch.cat([angle.sin(), angle.cos()], dim=1)
    row = axis[:rows].unsqueeze(1).expand(rows, columns, 2 * waves)
    column = axis[:columns].unsqueeze(0).expand(rows, columns, 2 * waves)
    return torch.cat([row, column], dim=2).reshape(rows * columns, width).float()
