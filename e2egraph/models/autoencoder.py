"""Events squeezed through a few numbers: how badly the energy they hold in each part of the detector comes back.

An autoencoder as an anomaly score (M. Farina, Y. Nakai, D. Shih, arXiv:1808.08992; T. Heimel et al., arXiv:1808.08979):
it learns to reproduce events of one kind, and fails where an event holds what these do not. Any network of this package
is the encoder, so that all nodes are seen at full resolution; what must come back is a coarse image.
"""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from e2egraph.config import configuration
from e2egraph.errors import UsageError
from e2egraph.models.image.event_image import EVENT_CHANNELS, EventImage
from e2egraph.models.image.planes import ENERGY
from e2egraph.models.layers.geometry.phi_reference import PhiReference
from e2egraph.models.network import Network, clear_padding, of_objects
from e2egraph.models.registry import ModelConfig, build_model
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Head, Outputs

# Added to the mean squared error, so that its logarithm exists: far below what any event has.
LEAST_ERROR = 1e-6


@configuration
class AutoencoderOptions:
    """``encoder``: the network that reads the event, with its options, and gives ``latent`` numbers. ``latent``: that
    is all that is kept of an event. ``size``: pixels a side of the image that must come back of them. ``eta_max``: it
    covers |η| < ``eta_max`` and all of φ. ``hidden``: units of the decoder's middle layer.
    """

    encoder: ModelConfig
    latent: Annotated[int, Field(ge=1)] = 16
    size: Annotated[int, Field(ge=1)] = 16
    eta_max: Annotated[float, Field(gt=0.0)] = 2.5
    hidden: Annotated[int, Field(ge=1)] = 128


class EventAutoencoder(Network):
    """Class scores that say how badly an event is reproduced (``tasks.objectives.anomaly``): 0 for the first class, and
    ln e for all others, e the mean over pixels of (decoded − true)², of images of asinh-scaled energies (``planes``).

    The image is that of the event seen from its node of largest value (``PhiReference``), as the encoder sees it, so
    that turning an event changes no score. UsageError: outputs that are not classes, or inputs without a plane.
    """

    Options = AutoencoderOptions

    def __init__(self, options: Any, inputs: Inputs, outputs: Outputs) -> None:
        super().__init__()
        of_objects("an autoencoder", outputs)
        if len(outputs.heads) > 1 or outputs.heads[0].activation != "softmax" or outputs.size < 2:
            raise UsageError("an autoencoder gives class scores of two classes or more; choose objective anomaly.")
        self.classes = outputs.size
        self.reference = PhiReference(inputs)
        self.image = EventImage(inputs, options.size, options.eta_max)
        latent = Head(name="latent", columns=tuple(f"latent_{number}" for number in range(options.latent)))
        self.encoder = build_model(options.encoder, inputs, Outputs(heads=(latent,)))
        self.uses_jet = bool(getattr(self.encoder, "uses_jet", False))
        self.least_nodes = int(getattr(self.encoder, "least_nodes", 1))
        pixels = len(EVENT_CHANNELS) * options.size**2
        self.decoder = nn.Sequential(
            nn.Linear(options.latent, options.hidden), nn.ReLU(), nn.Linear(options.hidden, pixels)
        )

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        points, features, valid = clear_padding(points, features, mask)
        points = self.reference(points, features, valid)
        true = ENERGY(self.image(points, features, mask)).flatten(1)
        decoded = self.decoder(self.encoder(points, features, mask, jet)).to(true.dtype)
        error = (decoded - true).square().mean(dim=1, keepdim=True)
        anomaly = torch.log(error + LEAST_ERROR)
        return torch.cat([torch.zeros_like(anomaly), anomaly.expand(-1, self.classes - 1)], dim=1)
