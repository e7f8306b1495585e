"""Vision transformer on the jet's image (A. Dosovitskiy et al., ICLR 2021, arXiv:2010.11929)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from e2egraph.config import configuration
from e2egraph.errors import UsageError
from e2egraph.models.image.patches import PatchEmbedding, sinusoidal_positions
from e2egraph.models.image.planes import ImageChannels
from e2egraph.models.image.rasterize import Rasterize
from e2egraph.models.image.scaling import ImageScaling
from e2egraph.models.kernels.projection import HeadProjection
from e2egraph.models.network import Network, of_objects
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Outputs

# Spread of learned positions at the start, as in the public code of the paper (google-research/vision_transformer).
SMALL = 0.02


@configuration
class ViTOptions:
    """``patch`` pixels a side; multiples of 5 keep whole towers together.

    ``pooling``: ``class`` reads the jet off an extra token, as published; ``mean`` averages over patches (L. Beyer et
    al., arXiv:2205.01580, §3). ``positions``: ``learned``, as published, or fixed ``sinusoidal`` ones. ``mlp_ratio``:
    width of the perceptron between attentions in units of ``width``.

    ``patch``: pixels a side of a patch. ``width``: length of a token's vector. ``depth``: layers of attention.
    ``heads``: of attention, which share the width. ``dropout``: share of units left out in training. ``channels``:
    image planes (``models.image.planes``); the published ones where not given.
    """

    patch: Annotated[int, Field(ge=1)] = 10
    width: Annotated[int, Field(ge=1)] = 64
    depth: Annotated[int, Field(ge=1)] = 4
    heads: Annotated[int, Field(ge=1)] = 4
    mlp_ratio: Annotated[int, Field(ge=1)] = 2
    pooling: Literal["class", "mean"] = "mean"
    positions: Literal["learned", "sinusoidal"] = "learned"
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    channels: ImageChannels = None

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} cannot be shared by {self.heads} heads; take a multiple")
        if self.positions == "sinusoidal" and self.width % 4:
            raise ValueError(f"sinusoidal positions need a width that is a multiple of 4, not {self.width}")
        return self


class SelfAttention(nn.Module):
    """Multi-head self-attention of ``x [B, T, D]``, all tokens with all (arXiv:2010.11929, eqs. 5–8)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.project = HeadProjection(width, heads)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.project.split(x)
        dropout = self.dropout if self.training else 0.0
        return self.project.join(F.scaled_dot_product_attention(q, k, v, dropout_p=dropout))


class ViTBlock(nn.Module):
    """x + attention(norm x), then x + perceptron(norm x) (arXiv:2010.11929, eqs. 2 and 3)."""

    def __init__(self, width: int, heads: int, mlp_width: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads, dropout)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, mlp_width), nn.GELU(), nn.Dropout(dropout), nn.Linear(mlp_width, width)
        )
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop(self.attention(self.attention_norm(x)))
        x = x + self.drop(self.mlp(self.mlp_norm(x)))
        return x


class ViT(Network):
    """Rasterize → fixed scaling → patches → pre-norm transformer → class token or mean → linear."""

    Options = ViTOptions

    def __init__(self, options: Any, inputs: Inputs, outputs: Outputs) -> None:
        super().__init__()
        of_objects("vit", outputs)
        self.options = options
        region = inputs.region
        if options.patch > min(region.rows, region.columns):
            raise UsageError(
                f"vit cuts images into patches of model.options.patch={options.patch} pixels, but they are of "
                f"{region.describe()}; choose a smaller patch."
            )
        width, dropout = options.width, options.dropout
        self.rasterize = Rasterize(inputs, options.channels)
        self.scaling = ImageScaling(self.rasterize.channels)
        self.patches = PatchEmbedding(len(self.rasterize.channels), (region.rows, region.columns), options.patch, width)
        rows, columns = self.patches.rows, self.patches.columns
        if options.positions == "learned":
            self.positions: Tensor = nn.Parameter(torch.randn(rows * columns, width) * SMALL)
        else:
            self.register_buffer("positions", sinusoidal_positions(rows, columns, width), persistent=False)
        if options.pooling == "class":
            # Its position would be one more learned vector added to a learned vector.
            self.class_token = nn.Parameter(torch.randn(1, 1, width) * SMALL)
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.Sequential(
            *(ViTBlock(width, options.heads, options.mlp_ratio * width, dropout) for _ in range(options.depth))
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, outputs.size)

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        image = self.scaling(self.rasterize(points, features, mask))
        x = self.patches(image) + self.positions
        if self.options.pooling == "class":
            x = torch.cat([self.class_token.expand(x.shape[0], -1, -1).to(x.dtype), x], dim=1)
        x = self.norm(self.blocks(self.drop(x)))
        scores: Tensor = self.head(x[:, 0] if self.options.pooling == "class" else x.mean(1))
        return scores
