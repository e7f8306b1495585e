"""Nodes of some channels pooled into cells: the vector of a cell is the sum of a learned vector of each of its nodes.

So nothing is rounded to the cell's size (M. Zaheer et al., Deep Sets, NeurIPS 2017, arXiv:1703.06114, theorem 2): where
in the cell a deposit lies is among what each node says.
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from e2egraph.config import configuration
from e2egraph.detector.channels import Channel, channels
from e2egraph.models.scaling import VariableScaling
from e2egraph.models.tokens.cells import occupied_cells
from e2egraph.models.tokens.tokens import Nodes, Tokens, columns, place_of

Positive = Annotated[int, Field(ge=1)]

# What a cell of 5×5 crystals typically holds: with these units its sums are of order one.
TYPICAL_NODES = 8.0
TYPICAL_ENERGY = 1.0  # GeV

NODE_VARIABLES = ("value", "time")

OTHER_CHANNELS = tuple(channel for channel in channels().values() if channel is not Channel.TRACK)

# 1, Δη, Δφ to the window's centre and their squared length, Δη, Δφ in the cell.
POSITIONS = 6


@configuration
class CellGroup:
    """``channels``: whose nodes are pooled (tracks aside, all where not given); ``size``: side of a cell in crystals;
    ``keep``: cells at most, those with most energy; where there is none, with most nodes."""

    channels: tuple[str, ...] = tuple(channel.name for channel in OTHER_CHANNELS)
    size: Positive = 5
    keep: Positive = 64

    @field_validator("channels")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [name for name in names if name not in channels() or name == Channel.TRACK.name]
        if wrong or not names:
            raise ValueError(f"channels {list(names)} must be some of the hits and calorimeters")
        return names

    @property
    def members(self) -> tuple[Channel, ...]:
        return tuple(sorted({channels()[name] for name in self.channels}))


class CellTokens(nn.Module):
    """The cells of one group; each node is seen once, by a linear layer of ``node_width`` and ReLU."""

    def __init__(self, group: CellGroup, node_width: int, width: int) -> None:
        super().__init__()
        self.group, self.channels = group, list(group.members)
        self.scaling = VariableScaling(NODE_VARIABLES)
        # No bias: the channel flags are one. No layer after the ReLU: a linear one may as well stand after the sum.
        self.node = nn.Linear(POSITIONS + len(NODE_VARIABLES) + len(self.channels), node_width, bias=False)
        self.layers = nn.Sequential(
            nn.Linear(node_width + len(self.channels) + 2 + 4, width, bias=False), nn.ReLU(), nn.Linear(width, width)
        )

    def extra_repr(self) -> str:
        return f"{self.group}"

    def forward(self, nodes: Nodes) -> Tokens:
        group, first, last = self.group, self.channels[0], self.channels[-1]
        flags, member = nodes.flags[..., first : last + 1], nodes.is_other
        if len(self.channels) < len(OTHER_CHANNELS):
            flags = nodes.flags[..., self.channels]
            member = flags.sum(-1) > 0.5
        cells = occupied_cells(nodes.points, nodes.energy[..., 1:].sum(-1), member, group.keep, group.size)
        scaled = self.scaling(columns(nodes.features, NODE_VARIABLES))
        own = torch.cat([nodes.place, cells.offset, scaled, flags], dim=-1)
        learned = cells.sums(torch.relu(self.node(own))) / TYPICAL_NODES
        counts, energy = cells.sums(torch.cat([flags, nodes.energy], dim=-1)).split([len(self.channels), 3], dim=-1)
        physical = [torch.asinh(counts / TYPICAL_NODES), torch.asinh(energy[..., 1:] / TYPICAL_ENERGY)]
        x: Tensor = self.layers(torch.cat([learned, *physical, place_of(cells.centre)], dim=-1))
        return Tokens(x, cells.centre, energy, cells.found)
