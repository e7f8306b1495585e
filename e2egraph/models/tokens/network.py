"""Tracks as tokens, everything else pooled into cells: nodes seen once at full resolution, mixing done on few tokens.

A jet of some hundreds of nodes becomes the tokens of its hardest tracks and of its most energetic cells, between which
attention (arXiv:1706.03762) then mixes. Next to them stand moments of all nodes, so that every node counts.
``exports/flagship.md`` tells how this came about.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from e2egraph.config import configuration
from e2egraph.errors import UsageError
from e2egraph.models.kernels.attention import AttentionKernel
from e2egraph.models.kernels.near_attention import NearAttentionKernel
from e2egraph.models.kernels.projection import AttentionOptions
from e2egraph.models.layers.embedding import Embedding
from e2egraph.models.layers.encoder import Encoder
from e2egraph.models.layers.geometry.phi_reference import PhiReference
from e2egraph.models.layers.readout.group_masses import GroupMasses
from e2egraph.models.layers.readout.heads import Head
from e2egraph.models.layers.readout.node_readout import NodeReadout
from e2egraph.models.layers.readout.object_quantities import ObjectQuantities
from e2egraph.models.layers.readout.pooling import Pooling
from e2egraph.models.layers.standardize import RunningStandardize
from e2egraph.models.network import Network, clear_padding
from e2egraph.models.tokens.cell_tokens import CellGroup, CellTokens
from e2egraph.models.tokens.flow import Flow
from e2egraph.models.tokens.link_tokens import LinkGroup, LinkTokens
from e2egraph.models.tokens.tokens import NodeMaker, joined, unpooled
from e2egraph.models.tokens.tracks import TrackTokens
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Outputs

Positive = Annotated[int, Field(ge=1)]


@configuration
class TracksAndCellsOptions(AttentionOptions):
    """``tracks``: tokens of single tracks at most; 0 where no tracks are read, since tokens that hold nothing cost as
    much as others. ``octaves``: sines and cosines of a track's place at this many scales, as of cells (``CellGroup``);
    ``cells``: groups of cells, or none; ``links``: groups of layers whose hits are linked (``LinkGroup``), or none.

    ``node_width``: numbers each node adds to its cell; ``flow``: functions of place whose moments over all nodes are
    taken; ``near``: attention that fades with distance and reports it (``kernels.near_attention``); ``pairwise``: with
    a learned bias for each pair (``kernels.attention``); ``object``: quantities of the object (``inputs.object``), such
    as where in the detector it lies, go into the head. ``masses``: learned groups of tokens whose momenta and masses go
    into it (``layers.readout.group_masses``).
    """

    tracks: Annotated[int, Field(ge=0)] = 64
    octaves: Annotated[int, Field(ge=0, le=8)] = 0
    cells: tuple[CellGroup, ...] = (CellGroup(),)
    links: tuple[LinkGroup, ...] = ()
    node_width: Positive = 32
    flow: Annotated[int, Field(ge=0)] = 16
    near: bool = False
    object: bool = False
    masses: Annotated[int, Field(ge=0)] = 0
    pairwise: bool = False

    @model_validator(mode="after")
    def _one_attention(self) -> Self:
        if self.near and self.pairwise:
            raise ValueError("near and pairwise are two kinds of attention; set one of them to false")
        return self

    @model_validator(mode="after")
    def _some_tokens(self) -> Self:
        if not (self.tracks or self.cells or self.links):
            raise ValueError("tracks, cells and links make no token; set one of them")
        return self


class TracksAndCells(Network):
    """Tokens → attention blocks → pooling, together with moments of all nodes → head.

    For outputs of nodes tokens are un-pooled instead: each node is read from its own vector and that of the track or
    cell that it is part of.
    """

    Options = TracksAndCellsOptions

    def __init__(self, options: Any, inputs: Inputs, outputs: Outputs) -> None:
        super().__init__()
        self.level = outputs.level
        if self.level == "node":
            self._refuse_objects(options)
        self.options, self.unit = options, inputs.region.half_eta
        o, width = options, options.width
        # As many as TopK is asked for.
        tracks = o.tracks + (self.level == "node")
        self.least_nodes = max(tracks, *(max(group.hits, group.tracks) for group in o.links), 1)
        self.reference = PhiReference(inputs, channels_first=True)
        self.nodes = NodeMaker(inputs)
        energies = self.nodes.energies.channels
        cells = (CellTokens(group, o.node_width, width, inputs, energies) for group in o.cells)
        links = (LinkTokens(group, width, inputs, energies) for group in o.links)
        hardest = [TrackTokens(o.tracks, width, inputs, energies, o.octaves)] if o.tracks else []
        self.makers = nn.ModuleList([*hardest, *cells, *links])
        self.encoder = Encoder(width, o.depth, self.make_kernel)
        if self.level == "node":
            for maker in self.makers:
                assert isinstance(maker, TrackTokens | CellTokens)
                maker.places = True
            self.embedding = Embedding(width, inputs)
            self.readout = NodeReadout(2 * width, width, inputs, outputs, o.dropout)
            return
        momenta = len(energies) + bool(o.links)
        self.pooling = Pooling(width, momenta)
        self.flow = Flow(o.flow, len(inputs.channels), len(energies))
        self.quantities = ObjectQuantities("tracks-and-cells", inputs) if o.object else None
        self.masses = GroupMasses(o.masses, width, momenta, inputs) if o.masses else None
        self.uses_jet = o.object
        in_width = self.pooling.out_width + self.flow.out_width
        in_width += sum(each.out_width for each in (self.quantities, self.masses) if each is not None)
        self.standardize = RunningStandardize(in_width)
        self.head = Head(in_width, width, outputs.size, o.dropout)

    @staticmethod
    def _refuse_objects(options: TracksAndCellsOptions) -> None:
        """UsageError when options ask for what outputs of nodes have no use for."""
        for name, given in (("links", options.links), ("object", options.object), ("masses", options.masses)):
            if given:
                raise UsageError(
                    f"model.options.{name} is for outputs of whole objects, but the objective asks for one row per "
                    "node; leave it out."
                )

    def make_kernel(self, block: int) -> nn.Module:
        o = self.options
        if o.near:
            return NearAttentionKernel(o.width, o.heads, self.unit)
        return AttentionKernel(o.width, o.heads, self.unit if o.pairwise else None)

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        points, features = (rows.transpose(1, 2).contiguous() for rows in (points, features))
        points, features, valid = clear_padding(points, features, mask, channels_first=True)
        more = self.least_nodes - points.shape[2]
        if not torch.compiler.is_exporting() and more > 0:
            # The exported model does so by itself.
            points, features, valid = (F.pad(rows, (0, more)) for rows in (points, features, valid))
        points = self.reference(points, features, valid)
        nodes = self.nodes(points, features, valid)
        kinds = [make(nodes) for make in self.makers]
        tokens = joined(kinds)
        x, energy, found = self.encoder(tokens.x, tokens.points, tokens.energy, tokens.found)
        if self.level == "node":
            own_points, own = points.transpose(1, 2), features.transpose(1, 2)
            vectors = [self.embedding(own_points, own), unpooled(torch.where(found.unsqueeze(2), x, 0.0), kinds)]
            of_nodes: Tensor = self.readout(torch.cat(vectors, dim=-1), own)
            return of_nodes if more <= 0 or torch.compiler.is_exporting() else of_nodes[:, :-more]
        quantities = [] if self.quantities is None else [self.quantities(jet)]
        if self.masses is not None:
            quantities.append(self.masses(x, tokens.points, energy, found))
        pooled = torch.cat([self.pooling(x, energy, found), self.flow(nodes), *quantities], dim=-1)
        scores: Tensor = self.head(self.standardize(pooled))
        return scores
