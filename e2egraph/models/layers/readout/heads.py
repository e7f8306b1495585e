"""Pooled objects, or nodes, → the columns of the outputs."""

from __future__ import annotations

from torch import Tensor, nn


class Head(nn.Module):
    """Two-layer perceptron ``[..., in_width] → [..., n_outputs]`` (classes before softmax)."""

    def __init__(self, in_width: int, width: int, n_outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(in_width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, n_outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.layers(x)
        return scores
