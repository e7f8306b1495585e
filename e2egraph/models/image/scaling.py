"""Image channels in physical units → numbers of order one, with fixed constants; empty pixels stay zero."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn

from e2egraph.models.image.rasterize import HIT_IMAGES, ImpactParameter
from e2egraph.models.scaling import Scale

# A crystal or a track of 1 GeV is well above noise and selection (pT > 0.5 GeV): linear below, logarithmic above.
ENERGY = Scale(1.0, 0.5)
# A tower's noise is about 0.2 GeV (CMS HCAL TDR, CERN/LHCC 97-31), and a pixel holds a 25th of a tower.
TOWER_SHARE = Scale(0.04, 0.25)
COUNT = Scale(1.0, linear=True)
IMPACT: dict[ImpactParameter, dict[str, Scale]] = {
    "significance": {"track_d0": Scale(1.0, 0.5), "track_dz": Scale(1.0, 0.5)},  # standard deviations
    "mean": {"track_d0": Scale(0.01, 0.3), "track_dz": Scale(0.02, 0.3)},  # cm, as for nodes
    "weighted": {"track_d0": Scale(0.01, 0.3), "track_dz": Scale(0.02, 0.3)},  # GeV cm: the same at 1 GeV
}

NO_GAINS: Mapping[str, float] = MappingProxyType({})


class ImageScaling(nn.Module):
    """``image [B, C, H, W]`` of the named channels → the same shape, of order one, times a channel's ``gains``."""

    def __init__(
        self,
        channels: tuple[str, ...],
        impact: ImpactParameter,
        granularity: int = 1,
        gains: Mapping[str, float] = NO_GAINS,
    ) -> None:
        super().__init__()
        known = {"track_pt": ENERGY, "ECAL": ENERGY, "HCAL": TOWER_SHARE} | dict.fromkeys(HIT_IMAGES, COUNT)
        known |= IMPACT[impact]
        # Calorimeter energies are shared among g² pixels.
        shared = [granularity**2 if name in ("ECAL", "HCAL") else 1 for name in channels]
        self.scales = tuple(
            Scale(known[name].unit / share, known[name].gain * gains.get(name, 1.0), known[name].linear)
            for name, share in zip(channels, shared, strict=True)
        )

    def forward(self, image: Tensor) -> Tensor:
        # Channel by channel: small temporaries, and no asinh of counts.
        return torch.stack([scale(image[:, i]) for i, scale in enumerate(self.scales)], dim=1)
