"""Links of hits (``links.py``) as tokens: with the pT, charge, distance from the vertex and quality that they have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Self

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from e2egraph.config import configuration
from e2egraph.detector.channels import channels
from e2egraph.detector.geometry import ECAL_RADIUS
from e2egraph.detector.helix import GEV_PER_TESLA_CM
from e2egraph.errors import UsageError
from e2egraph.models.kernels.search.neighbors import INDEX_STEP
from e2egraph.models.layers.columns import columns
from e2egraph.models.layers.geometry.places import place_of
from e2egraph.models.layers.node_wise import node_wise
from e2egraph.models.network import require
from e2egraph.models.tokens.links import Links, find_links, gathered, hits_of
from e2egraph.models.tokens.tokens import Nodes, Tokens, perceptron
from e2egraph.models.tokens.track_match import unexplained
from e2egraph.models.tokens.tracks import hardest_tracks
from e2egraph.tasks.inputs import Inputs

Positive = Annotated[int, Field(ge=1)]

# Straighter than resolution can tell [rad/cm]; at 3.8 T, 0.57 TeV.
LEAST_BEND = 1e-5

# Largest sine of an angle of turn: a particle of less pT does not get to the crystals.
LARGEST_SINE = 0.99

# GeV; a track of less, of an image without pT, is not compared with more exactly.
LEAST_PT = 0.1

# Units: pT [GeV], 1 / pT [1/GeV], d0 [cm], χ², as the typical link has them.
UNIT_PT, UNIT_CURVATURE, UNIT_D0, UNIT_CHI2 = 1.0, 0.5, 0.01, 5.0

# Turn to the crystals, ln pT, q / pT, d0, χ², layers beyond three, sharing.
QUALITIES = 7


@configuration
class LinkGroup:
    """``layers``: three or more layers of hits from the inside out; links begin in the first three. ``hits``: of each
    layer at most, those nearest to the middle of the region; ``candidates``: nearest hits in the first and the third
    layer whose pairs are tried; ``choices``: best pairs of each hit that become links, between which the
    network then chooses; ``most_chi2``: of a pair that is a link, and of a hit further out; ``keep``: links at
    most, those of highest pT; ``tracks``: this many tracks of highest pT are compared with, and each link says how far
    it is from them (``track_match``)."""

    layers: Annotated[tuple[str, ...], Field(min_length=3)]
    hits: Positive = 128
    candidates: Positive = 4
    choices: Positive = 1
    most_chi2: Annotated[float, Field(gt=0)] = 40.0
    keep: Positive = 48
    tracks: Annotated[int, Field(ge=0)] = 0

    @field_validator("layers")
    @classmethod
    def _layers_of_hits(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        known = channels()
        odd = [name for name in names if name in known and known[name].collection != "hits"]
        if odd or len(set(names)) < len(names):
            raise ValueError(f"layers {list(names)} must be different layers of hits")
        return names

    @model_validator(mode="after")
    def _no_more_than_there_are(self) -> Self:
        if self.candidates > self.hits:
            raise ValueError(f"candidates {self.candidates} are more than the {self.hits} hits of a layer; lower them")
        if self.choices > self.candidates**2:
            raise ValueError(f"choices {self.choices} are more than the {self.candidates}² pairs of the candidates")
        return self

    def positions(self, inputs: Inputs) -> list[int]:
        """Positions of its layers among the channels of ``inputs``; UsageError when one is not there, or when radii do
        not rise."""
        absent = [name for name in self.layers if name not in inputs.channel_names]
        if absent:
            raise UsageError(
                f"a group of links reads channel {absent[0]}, which the task's inputs do not hold; choose layers of "
                f"model.options.links out of {', '.join(inputs.channel_names)}, or set links=[]."
            )
        found = [inputs.channel_names.index(name) for name in self.layers]
        radii = [inputs.channels[i].radius for i in found]
        if radii != sorted(set(radii)):
            raise UsageError(f"layers {list(self.layers)} of model.options.links have radii {radii} cm; order them.")
        return found


class LinkTokens(nn.Module):
    """The links of one group of layers, each through a two-layer perceptron.

    In ``Tokens.energy`` a column more than others have holds their pT.
    """

    def __init__(self, group: LinkGroup, width: int, inputs: Inputs, energies: Sequence[str]) -> None:
        """``energies``: channels of ``Nodes.energy``. UsageError when ``inputs`` lack layers of the group."""
        super().__init__()
        self.group, self.layers_at, self.energies = group, group.positions(inputs), len(energies)
        self.radii = [inputs.channels[i].radius for i in self.layers_at]
        self.unit, self.periodic = inputs.region.half_eta, inputs.region.periodic
        self.per_bend = 0.5 * GEV_PER_TESLA_CM * inputs.field
        self.match = TrackMatch(group.tracks, inputs) if group.tracks else None
        qualities = QUALITIES + bool(group.tracks)
        self.layers = nn.Sequential(nn.Linear(4 + qualities, width, bias=False), nn.ReLU(), nn.Linear(width, width))

    def extra_repr(self) -> str:
        return f"{self.group}"

    def links(self, nodes: Nodes) -> Links:
        """All links of the group's layers, before the straightest are kept."""
        group, flags = self.group, nodes.flags > 0.5
        layers = [
            hits_of(nodes.points, flags[:, i], radius, group.hits)
            for i, radius in zip(self.layers_at, self.radii, strict=True)
        ]
        return find_links(
            layers,
            candidates=group.candidates,
            most_chi2=group.most_chi2,
            periodic=self.periodic,
            choices=group.choices,
        )

    def forward(self, nodes: Nodes) -> Tokens:
        rows, found = straightest(self.links(nodes), self.group.keep)
        turn = turn_to_crystals(rows[..., 2:3], self.radii[1])
        points = torch.cat([rows[..., :1], rows[..., 1:2] + turn], dim=-1)
        pt, qualities = self._described(rows, turn)
        matched = []
        if self.match is not None:
            matched = [self.match(torch.cat([points, rows[..., 2:3] / self.per_bend], dim=-1), found, nodes)]
        own = torch.cat([place_of(rows[..., :2], self.unit, periodic=self.periodic), qualities, *matched], dim=-1)
        x = node_wise(partial(perceptron, self.layers, one=0), torch.where(found.unsqueeze(-1), own, 0.0))
        energy = torch.cat([pt.expand(-1, -1, self.energies) * 0.0, pt], dim=-1)
        return Tokens(x, points, energy, found)

    def _described(self, rows: Tensor, turn: Tensor) -> tuple[Tensor, Tensor]:
        """pT [B, K, 1] and ``QUALITIES`` of links ``rows`` [B, K, 7], which turn by ``turn`` to the crystals."""
        bend, d0, chi2, hits, sharing = rows[..., 2:].split(1, dim=-1)
        pt = self.per_bend / bend.abs().clamp(min=LEAST_BEND)
        qualities = [
            turn,
            torch.log(pt * (1.0 / UNIT_PT)),
            torch.asinh(bend * (1.0 / (self.per_bend * UNIT_CURVATURE))),
            torch.asinh(d0 * (1.0 / UNIT_D0)),
            torch.asinh(chi2 * (1.0 / UNIT_CHI2)),
            hits - 3.0,
            torch.asinh(sharing),
        ]
        return pt, torch.cat(qualities, dim=-1)


