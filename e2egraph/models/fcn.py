"""The fully connected network of the boosted-top paper (arXiv:2104.14659): jet variables and a few displaced tracks.

The peer without images or graphs that those are compared with: soft-drop mass, τ3/τ2, and d0 and dz of the five tracks
with the largest impact parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from e2egraph.config import configuration
from e2egraph.detector.channels import Channel
from e2egraph.models.layers.scaling import Scale, scale_of
from e2egraph.models.network import Network, clear_padding, of_objects, require
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Outputs

# GeV: the masses of W, Z, Higgs and top are of this order.
MASS = Scale(100.0)

# What is read of the jet, and of its tracks: by the first the most displaced are found.
OF_JET = ("softdrop_mass", "tau32")
KEYS = ("d0_sig", "d0", "dz")

# τ3 ≤ τ2 when axes are optimal, and little above it otherwise; beyond, the ratio means nothing.
LARGEST_TAU32 = 1.5


@configuration
class FCNOptions:
    """``layers`` fully connected layers, the last one to the scores, ``width`` units in the others; ``tracks`` chosen.

    Published are eight layers, five tracks and 843,602 parameters, not the widths: 373 units in every layer give
    842,609 with two classes, and no one width gives the number itself.

    ``width``: units of each layer but the last. ``layers``: fully connected layers in all. ``tracks``: most
    displaced tracks that are read. ``dropout``: share of units left out in training.
    """

    width: Annotated[int, Field(ge=1)] = 373
    layers: Annotated[int, Field(ge=2)] = 8
    tracks: Annotated[int, Field(ge=1)] = 5
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0


class FCN(Network):
    """[soft-drop mass, τ3/τ2, d0 and dz of the most displaced tracks] → fully connected layers with ReLU."""

    Options = FCNOptions
    uses_jet = True

    def __init__(self, options: Any, inputs: Inputs, outputs: Outputs) -> None:
        super().__init__()
        of_objects("fcn", outputs)
        require("fcn", inputs, *KEYS, f"is_{Channel.TRACK.name}", quantities=OF_JET)
        self.options = options
        self.keys = [inputs.index(name) for name in KEYS]
        self.track = inputs.index(f"is_{Channel.TRACK.name}")
        self.mass, self.tau32 = (inputs.object_index(name) for name in OF_JET)
        self.scales = [scale_of(inputs.variables[inputs.index(name)].scale) for name in ("d0", "dz")]
        widths = [2 + 2 * options.tracks, *[options.width] * (options.layers - 1)]
        stages: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            stages += [_linear(n_in, n_out), nn.ReLU(), nn.Dropout(options.dropout)]
        self.layers = nn.Sequential(*stages, nn.Linear(widths[-1], outputs.size))

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        _, features, valid = clear_padding(points, features, mask)
        is_track = valid & (features[..., self.track] > 0.5)
        d0, dz = most_displaced([features[..., key] for key in self.keys], is_track, self.options.tracks)
        # A jet without substructure (τ2 = 0) has no ratio; whoever computed it may have left infinity or NaN.
        tau32 = torch.nan_to_num(jet[:, self.tau32], nan=0.0).clamp(0.0, LARGEST_TAU32)
        of_jet = torch.stack([MASS(jet[:, self.mass]), tau32], dim=1)
        scores: Tensor = self.layers(torch.cat([of_jet, self.scales[0](d0), self.scales[1](dz)], dim=1))
        return scores


def most_displaced(keys: Sequence[Tensor], is_track: Tensor, n_tracks: int) -> tuple[Tensor, Tensor]:
    """d0 and dz [cm] of the ``n_tracks`` tracks with the largest |d0| significance: [B, n_tracks] each, largest first.

    ``keys``: significance of d0, d0 and dz of nodes, [B, N] each, with zeros in padding; ``is_track`` [B, N] bool. Of
    equal |significance| the larger d0 goes first, of equal d0 the larger dz: what then still ties is the same for us,
    so that the order of nodes does not matter. Missing tracks give zeros.
    """
    # One column more: the maximum over no nodes at all has no meaning.
    significance, d0, dz = (F.pad(key, (0, 1)) for key in keys)
    keys = (significance.abs(), d0, dz)
    # Joined, not padded: for the padding of a mask torch.compile writes C++ that does not compile (torch 2.13).
    left = torch.cat([is_track, is_track.new_zeros(len(is_track), 1)], dim=1)
    number = torch.arange(left.shape[1], device=left.device)
    chosen: list[tuple[Tensor, Tensor]] = []
    for _ in range(n_tracks):
        found = left.any(1, keepdim=True)
        best = left
        highest: list[Tensor] = []
        for key in keys:
            top = key.masked_fill(~best, float("-inf")).amax(1, keepdim=True)
            best = best & (key == top)
            highest.append(torch.where(found, top, torch.zeros_like(top)))
        chosen.append((highest[1], highest[2]))
        left = left & (number != best.to(torch.int32).argmax(1, keepdim=True))
    return torch.cat([d for d, _ in chosen], dim=1), torch.cat([z for _, z in chosen], dim=1)


def _linear(n_in: int, n_out: int) -> nn.Linear:
    """A layer before a ReLU that keeps the spread of its input (K. He et al., arXiv:1502.01852, eq. 10).

    torch's own start shrinks it by √6 each layer, and seven layers later little is left of the jet.
    """
    layer = nn.Linear(n_in, n_out)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer
