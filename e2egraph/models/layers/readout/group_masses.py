"""Masses and momenta of learned groups of tokens, which a head can hardly work out from sums of vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from e2egraph.errors import UsageError
from e2egraph.models.layers.node_wise import node_wise
from e2egraph.tasks.inputs import Inputs

# GeV, below any mass of interest: the root keeps a slope where a group has no mass.
SMALLEST_MASS = 0.01
# GeV, far below any momentum kept: a group without momentum has no centre.
SMALLEST_PT = 1e-6


class GroupMasses(nn.Module):
    """Tokens → ln(1 + m) and ln(1 + pT) of ``groups`` groups and the mass of each two together [B, ``out_width``].

    Every token belongs to every group with a share between 0 and 1 of its pT or energy in each channel, which is
    learned from its vector: linear combinations of four-momenta and their masses as in A. Butter et al., SciPost Phys.
    5 (2018) 028, arXiv:1707.08966 (combination and Lorentz layers), with sums over what attention has made of each
    token. m² = pT Σ w (Δη² + Δφ²) about the group's own centre, of massless tokens at small angles (m² = pT₁ pT₂ ΔR²
    of two), which is never negative and loses nothing to rounding. In GeV; the values of deposits count as pT.
    """

    def __init__(self, groups: int, width: int, energies: int, inputs: Inputs) -> None:
        """``energies``: channels of ``Tokens.energy``. UsageError for whole events, and inputs without energies."""
        super().__init__()
        if inputs.region.periodic or not energies:
            what = "whole events, around which φ closes" if inputs.region.periodic else "channels without energies"
            raise UsageError(
                f"model.options.masses are of momenta around one direction, but inputs are {what}; set it to 0."
            )
        self.groups = groups
        self.share = nn.Linear(width, groups * energies)
        first, second = torch.triu_indices(groups, groups, offset=1)
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("second", second, persistent=False)
        self.out_width = 2 * groups + len(first)

    first: Tensor
    second: Tensor

    def forward(self, x: Tensor, points: Tensor, energy: Tensor, found: Tensor) -> Tensor:
        """``x`` [B, T, D], ``points`` (Δη, Δφ) [B, T, 2], ``energy`` [B, T, E] in GeV, ``found`` [B, T] (bool)."""
        share = torch.sigmoid(node_wise(self.share, x)).unflatten(-1, (self.groups, energy.shape[-1]))
        weight = torch.where(found.unsqueeze(-1), (share * energy.unsqueeze(2)).sum(-1), 0.0)
        pt = weight.sum(1)
        total = pt.clamp(min=SMALLEST_PT).unsqueeze(-1)
        # Sums over tokens of pT, pT Δη and pT Δφ, and about the centre of each group pT ΔR².
        centre = torch.matmul(weight.transpose(1, 2), points) / total
        away = points.unsqueeze(2) - centre.unsqueeze(1)
        spread = (weight * (away * away).sum(-1)).sum(1)
        apart = centre[:, self.first] - centre[:, self.second]
        one, other = pt[:, self.first], pt[:, self.second]
        # m² of two together: about their common centre, which lies between theirs by their momenta.
        both = one + other
        joint = one * other / both.clamp(min=SMALLEST_PT) * (apart * apart).sum(-1)
        together = both * (spread[:, self.first] + spread[:, self.second] + joint)
        squares = torch.cat([pt * spread, together], dim=-1)
        return torch.log1p(torch.cat([pt, torch.sqrt(squares + SMALLEST_MASS**2)], dim=-1))
