"""The frame of every graph network: Embedding → Encoder of one kernel → Pooling → Head (DESIGN §6)."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any

from pydantic import Field
from torch import Tensor, nn

from e2egraph.config import configuration
from e2egraph.models.embedding import Embedding
from e2egraph.models.encoder import Encoder
from e2egraph.models.heads import Head
from e2egraph.models.network import Network, clear_padding
from e2egraph.models.pooling import Pooling, energies
from e2egraph.models.standardize import RunningStandardize


@configuration
class GraphOptions:
    """What every graph network can be told: vector width, number of blocks, dropout in the head."""

    width: Annotated[int, Field(ge=1)] = 64
    depth: Annotated[int, Field(ge=1)] = 2
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0


class GraphNetwork(Network):
    """A subclass names its ``Options`` (a child of ``GraphOptions``) and makes its kernel."""

    Options = GraphOptions

    def __init__(self, options: Any, n_outputs: int) -> None:
        super().__init__()
        self.options = options
        self.embedding = Embedding(options.width)
        self.encoder = Encoder(options.width, options.depth, self.make_kernel)
        self.pooling = Pooling(options.width)
        self.standardize = RunningStandardize(self.pooling.out_width)
        self.head = Head(self.pooling.out_width, options.width, n_outputs, options.dropout)

    @abstractmethod
    def make_kernel(self) -> nn.Module:
        """A new kernel ``(x [B, N, width], points [B, N, 2], mask [B, N] bool) → [B, N, width]``."""

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        points, features, valid = clear_padding(points, features, mask)
        x = self.encoder(self.embedding(points, features), points, valid)
        pooled = self.pooling(x, energies(features), valid)
        scores: Tensor = self.head(self.standardize(pooled))
        return scores
