"""The hardest tracks of a jet, each a token of its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from e2egraph.detector.channels import Channel
from e2egraph.models.layers.scaling import VariableScaling
from e2egraph.models.network import require
from e2egraph.models.tokens.tokens import Nodes, Tokens, columns, place_of
from e2egraph.tasks.inputs import Inputs

# The same for all tracks, so that a token need not say it.
CONSTANT_FOR_TRACKS = ("rho", "time")

# Keys are pT + (pT + NO_PT) · tie in float64: tracks of images can be without pT, and differ all the same. The tie is a
# projection of all variables (up to some 10⁴) times TIE_STEP: far below the step of a float32, so that only equal pT
# are affected.
TIE_STEP = 2.0**-44
NO_PT = 2.0**-10  # GeV


class TrackTokens(nn.Module):
    """The ``n_tracks`` tracks of highest pT, each through a two-layer perceptron."""

    def __init__(self, n_tracks: int, width: int, inputs: Inputs, energies: Sequence[str]) -> None:
        """``energies``: channels of ``Nodes.energy``. UsageError when ``inputs`` lack tracks or ``value``."""
        super().__init__()
        require("tracks-and-cells", inputs, "value", f"is_{Channel.TRACK.name}")
        self.n_tracks = n_tracks
        names = [name for name in inputs.variable_names if name not in CONSTANT_FOR_TRACKS]
        self.own = [inputs.index(name) for name in names]
        self.value, self.variables, self.unit = inputs.index("value"), len(inputs.variables), inputs.region.half_eta
        self.scaling = VariableScaling(inputs, names)
        kind = torch.tensor([float(name == Channel.TRACK.name) for name in energies])
        self.register_buffer("kind", kind, persistent=False)
        self.layers = nn.Sequential(nn.Linear(4 + len(names), width, bias=False), nn.ReLU(), nn.Linear(width, width))

    kind: Tensor

    def extra_repr(self) -> str:
        return f"n_tracks={self.n_tracks}"

    def forward(self, nodes: Nodes) -> Tokens:
        content = torch.cat([nodes.points, nodes.features[..., : self.variables]], dim=-1)
        index, found = hardest_tracks(content, self.value, nodes.is_track, self.n_tracks)
        # Chosen first, scaled then: there are far fewer tokens than nodes.
        seen = torch.gather(content, 1, index.unsqueeze(-1).expand(-1, -1, content.shape[-1]))
        seen = seen.masked_fill(~found.unsqueeze(-1), 0.0)
        points, variables = seen[..., :2], seen[..., 2:]
        x = self.layers(torch.cat([place_of(points, self.unit), self.scaling(columns(variables, self.own))], dim=-1))
        energy = columns(variables, [self.value]) * self.kind
        return Tokens(x, points, energy, found)


@torch.no_grad()
def hardest_tracks(content: Tensor, value: int, is_track: Tensor, n_tracks: int) -> tuple[Tensor, Tensor]:
    """Indices [B, n_tracks] of the tracks of highest pT, and whether there is one.

    ``content`` [B, N, 2 + variables]: places and raw variables, pT the one at ``value``; ``is_track`` [B, N] (bool), N
    not below ``n_tracks``. Tracks of equal pT are told apart by their variables and their places, not by their index.
    Where a jet has fewer tracks the index is that of some other node.
    """
    rows = content.transpose(1, 2)
    direction = torch.cos(torch.arange(rows.shape[1], device=content.device, dtype=content.dtype)) * TIE_STEP
    tie = (rows * direction.unsqueeze(1)).sum(1).double()
    pt = content[..., 2 + value].double()
    key = (pt + (pt + NO_PT) * tie).masked_fill(~is_track, float("-inf"))
    highest, index = torch.topk(key, n_tracks, dim=1)
    found = highest > float("-inf")
    return index, found
