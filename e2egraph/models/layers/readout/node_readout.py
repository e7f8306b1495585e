"""Vectors of nodes → the columns of outputs of nodes: a perceptron for each head, of the vector and the raw node."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from e2egraph.models.layers.node_wise import node_wise
from e2egraph.models.layers.scaling import NodeScaling
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Outputs


class NodeReadout(nn.Module):
    """``x [B, N, in_width]``, raw ``features [B, N, V]`` → ``[B, N, C]`` in the order of ``outputs``.

    The last layers begin as zeros, and so do all outputs: where these are relative to a node, they mean the node
    itself, which is right for most tracks before anything is learnt.
    """

    def __init__(self, in_width: int, width: int, inputs: Inputs, outputs: Outputs, dropout: float = 0.0) -> None:
        super().__init__()
        self.scaling = NodeScaling(inputs)
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Linear(in_width + inputs.n_features, width),
                nn.ReLU(),
                nn.Dropout(dropout),
                nn.Linear(width, len(head.columns)),
            )
            for head in outputs.heads
        )
        for head in self.heads:
            assert isinstance(head, nn.Sequential)
            for parameter in head[-1].parameters():
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        seen = torch.cat([x, self.scaling(features).to(x.dtype)], dim=-1)
        return torch.cat([node_wise(head, seen) for head in self.heads], dim=-1)