class TrackMatch(nn.Module):
    """One quality of links: how badly the hardest tracks explain them."""

    def __init__(self, n_tracks: int, inputs: Inputs) -> None:
        """UsageError when ``inputs`` lack tracks, their ``value`` or ``charge``."""
        super().__init__()
        require("tracks-and-cells with links that are compared with tracks", inputs, "value", "charge", "is_TRACK")
        self.periodic = inputs.region.periodic
        self.n_tracks, self.own = n_tracks, [2 + inputs.index("value"), 2 + inputs.index("charge")]

    def forward(self, links: Tensor, found: Tensor, nodes: Nodes) -> Tensor:
        """``links`` [B, K, 3] as ``unexplained`` has them → [B, K, 1]."""
        rows = torch.cat([nodes.points, nodes.variables], dim=1)
        index, tracked = hardest_tracks(rows, self.own[0] - 2, nodes.is_track, self.n_tracks)
        wanted = columns(rows, [0, 1, *self.own], dim=1)
        eta, phi, pt, charge = gathered(wanted, index).unbind(1)
        # A positive charge turns towards smaller φ.
        tracks = torch.stack([eta, phi, -charge / pt.clamp(min=LEAST_PT)], dim=-1)
        chi2 = unexplained(
            links, torch.where(tracked.unsqueeze(-1), tracks, 0.0), found, tracked, periodic=self.periodic
        )
        return torch.asinh(chi2 * (1.0 / UNIT_CHI2)).unsqueeze(-1)


def turn_to_crystals(bend: Tensor, radius: float) -> Tensor:
    """By how much φ changes from ``radius`` [cm] to the crystals at ``bend`` [rad/cm]: asin(b R) − asin(b r)."""
    far, near = ((bend * r).clamp(-LARGEST_SINE, LARGEST_SINE) for r in (ECAL_RADIUS, radius))
    return torch.asin(far) - torch.asin(near)


@torch.no_grad()
def straightest(links: Links, most: int) -> tuple[Tensor, Tensor]:
    """η, φ, bend, d0, χ², hits and sharing of the ``most`` links of smallest bend [B, K, 7], K ≤ ``most``, and whether
    there is one [B, K]. Of equally bent links the first comes first."""
    number = torch.arange(links.bend.shape[1], device=links.bend.device, dtype=torch.float64)
    key = (links.bend.abs() + LEAST_BEND).double() * (1.0 + INDEX_STEP * number)
    key = key.masked_fill(~links.found, math.inf)
    lowest, index = torch.topk(key, min(most, key.shape[1]), dim=1, largest=False)
    found = lowest < math.inf
    eta, phi = links.points.unbind(1)
    rows = torch.stack([eta, phi, links.bend, links.d0, links.chi2, links.hits, links.sharing], dim=-1)
    chosen = torch.gather(rows, 1, index.unsqueeze(-1).expand(-1, -1, rows.shape[-1]))
    return torch.where(found.unsqueeze(-1), chosen, 0.0), found
