"""The electron/photon network on crops of 32×32 crystals (M. Andrews et al., arXiv:1807.11916, and its successors).

Layers as in the public code for the ``Single{Photon,Electron}Pt50_IMGCROPS`` files (mbandrews/EBcrops_pho_ele,
k_trainer_EGcrops_basic.py): twice two 3×3 convolutions and a pooling, then Dense 256 and 128. It has no normalisation.
"""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from e2egraph.config import configuration
from e2egraph.models.image.crystal_crop import ENERGY_AND_TIME, CrystalCrop
from e2egraph.models.image.planes import ImageChannels
from e2egraph.models.image.scaling import ImageScaling
from e2egraph.models.network import Network, of_objects
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Outputs

WIDTHS = (16, 32)
DENSE = (256, 128)


@configuration
class EGammaCNNOptions:
    """``size``: crystals a side of the crop (32 as published). ``channels``: image planes (``models.image.planes``);
    energy and time, as published, where not given.

    ``dropout``: share of dense units, 0.2 as published.
    """

    size: Annotated[int, Field(ge=4, multiple_of=4)] = 32
    channels: ImageChannels = None
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.2


class EGammaCNN(Network):
    """CrystalCrop → fixed scaling → convolutions 16, 16, pool, 32, 32, pool → dense 256, 128 → scores."""

    Options = EGammaCNNOptions

    def __init__(self, options: Any, inputs: Inputs, outputs: Outputs) -> None:
        super().__init__()
        of_objects("cnn-egamma", outputs)
        self.options = options
        self.crop = CrystalCrop(inputs, options.size, options.channels or ENERGY_AND_TIME)
        self.scaling = ImageScaling(self.crop.channels)
        stages: list[nn.Module] = []
        n_in = len(self.crop.channels)
        for n_out in WIDTHS:
            stages += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.ReLU(inplace=True)]
            stages += [nn.Conv2d(n_out, n_out, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
            n_in = n_out
        self.convolutions = nn.Sequential(*stages)
        dense: list[nn.Module] = [nn.Flatten()]
        n_in = WIDTHS[-1] * (options.size // 4) ** 2
        for n_out in DENSE:
            dense += [nn.Linear(n_in, n_out), nn.ReLU(inplace=True), nn.Dropout(options.dropout)]
            n_in = n_out
        self.head = nn.Sequential(*dense, nn.Linear(n_in, outputs.size))

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        image = self.scaling(self.crop(points, features, mask))
        scores: Tensor = self.head(self.convolutions(image.contiguous(memory_format=torch.channels_last)))
        return scores
