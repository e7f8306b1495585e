"""The hardest tracks of a jet, each a token of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from e2egraph.detector.channels import Channel
from e2egraph.graphs.columns import VARIABLES
from e2egraph.models.network import feature_index
from e2egraph.models.pooling import ENERGY_CHANNELS
from e2egraph.models.scaling import VariableScaling
from e2egraph.models.tokens.tokens import Nodes, Tokens, columns, place_of

# What a track says beside where it is; the other variables are constant for tracks.
TRACK_VARIABLES = ("value", "d0", "dz", "d0_sig", "dz_sig", "charge")

# Keys are pT + (pT + NO_PT) · tie in float64: tracks of images can be without pT, and differ all the same. The tie is a
# projection of all variables (up to some 10⁴) times TIE_STEP: far below the step of a float32, so that only equal pT
# are affected.
TIE_STEP = 2.0**-44
NO_PT = 2.0**-10  # GeV


class TrackTokens(nn.Module):
    """The ``n_tracks`` tracks of highest pT, each through a two-layer perceptron."""

    def __init__(self, n_tracks: int, width: int) -> None:
        super().__init__()
        self.n_tracks = n_tracks
        self.scaling = VariableScaling(TRACK_VARIABLES)
        kind = torch.tensor([float(channel is Channel.TRACK) for channel in ENERGY_CHANNELS])
        self.register_buffer("kind", kind, persistent=False)
        self.layers = nn.Sequential(
            nn.Linear(4 + len(TRACK_VARIABLES), width, bias=False), nn.ReLU(), nn.Linear(width, width)
        )

    kind: Tensor

    def extra_repr(self) -> str:
        return f"n_tracks={self.n_tracks}"

    def forward(self, nodes: Nodes) -> Tokens:
        index, found = hardest_tracks(nodes.points, nodes.features, nodes.is_track, self.n_tracks)
        # Chosen first, scaled then: there are far fewer tokens than nodes.
        seen = torch.cat([nodes.points, nodes.features[..., : len(VARIABLES)]], dim=-1)
        seen = torch.gather(seen, 1, index.unsqueeze(-1).expand(-1, -1, seen.shape[-1]))
        seen = seen.masked_fill(~found.unsqueeze(-1), 0.0)
        points, variables = seen[..., :2], seen[..., 2:]
        x = self.layers(torch.cat([place_of(points), self.scaling(columns(variables, TRACK_VARIABLES))], dim=-1))
        energy = columns(variables, ("value",)) * self.kind
        return Tokens(x, points, energy, found)


@torch.no_grad()
def hardest_tracks(points: Tensor, features: Tensor, is_track: Tensor, n_tracks: int) -> tuple[Tensor, Tensor]:
    """Indices [B, n_tracks] of the tracks of highest pT in ``features [B, N, V]`` (raw), and whether there is one.

    ``is_track`` [B, N] (bool), N not below ``n_tracks``. Tracks of equal pT are told apart by their variables and
    their places, not by their index. Where a jet has fewer tracks the index is that of some other node.
    """
    content = torch.cat([points, features[..., : len(VARIABLES)]], dim=-1).transpose(1, 2)
    direction = torch.cos(torch.arange(content.shape[1], device=features.device, dtype=features.dtype)) * TIE_STEP
    tie = (content * direction.unsqueeze(1)).sum(1).double()
    pt = features[..., feature_index("value")].double()
    key = (pt + (pt + NO_PT) * tie).masked_fill(~is_track, float("-inf"))
    highest, index = torch.topk(key, n_tracks, dim=1)
    found = highest > float("-inf")
    return index, found
