"""Nodes of some channels pooled into cells: the vector of a cell is the sum of a learned vector of each of its nodes.

So nothing is rounded to the cell's size (M. Zaheer et al., Deep Sets, NeurIPS 2017, arXiv:1703.06114, theorem 2): where
in the cell a deposit lies is among what each node says.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from e2egraph.config import configuration
from e2egraph.detector.channels import Channel
from e2egraph.errors import UsageError
from e2egraph.models.layers.columns import columns
from e2egraph.models.layers.geometry.places import place_of, waves
from e2egraph.models.layers.node_wise import node_wise
from e2egraph.models.layers.scaling import VariableScaling
from e2egraph.models.tokens.cells import CellGrid
from e2egraph.models.tokens.neighbor_convolution import NeighborConvolution
from e2egraph.models.tokens.tokens import Nodes, Tokens, of_each, perceptron
from e2egraph.tasks.inputs import Inputs

Positive = Annotated[int, Field(ge=1)]

# What a cell of 5×5 crystals typically holds: with these units its sums are of order one.
TYPICAL_NODES = 8.0
TYPICAL_ENERGY = 1.0  # GeV

# What says nothing of nodes other than tracks, whose radius the channel flags give.
OF_TRACKS = ("rho", "d0", "dz", "d0_sig", "dz_sig", "charge")

# 1, Δη, Δφ to the region's centre and their squared length, Δη, Δφ in the cell.
POSITIONS = 6


@configuration
class CellGroup:
    """``channels``: whose nodes are pooled (tracks aside, all where not given); ``size``: side of a cell in crystals;
    ``keep``: cells at most, those with most energy; where there is none, with most nodes.

    ``octaves``: sines and cosines of a cell's place at this many scales, each half of the one before, so that cells
    next to each other differ: of a plain place, networks learn slowly what changes fast (B. Mildenhall et al.,
    arXiv:2003.08934, §5.1). ``convolutions``: layers that mix each kept cell with those next to it
    (``neighbor_convolution``).
    """

    channels: tuple[str, ...] | None = None
    size: Positive = 5
    keep: Positive = 64
    octaves: Annotated[int, Field(ge=0, le=8)] = 0
    convolutions: Annotated[int, Field(ge=0, le=16)] = 0

    @field_validator("channels")
    @classmethod
    def _no_tracks(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if names is not None and (not names or Channel.TRACK.name in names or len(set(names)) < len(names)):
            raise ValueError(f"channels {list(names)} must be some of the hits and calorimeters")
        return names

    def positions(self, inputs: Inputs) -> list[int]:
        """Positions of its channels among those of ``inputs``, rising; UsageError when one is not there."""
        others = [name for name in inputs.channel_names if name != Channel.TRACK.name]
        unknown = [name for name in self.channels or () if name not in others]
        if unknown or not others:
            wanted = f"channel {unknown[0]}" if unknown else "channels of hits or calorimeters"
            raise UsageError(
                f"a group of cells pools {wanted}, which the task's inputs do not hold; choose model.options.cells out "
                f"of {', '.join(others) or 'none (cells=[])'}."
            )
        return sorted(inputs.channel_names.index(name) for name in self.channels or others)


class CellTokens(nn.Module):
    """The cells of one group; each node is seen once, by a linear layer of ``node_width`` and ReLU."""

    def __init__(self, group: CellGroup, node_width: int, width: int, inputs: Inputs, energies: Sequence[str]) -> None:
        """``energies``: channels of ``Nodes.energy``. UsageError when ``inputs`` lack channels of the group."""
        super().__init__()
        self.group, self.channels = group, group.positions(inputs)
        self.grid = CellGrid(group.keep, group.size, inputs.region)
        half, periodic, centre = inputs.region.half_eta, inputs.region.periodic, self.grid.centre
        places = [place_of(centre, half, periodic=periodic), waves(centre, half, group.octaves, periodic=periodic)]
        self.register_buffer("place", torch.cat(places, dim=-1), persistent=False)
        others = [i for i, name in enumerate(inputs.channel_names) if name != Channel.TRACK.name]
        self.whole = self.channels == others
        names = [name for name in inputs.variable_names if name not in OF_TRACKS]
        self.own = [inputs.index(name) for name in names]
        self.scaling = VariableScaling(inputs, names)
        counts, of_others = len(self.channels), [i for i, name in enumerate(energies) if name != Channel.TRACK.name]
        # Of the sums behind the learned ones: numbers of nodes, and energies that are not of tracks.
        self.energies, self.physical = len(energies), [*range(counts), *(counts + i for i in of_others)]
        n_flags = len(inputs.channels)
        self.counted = [*self.channels, *range(n_flags, n_flags + len(energies))]
        unit = [TYPICAL_NODES] * (node_width + counts) + [TYPICAL_ENERGY] * len(energies)
        self.register_buffer("unit", torch.tensor(unit), persistent=False)
        # No bias: the channel flags are one. No layer after the ReLU: a linear one may as well stand after the sum.
        self.node = nn.Linear(POSITIONS + len(names) + len(self.channels), node_width, bias=False)
        self.layers = nn.Sequential(
            nn.Linear(node_width + len(self.physical) + 1 + self.place.shape[-1], width, bias=False),
            nn.ReLU(),
            nn.Linear(width, width),
        )
        self.convolutions = nn.ModuleList(NeighborConvolution(width) for _ in range(group.convolutions))

    place: Tensor
    unit: Tensor
    # Whether tokens tell which nodes they are made of (``Tokens.place``).
    places = False

    def extra_repr(self) -> str:
        return f"{self.group}"

    def forward(self, nodes: Nodes) -> Tokens:
        flags = columns(nodes.flags, self.channels, dim=1)
        member = nodes.is_other if self.whole else flags.sum(1) > 0.5
        # Tracks are no members: the energies of one are those of its channel.
        cells = self.grid(nodes.points, nodes.energy.sum(1), member)
        scaled = self.scaling.rows(columns(nodes.variables, self.own, dim=1))
        own = torch.cat([nodes.place, cells.offset, scaled, flags], dim=1)
        sums = cells.sums(torch.relu(of_each(self.node.weight, own)), columns(nodes.weights, self.counted, dim=1))
        energy = sums[..., sums.shape[-1] - self.energies :]
        learned, physical = (sums / self.unit).tensor_split([self.node.out_features], dim=-1)
        physical = columns(torch.asinh(physical), self.physical)
        of_cells = torch.cat([learned, physical, self.place[cells.kept]], dim=-1)
        one = learned.shape[-1] + len(self.physical)
        x = node_wise(partial(perceptron, self.layers, one=one), of_cells)
        if self.convolutions:
            near = cells.neighbors()
            for convolve in self.convolutions:
                x = convolve(x, near)
        return Tokens(x, cells.centre, energy, cells.found, cells.slot() if self.places else None)
