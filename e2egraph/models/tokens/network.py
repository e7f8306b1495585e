"""Tracks as tokens, everything else as cells: each node seen once at full resolution, mixing done on few tokens.

A jet of some hundreds of nodes becomes the tokens of its hardest tracks and of its most energetic cells. The vector of
a cell is the sum over its nodes of a learned vector of each (M. Zaheer et al., Deep Sets, NeurIPS 2017,
arXiv:1703.06114, theorem 2), so that nothing is rounded to the cell's size: where in the cell a deposit lies is among
what each node says. Attention (arXiv:1706.03762) then mixes the tokens.
"""

from __future__ import annotations

import itertools
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from e2egraph.config import configuration
from e2egraph.detector import Channel
from e2egraph.models.encoder import Encoder
from e2egraph.models.heads import Head
from e2egraph.models.kernels.attention import AttentionKernel
from e2egraph.models.kernels.projection import AttentionOptions
from e2egraph.models.network import N_FEATURES, Network, clear_padding, feature_index
from e2egraph.models.pooling import Pooling, energies
from e2egraph.models.scaling import HALF_WINDOW, NodeScaling
from e2egraph.models.standardize import RunningStandardize
from e2egraph.models.tokens.cells import Cells, occupied_cells
from e2egraph.models.tokens.tracks import hardest_tracks

Positive = Annotated[int, Field(ge=1)]

# Δη, Δφ to the jet's axis and their squared length, Δη, Δφ in the cell.
POSITIONS = 5

# What a cell of 5×5 crystals typically holds: with these units its sums are of order one.
TYPICAL_NODES = 8.0
TYPICAL_ENERGY = 1.0  # GeV

OTHER_CHANNELS = tuple(channel for channel in Channel if channel is not Channel.TRACK)


@configuration
class TracksAndCellsOptions(AttentionOptions):
    """``tracks``, ``cells``: tokens of each kind at most; ``cell_size``: side of a cell in crystals.

    ``node_width``: numbers each node adds to its cell, made by a perceptron of ``node_layers`` layers.
    ``pairwise``: see ``kernels.attention``.
    """

    tracks: Positive = 64
    cells: Positive = 64
    cell_size: Positive = 5
    node_width: Positive = 64
    node_layers: Positive = 1
    pairwise: bool = False


class TracksAndCells(Network):
    """Tokens → attention blocks → pooling → head."""

    Options = TracksAndCellsOptions

    def __init__(self, options: Any, n_outputs: int) -> None:
        super().__init__()
        self.options = options
        o, width = options, options.width
        self.scaling = NodeScaling()
        # No layer without ReLU at its end: a linear one may as well stand after the sum, on the few cells.
        widths = [POSITIONS + N_FEATURES, *[o.node_width] * o.node_layers]
        layers = ((nn.Linear(a, b), nn.ReLU(inplace=True)) for a, b in itertools.pairwise(widths))
        self.node = nn.Sequential(*itertools.chain.from_iterable(layers))
        self.cell = nn.Sequential(
            nn.Linear(o.node_width + 2 * len(OTHER_CHANNELS) + 3, width), nn.ReLU(), nn.Linear(width, width)
        )
        self.track = nn.Sequential(nn.Linear(3 + N_FEATURES, width), nn.ReLU(), nn.Linear(width, width))
        self.encoder = Encoder(width, o.depth, lambda block: AttentionKernel(width, o.heads, o.pairwise))
        self.pooling = Pooling(width)
        in_width = self.pooling.out_width + 2 * len(Channel)
        self.standardize = RunningStandardize(in_width)
        self.head = Head(in_width, width, n_outputs, o.dropout)

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        points, features, valid = clear_padding(points, features, mask)
        if not torch.compiler.is_exporting() and points.shape[1] == 0:
            # Tokens that are not there are read from node 0.
            points, features, valid = F.pad(points, (0, 0, 0, 1)), F.pad(features, (0, 0, 0, 1)), F.pad(valid, (0, 1))
        o = self.options
        is_track = features[..., feature_index(f"is_{Channel.TRACK.name}")] > 0.5
        energy = energies(features)
        cells = occupied_cells(points, energy[..., 1:].sum(-1), valid & ~is_track, o.cells, o.cell_size)
        counts = features[..., -len(Channel) :]
        contents = torch.cat([counts, counts * features[..., feature_index("value")].unsqueeze(-1)], dim=-1)
        scaled = self.scaling(features)
        nodes = torch.cat([*_place(points), scaled], dim=-1)
        index, found = hardest_tracks(features, nodes, valid, o.tracks)

        track_points, track_energy = _rows(points, index, found), _rows(energy, index, found)
        tracks = self.track(_rows(nodes, index, found))
        in_cells, cell_energy = self._cells(cells, nodes, contents, energy)
        x, token_energy, kept = self.encoder(
            torch.cat([tracks, in_cells], dim=1),
            torch.cat([track_points, cells.centre], dim=1),
            torch.cat([track_energy, cell_energy], dim=1),
            torch.cat([found, cells.found], dim=1),
        )
        totals = torch.asinh(contents.sum(1) / TYPICAL_NODES)
        pooled = torch.cat([self.pooling(x, token_energy, kept), totals], dim=-1)
        scores: Tensor = self.head(self.standardize(pooled))
        return scores

    def _cells(self, cells: Cells, nodes: Tensor, contents: Tensor, energy: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors [B, C, width] of the kept cells, and the energies [B, C, 3] of what they hold, tracks aside."""
        learned = cells.sums(self.node(torch.cat([nodes, cells.offset], dim=-1)))
        contents, energy = cells.sums(torch.cat([contents, energy], dim=-1)).split([contents.shape[-1], 3], dim=-1)
        counts, values = contents.split(len(Channel), dim=-1)
        physical = [
            torch.asinh(counts[..., 1:] / TYPICAL_NODES),
            torch.asinh(values[..., 1:] / TYPICAL_ENERGY),
        ]
        return self.cell(torch.cat([learned / TYPICAL_NODES, *physical, *_place(cells.centre)], dim=-1)), energy


def _place(points: Tensor) -> tuple[Tensor, Tensor]:
    """``points [..., 2]`` in units of half the window, and their squared length [..., 1]."""
    position = points / HALF_WINDOW
    return position, position.square().sum(-1, keepdim=True)


def _rows(values: Tensor, index: Tensor, found: Tensor) -> Tensor:
    """Rows ``index [B, T]`` of ``values [B, N, D]``, zero where not ``found``."""
    rows = torch.gather(values, 1, index.unsqueeze(-1).expand(-1, -1, values.shape[-1]))
    return rows.masked_fill(~found.unsqueeze(-1), 0.0)
