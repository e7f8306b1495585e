"""ResNet-15, the image network of the end-to-end papers (M. Andrews et al., Nucl. Instrum. Meth. A 977 (2020) 164304).

Its two public forms differ in padding and in how they end. Both: 7×7/2 convolution to 16 channels, max pooling, seven
residual blocks without normalisation (three of 16, one 16 → 32 at stride 2, three of 32). On crops of 32×32 crystals
the convolution has stride 1 and no pooling follows (arXiv:2204.12313 and its code, mbandrews/h2aa).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from e2egraph.config import configuration
from e2egraph.detector.channels import hit_channels
from e2egraph.errors import UsageError
from e2egraph.models.image.crystal_crop import Pixels, middle
from e2egraph.models.image.event_image import EVENT_CHANNELS, EventImage
from e2egraph.models.image.planes import ENERGY, PLANES, ImageChannels, planes_of
from e2egraph.models.image.rasterize import Rasterize
from e2egraph.models.image.scaling import ImageScaling
from e2egraph.models.layers.readout.object_quantities import ObjectQuantities
from e2egraph.models.network import Network, of_objects
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Outputs
from e2egraph.tasks.region import Region

WIDTHS = (16, 16, 16, 32, 32, 32, 32)

# Pixels along the shorter side of which the layers leave at least one.
SMALLEST = {"torch": 7, "keras": 11}
SMALLEST_UNSAMPLED = {"torch": 1, "keras": 3}


@configuration
class EventPixels:
    """The image of a whole event (``event_image``), over all of φ.

    ``size``: pixels along each side. ``eta_max``: the image covers |η| < ``eta_max``.
    """

    size: Annotated[int, Field(ge=1)] = 224
    eta_max: Annotated[float, Field(gt=0.0)] = 2.5


@configuration
class ResNet15Options:
    """``variant``: ``torch`` (padding 1, 61→30→15, global maximum, Linear(32)) or ``keras`` (SAME padding,
    63→31→16→8, flatten, Dense(2048)).

    ``size``: crystals a side of the image (``crystal_crop.middle``); the whole region where not given.
    ``downsample`` false: the first convolution keeps every pixel, and no pooling follows it.
    ``granularity`` 3 (or 9) rasterises tracks and hits three (nine) times finer, and the first convolution becomes
    21×21/6 (63×63/18), without ``downsample`` 21×21/3 (63×63/9).
    ``channels``: image planes (``models.image.planes``); where not given, the published ones that the inputs hold.
    ``gains``: plane → factor on its pixels, which are of order one without; planes that are not drawn do not matter.
    ``object``: quantities of the object (``inputs.object``) stand next to what the image gives, before the last layer:
    where in the detector it lies, for masses (arXiv:2204.12313 appends the seed's indices).
    ``event``: the image is one of a whole event as published (arXiv:2207.11710), in place of the region's crystals.
    ``unused_shortcuts`` carries the six 1×1 convolutions that the public torch code makes and never calls: 3,984
    parameters without effect, for comparing parameter counts only.

    ``downsample``: whether the first convolution and the pooling after it make the image smaller. ``granularity``:
    pixels a crystal's side for tracks and hits. ``unused_shortcuts``: carry convolutions that are never called, for
    comparing parameter counts.
    """

    variant: Literal["torch", "keras"] = "torch"
    size: Annotated[int, Field(ge=1)] | None = None
    downsample: Annotated[bool, Field(strict=True)] = True
    granularity: Literal[1, 3, 9] = 1
    channels: ImageChannels = None
    gains: dict[str, Annotated[float, Field(gt=0.0)]] = Field(default_factory=dict)
    object: Annotated[bool, Field(strict=True)] = False
    event: EventPixels | None = None
    unused_shortcuts: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _one_image(self) -> Self:
        crystals = self.size is not None or self.granularity > 1 or self.channels is not None or self.gains
        if self.event is not None and crystals:
            raise ValueError("event draws its own image; drop size, granularity, channels and gains")
        return self


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

    def __init__(self, options: Any, inputs: Inputs, outputs: Outputs) -> None:
        super().__init__()
        of_objects("resnet15", outputs)
        self.options, n_outputs = options, outputs.size
        g = options.granularity
        rows, columns = _drawn(options, inputs.region)
        n_planes = self._make_image(options, inputs, rows, columns)
        # keras SAME: half the pixels, rounded up; torch: padding 1, scaled with the kernel, so that the size after it
        # is the same at g = 3. Without downsample every pixel stays.
        same = options.variant == "keras" or not options.downsample
        stride, padding = (2 * g if options.downsample else g), (3 * g if same else g)
        stem = [nn.Conv2d(n_planes, WIDTHS[0], 7 * g, stride, padding), nn.ReLU(inplace=True)]
        self.stem = nn.Sequential(*stem, *([nn.MaxPool2d(2)] if options.downsample else []))
        widths = zip((WIDTHS[0], *WIDTHS[:-1]), WIDTHS, strict=True)
        self.blocks = nn.Sequential(*(ResidualBlock(a, b, options.unused_shortcuts) for a, b in widths))
        self.quantities = ObjectQuantities("resnet15", inputs) if options.object else None
        self.uses_jet = options.object
        keras = options.variant == "keras"
        width = _flat(options, rows, columns) if keras else WIDTHS[-1]
        width += self.quantities.out_width if self.quantities is not None else 0
        pool = nn.MaxPool2d(2) if keras else nn.AdaptiveMaxPool2d(1)
        self.head = nn.Sequential(pool, nn.Flatten(), nn.Linear(width, n_outputs))

    def _make_image(self, options: ResNet15Options, inputs: Inputs, rows: Pixels, columns: Pixels) -> int:
        """What draws the image; number of its planes."""
        if options.event is not None:
            self.event_image: EventImage | None = EventImage(inputs, options.event.size, options.event.eta_max)
            return len(EVENT_CHANNELS)
        self.event_image, g = None, options.granularity
        self.rows, self.columns = (slice(start * g, stop * g) for start, stop in (rows, columns))
        _check_gains(options.gains, inputs)
        self.rasterize = Rasterize(inputs, options.channels, g)
        self.scaling = ImageScaling(self.rasterize.channels, g, options.gains)
        return len(self.rasterize.channels)

    def _image(self, points: Tensor, features: Tensor, mask: Tensor) -> Tensor:
        if self.event_image is not None:
            return ENERGY(self.event_image(points, features, mask))
        scaled: Tensor = self.scaling(self.rasterize(points, features, mask)[:, :, self.rows, self.columns])
        return scaled

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        image = self._image(points, features, mask)
        # Convolutions of few channels are about 1.4 times as fast on a CPU in this memory order.
        image = image.contiguous(memory_format=torch.channels_last)
        pooled = self.head[:-1](self.blocks(self.stem(image)))
        if self.quantities is not None:
            pooled = torch.cat([pooled, self.quantities(jet)], dim=1)
        scores: Tensor = self.head[-1](pooled)
        return scores


def _drawn(options: ResNet15Options, region: Region) -> tuple[Pixels, Pixels]:
    """``middle`` of what the network sees; UsageError too when nothing of it would be left after the layers."""
    if options.event is not None:
        rows = columns = (0, options.event.size)
    else:
        rows, columns = middle(region, options.size)
    smallest = (SMALLEST if options.downsample else SMALLEST_UNSAMPLED)[options.variant]
    size = [stop - start for start, stop in (rows, columns)]
    if min(size) < smallest:
        what = region.describe() if options.size is None and options.event is None else f"of {size[0]}×{size[1]}"
        raise UsageError(
            f"resnet15 (model.options.variant={options.variant}) needs images of {smallest}×{smallest} pixels at "
            f"least, not {what}; choose another model."
        )
    return rows, columns


def _flat(options: ResNet15Options, rows: Pixels, columns: Pixels) -> int:
    """Numbers in the last feature maps of variant ``keras``: sizes are halved by stem and blocks, each rounded as its
    layer does."""

    def left(pixels: Pixels) -> int:
        size = pixels[1] - pixels[0]
        # Stem convolution (rounded up) and pooling, one strided block (rounded up), pooling.
        after_stem = (size + 1) // 2 // 2 if options.downsample else size
        return (after_stem + 1) // 2 // 2

    return WIDTHS[-1] * left(rows) * left(columns)


def _check_gains(gains: dict[str, float], inputs: Inputs) -> None:
    """UsageError for a name that no plane has, neither of the table nor of a layer of hits."""
    layers = [channel.name for channel in hit_channels()]
    unknown = sorted(set(gains) - {*PLANES, *layers, *planes_of(inputs)})
    if unknown:
        raise UsageError(
            f"model.options.gains name no image planes: {', '.join(unknown)}; choose out of "
            f"{', '.join(planes_of(inputs))}."
        )
