"""How well the tracks of a jet explain short tracks of linked hits: what is left over is of hits that no track used."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from e2egraph.detector.geometry import ECAL_RADIUS

# Hits have their η from the vertex, tracks from the detector's centre: centimetres apart along the beams, by which all
# links of a jet are shifted alike. It is found where most pairs agree that fit in φ and pT, ever more closely.
SHIFT_WIDTHS = (5.0 / ECAL_RADIUS, 2.5 / ECAL_RADIUS, 1.2 / ECAL_RADIUS)
# Of a link to the track of its particle in η, the shift aside.
SIGMA_ETA = 0.006
# Of charge / pT [1/GeV], to which a share of it is added; and of φ at the crystals [rad], on top of what an error of
# charge / pT turns a link by on its way there, 0.74 rad for 1 / GeV at 3.8 T (exports/results/link_quality.md).
SIGMA_CURVATURE, CURVATURE_SHARE = 0.01, 0.05
SIGMA_PHI, PHI_OF_CURVATURE = 0.005, 0.74
# As far from all tracks as a link can be.
NO_TRACK = 1e4


@torch.no_grad()
def unexplained(links: Tensor, tracks: Tensor, linked: Tensor, tracked: Tensor, *, periodic: bool) -> Tensor:
    """χ² [B, K] of each link with the track that fits it best, at most ``NO_TRACK``, and that where a jet has none.

    ``links`` [B, K, 3], ``tracks`` [B, T, 3]: η, φ at the crystals [rad] and −charge / pT [1/GeV]; ``linked`` [B, K],
    ``tracked`` [B, T]: whether there is one; ``periodic``: φ is an angle.
    """
    eta, phi, curvature = (links.unsqueeze(2) - tracks.unsqueeze(1)).unbind(-1)
    if periodic:
        phi = phi - 2.0 * math.pi * torch.floor(phi * (0.5 / math.pi) + 0.5)
    error = SIGMA_CURVATURE + CURVATURE_SHARE * tracks[..., 2].abs().unsqueeze(1)
    error_phi = SIGMA_PHI + PHI_OF_CURVATURE * error
    bent = (phi / error_phi) ** 2 + (curvature / error) ** 2
    fits = torch.exp(-0.5 * bent) * (linked.unsqueeze(2) & tracked.unsqueeze(1))
    shift = torch.zeros_like(eta[:, :1, :1])
    for width in SHIFT_WIDTHS:
        weight = fits * torch.exp(-0.5 * ((eta - shift) / width) ** 2)
        total = weight.sum((1, 2), keepdim=True)
        shift = (weight * eta).sum((1, 2), keepdim=True) / (total + 1e-6)
    chi2 = bent + ((eta - shift) / SIGMA_ETA) ** 2
    return chi2.masked_fill(~tracked.unsqueeze(1), NO_TRACK).amin(-1).clamp(max=NO_TRACK)
