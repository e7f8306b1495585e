"""The frame of every graph network: Embedding → Encoder of one kernel → readout of objects or nodes (DESIGN §7)."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from e2egraph.config import configuration
from e2egraph.errors import UsageError
from e2egraph.models.layers.embedding import Embedding
from e2egraph.models.layers.encoder import Encoder
from e2egraph.models.layers.geometry.cone_sums import ConeSums
from e2egraph.models.layers.geometry.phi_reference import PhiReference
from e2egraph.models.layers.readout.heads import Head
from e2egraph.models.layers.readout.node_readout import NodeReadout
from e2egraph.models.layers.readout.pooling import Energies, Pooling
from e2egraph.models.layers.standardize import RunningStandardize
from e2egraph.models.network import Network, clear_padding
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Outputs


@configuration
class GraphOptions:
    """What every graph network can be told: vector width, number of blocks, dropout in the head, and merging.

    ``merge``: before each block, how many neighbouring nodes become one (``models.merging``); 1, or not given: none.

    ``cone_sums`` [rad]: widths within which momenta and energies around each node of a whole event are added up as
    more inputs (``models.cone_sums``); none where empty.

    ``width``: length of the vector of each node. ``depth``: number of blocks. ``dropout``: share of the head's
    units left out in training.
    """

    width: Annotated[int, Field(ge=1)] = 64
    depth: Annotated[int, Field(ge=1)] = 2
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    merge: tuple[Annotated[int, Field(ge=1)], ...] = ()
    cone_sums: tuple[Annotated[float, Field(ge=0.01, lt=1.0)], ...] = ()

    @model_validator(mode="after")
    def _one_factor_a_block(self) -> Self:
        if len(self.merge) > self.depth:
            raise ValueError(f"merge has {len(self.merge)} factors for {self.depth} blocks")
        return self


class GraphNetwork(Network):
    """A subclass names its ``Options`` (a child of ``GraphOptions``) and makes its kernel."""

    Options = GraphOptions

    def __init__(self, options: Any, inputs: Inputs, outputs: Outputs) -> None:
        super().__init__()
        self.options, self.inputs, self.level = options, inputs, outputs.level
        if self.level == "node" and any(factor > 1 for factor in options.merge):
            raise UsageError(
                "model.options.merge makes fewer nodes, but the objective asks for one row per node; drop it."
            )
        self.reference, self.periodic = PhiReference(inputs), inputs.region.periodic
        self.energies = Energies(inputs)
        self.embedding = Embedding(options.width, inputs)
        self.cone_sums = ConeSums(inputs, options.cone_sums) if options.cone_sums else None
        if self.cone_sums is not None:
            self.of_sums = nn.Linear(self.cone_sums.out_width, options.width, bias=False)
        self.encoder = self.make_encoder()
        if self.level == "node":
            self.readout = NodeReadout(options.width, options.width, inputs, outputs, options.dropout)
            return
        self.pooling = Pooling(options.width, len(self.energies.channels))
        self.standardize = RunningStandardize(self.pooling.out_width)
        self.head = Head(self.pooling.out_width, options.width, outputs.size, options.dropout)

    def make_encoder(self) -> Encoder:
        """The stack of blocks; a subclass whose blocks share more than nodes makes its own."""
        return Encoder(self.options.width, self.options.depth, self.make_kernel, self.options.merge, self.periodic)

    @abstractmethod
    def make_kernel(self, block: int) -> nn.Module:
        """A new kernel for block number ``block`` (from 0).

        It is a module ``(x [B, N, width], points [B, N, 2], mask [B, N] bool) → [B, N, width]``; what stands in padded
        rows, before and after it, does not matter.
        """

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        points, features, valid = clear_padding(points, features, mask)
        points = self.reference(points, features, valid)
        x = self.embedding(points, features)
        if self.cone_sums is not None:
            x = x + self.of_sums(self.cone_sums(points, features, valid))
        x, energy, valid = self.encoder(x, points, self.energies(features), valid)
        if self.level == "node":
            of_nodes: Tensor = self.readout(x, features)
            return of_nodes
        pooled = self.pooling(x, energy, valid)
        scores: Tensor = self.head(self.standardize(pooled))
        return scores
