"""ResNet-15, the image network of the end-to-end papers (M. Andrews et al., Nucl. Instrum. Meth. A 977 (2020) 164304).

Its two public forms differ in padding and in how they end. Both: 7×7/2 convolution to 16 channels, max pooling, seven
residual blocks without normalisation (three of 16, one 16 → 32 at stride 2, three of 32).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from e2egraph.config import configuration
from e2egraph.models.image.rasterize import (
    IMAGE_CHANNELS,
    PUBLISHED_CHANNELS,
    ImageChannels,
    ImpactParameter,
    Rasterize,
)
from e2egraph.models.image.scaling import ImageScaling
from e2egraph.models.network import Network

WIDTHS = (16, 16, 16, 32, 32, 32, 32)


@configuration
class ResNet15Options:
    """``variant``: ``torch`` (padding 1, 61→30→15, global maximum, Linear(32)) or ``keras`` (SAME padding,
    63→31→16→8, flatten, Dense(2048)).

    ``granularity`` 3 rasterises tracks and hits three times finer, and the first convolution becomes 21×21/6.
    ``gains``: image channel → factor on its pixels, which are of order one without (channels not seen do not matter).
    ``unused_shortcuts`` carries the six 1×1 convolutions that the public torch code makes and never calls: 3,984
    parameters without effect, for comparing parameter counts only.
    """

    variant: Literal["torch", "keras"] = "torch"
    granularity: Literal[1, 3] = 1
    channels: ImageChannels = PUBLISHED_CHANNELS
    impact: ImpactParameter = "significance"
    gains: dict[str, Annotated[float, Field(gt=0.0)]] = Field(default_factory=dict)
    unused_shortcuts: Annotated[bool, Field(strict=True)] = False

    @field_validator("gains")
    @classmethod
    def _known_gains(cls, gains: dict[str, float]) -> dict[str, float]:
        wrong = sorted(set(gains) - set(IMAGE_CHANNELS))
        if wrong:
            raise ValueError(f"gains name no image channels: {', '.join(wrong)}; there are {', '.join(IMAGE_CHANNELS)}")
        return gains


class ResidualBlock(nn.Module):
    """3×3, ReLU, 3×3, plus the input (through a strided 1×1 convolution when the shape changes), ReLU."""

    def __init__(self, in_channels: int, out_channels: int, unused_shortcut: bool = False) -> None:
        super().__init__()
        changes = in_channels != out_channels
        stride = 2 if changes else 1
        self.changes = changes
        self.first = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        if changes or unused_shortcut:
            self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        same = self.shortcut(x) if self.changes else x
        result: Tensor = self.relu(self.second(self.relu(self.first(x))) + same)
        return result


class ResNet15(Network):
    """Rasterize → fixed scaling → ResNet-15."""

    Options = ResNet15Options

    def __init__(self, options: Any, n_outputs: int) -> None:
        super().__init__()
        self.options = options
        g = options.granularity
        self.rasterize = Rasterize(options.channels, options.impact, g)
        self.scaling = ImageScaling(options.channels, options.impact, g, options.gains)
        # keras SAME: ⌈125/2⌉ = 63 pixels; torch: padding 1, scaled with the kernel, so that 61 stay 61 at g = 3.
        padding = 3 * g if options.variant == "keras" else g
        self.stem = nn.Sequential(
            nn.Conv2d(len(options.channels), WIDTHS[0], 7 * g, 2 * g, padding), nn.ReLU(inplace=True), nn.MaxPool2d(2)
        )
        widths = zip((WIDTHS[0], *WIDTHS[:-1]), WIDTHS, strict=True)
        self.blocks = nn.Sequential(*(ResidualBlock(a, b, options.unused_shortcuts) for a, b in widths))
        self.head = (
            nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(WIDTHS[-1] * 8 * 8, n_outputs))
            if options.variant == "keras"
            else nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], n_outputs))
        )

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        image = self.scaling(self.rasterize(points, features, mask))
        # Convolutions of few channels are about 1.4 times as fast on a CPU in this memory order.
        image = image.contiguous(memory_format=torch.channels_last)
        scores: Tensor = self.head(self.blocks(self.stem(image)))
        return scores
