"""The convolutional network of the RPV SUSY search on whole events: images that are closed in φ.

Published ("Large-Scale Deep Learning for Multi-Jet Event Classification", arXiv:2207.11710): 224×224 or 64×64 pixels of
tracker pT, ECAL and HCAL energy, |η| < 2.5, all of φ, padding circular in φ, two fully connected layers, batch
normalisation and dropout. Numbers of channels, kernels and the order of layers are those of its public code
(jhgoh/HEP-CNN, python/HEPCNN/torch_model_circpad.py), with two differences: that code repeats the first column twice
where we close the circle, and gives torch the momentum 0.99 of Keras, whose meaning is the opposite.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from e2egraph.config import configuration
from e2egraph.models.image.event_image import EVENT_CHANNELS, EventImage
from e2egraph.models.image.planes import ENERGY
from e2egraph.models.network import Network, of_objects
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Outputs

# Three poolings by two: what turns an image by this many pixels turns the feature maps by one.
POOLED = 8

# Of the public code; keeps channels that are nearly always empty from being blown up.
NORM_EPSILON = 1e-3


@configuration
class CircularCNNOptions:
    """``size`` pixels a side (64 and 224 are published), over |Δη| < ``eta_max`` and |Δφ| < ``phi_max`` [rad].

    Without ``phi_max`` the image is the full circle and its left and right edges are neighbours; with it, they are
    edges like the upper and lower ones. ``widths``: channels of the four convolutions; ``hidden``: units of the first
    fully connected layer. ``pooling``: ``flatten``, as published, or ``phi``, the mean over columns, with which turning
    an event by whole feature pixels (eight of the image) changes no score. ``dropout``: share of channels and of units.

    ``size``: pixels a side. ``eta_max``: largest |Δη| of the image. ``phi_max`` [rad]: largest |Δφ|; the full
    circle where not given.
    """

    size: Annotated[int, Field(ge=POOLED, multiple_of=POOLED)] = 64
    eta_max: Annotated[float, Field(gt=0.0)] = 2.5
    phi_max: Annotated[float, Field(gt=0.0, le=math.pi)] | None = None
    widths: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=4, max_length=4)] = (64, 128, 256, 256)
    hidden: Annotated[int, Field(ge=1)] = 512
    pooling: Literal["flatten", "phi"] = "flatten"
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.5


class CircularConv(nn.Module):
    """3×3 convolution ``[B, C, H, W] → [B, D, H, W]``: zeros beyond the rows, and columns closed to a circle.

    With ``circular`` false, zeros beyond the columns as well.
    """

    def __init__(self, in_channels: int, out_channels: int, circular: bool = True) -> None:
        super().__init__()
        self.circular = circular
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=(1, 0) if circular else 1)

    def forward(self, x: Tensor) -> Tensor:
        if self.circular:
            # Not nn.functional.pad: ONNX pads circularly from opset 19 on only.
            x = torch.cat([x[..., -1:], x, x[..., :1]], dim=-1)
        result: Tensor = self.conv(x)
        return result


class CircularCNN(Network):
    """EventImage → fixed scaling → four circular convolutions → two fully connected layers."""

    Options = CircularCNNOptions

    def __init__(self, options: Any, inputs: Inputs, outputs: Outputs) -> None:
        super().__init__()
        of_objects("cnn-circular", outputs)
        self.options = options
        self.image = EventImage(inputs, options.size, options.eta_max, options.phi_max)
        widths = (len(EVENT_CHANNELS), *options.widths)
        stages: list[nn.Module] = []
        for i, (n_in, n_out) in enumerate(pairwise(widths)):
            last = i == len(widths) - 2
            stages.append(CircularConv(n_in, n_out, self.image.full_circle))
            stages += [] if last else [nn.MaxPool2d(2)]
            stages += [nn.ReLU(), nn.BatchNorm2d(n_out, eps=NORM_EPSILON)]
            stages += [] if last else [nn.Dropout2d(options.dropout)]
        self.convolutions = nn.Sequential(*stages)
        side = options.size // POOLED
        columns = 1 if options.pooling == "phi" else side
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(widths[-1] * side * columns, options.hidden),
            nn.ReLU(),
            nn.Dropout(options.dropout),
            nn.Linear(options.hidden, outputs.size),
        )

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        # A tower's energy lies whole in its pixel, so that one scale serves all three channels.
        image = ENERGY(self.image(points, features, mask))
        x = self.convolutions(image.contiguous(memory_format=torch.channels_last))
        if self.options.pooling == "phi":
            x = x.mean(-1)
        scores: Tensor = self.head(x)
        return scores
