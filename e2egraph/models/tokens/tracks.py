"""The hardest tracks of a jet, each a token of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from e2egraph.detector.channels import Channel
from e2egraph.models.layers.columns import columns
from e2egraph.models.layers.geometry.places import place_of, waves
from e2egraph.models.layers.node_wise import node_wise
from e2egraph.models.layers.scaling import VariableScaling
from e2egraph.models.network import require
from e2egraph.models.tokens.tokens import Nodes, Tokens, perceptron
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

    def __init__(self, n_tracks: int, width: int, inputs: Inputs, energies: Sequence[str], octaves: int = 0) -> None:
        """``energies``: channels of ``Nodes.energy``; ``octaves``: of their places, as ``CellGroup.octaves``.
        UsageError when ``inputs`` lack tracks or ``value``."""
        super().__init__()
        require(
            "tracks-and-cells with tokens of tracks (model.options.tracks above 0)",
            inputs,
            "value",
            f"is_{Channel.TRACK.name}",
        )
        self.n_tracks, self.octaves = n_tracks, octaves
        names = [name for name in inputs.variable_names if name not in CONSTANT_FOR_TRACKS]
        self.own = [inputs.index(name) for name in names]
        self.value, self.unit = inputs.index("value"), inputs.region.half_eta
        self.periodic = inputs.region.periodic
        self.scaling = VariableScaling(inputs, names)
        kind = torch.tensor([float(name == Channel.TRACK.name) for name in energies])
        self.register_buffer("kind", kind, persistent=False)
        self.layers = nn.Sequential(
            nn.Linear(4 + 4 * octaves + len(names), width, bias=False), nn.ReLU(), nn.Linear(width, width)
        )

    kind: Tensor
    # Whether tokens tell which node they are (``Tokens.place``).
    places = False

    def extra_repr(self) -> str:
        return f"n_tracks={self.n_tracks}, octaves={self.octaves}"

    def forward(self, nodes: Nodes) -> Tokens:
        rows = torch.cat([nodes.points, nodes.variables], dim=1)
        index, found = hardest_tracks(rows, self.value, nodes.is_track, self.n_tracks, no_ties=self.places)
        # Chosen first, scaled then: there are far fewer tokens than nodes.
        seen = torch.gather(rows, 2, index.unsqueeze(1).expand(-1, rows.shape[1], -1))
        seen = torch.where(found.unsqueeze(1), seen, 0.0).transpose(1, 2)
        points, variables = seen[..., :2], seen[..., 2:]
        where = place_of(points, self.unit, periodic=self.periodic)
        if self.octaves:
            where = torch.cat([where, waves(points, self.unit, self.octaves, periodic=self.periodic)], dim=-1)
        own = torch.cat([where, self.scaling(columns(variables, self.own))], dim=-1)
        x = node_wise(partial(perceptron, self.layers, one=0), own)
        of_nodes = None
        if self.places:
            number = torch.where(found, torch.arange(self.n_tracks, device=x.device), self.n_tracks)
            of_nodes = torch.full_like(nodes.is_track, self.n_tracks, dtype=torch.int64).scatter(1, index, number)
        return Tokens(x, points, columns(variables, [self.value]) * self.kind, found, of_nodes)


@torch.no_grad()
def hardest_tracks(
    rows: Tensor, value: int, is_track: Tensor, n_tracks: int, no_ties: bool = False
) -> tuple[Tensor, Tensor]:
    """Indices [B, n_tracks] of the tracks of highest pT, and whether there is one.

    ``rows`` [B, 2 + variables, N]: places and raw variables, pT the one at ``value``; ``is_track`` [B, N] (bool), N
    not below ``n_tracks``. Tracks of equal pT are told apart by their variables and their places, not by their index.
    Where a jet has fewer tracks the index is that of some other node. ``no_ties``: of tracks that are equal in
    everything all are found or none is, as each is told from the others by it; N must then be above ``n_tracks``.
    """
    direction = torch.cos(torch.arange(rows.shape[1], device=rows.device, dtype=rows.dtype)) * TIE_STEP
    tie = (rows * direction.unsqueeze(1)).sum(1).double()
    pt = rows[:, 2 + value].double()
    key = torch.where(is_track, pt + (pt + NO_PT) * tie, float("-inf"))
    if no_ties:
        highest, index = torch.topk(key, n_tracks + 1, dim=1)
        return index[:, :-1], highest[:, :-1] > highest[:, -1:]
    highest, index = torch.topk(key, n_tracks, dim=1)
    found = highest > float("-inf")
    return index, found
