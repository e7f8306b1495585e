"""Reflections of jets that physics does not tell from the original."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from e2egraph.data.batch import JetBatch
from e2egraph.data.padding import FEATURE_NAMES
from e2egraph.graphs.columns import JET_VARIABLES

# z → −z turns η and dz over. The solenoid's field along z is an axial vector and stays, so charges do too.
_ETA_FEATURES = ("dz", "dz_sig")
_ETA_JET = ("jet_eta",)
# y → −y turns φ and d0 over, and the field with them: only with charges turned over as well is it the same detector.
_PHI_FEATURES = ("d0", "d0_sig", "charge")


def reflect(batch: JetBatch, eta: bool, phi: bool, generator: torch.Generator) -> JetBatch:
    """Mirror each jet in Δη and, independently, in Δφ, each with probability ½ where asked.

    ``generator`` lives on the CPU, so that the choice is the same on every device.
    """
    size = len(batch)
    signs = 1.0 - 2.0 * torch.randint(0, 2, (2, size), generator=generator)
    eta_sign = signs[0] if eta else torch.ones(size)
    phi_sign = signs[1] if phi else torch.ones(size)
    points = torch.stack([eta_sign, phi_sign], dim=1)
    features = torch.ones(size, len(FEATURE_NAMES))
    for names, sign in ((_ETA_FEATURES, eta_sign), (_PHI_FEATURES, phi_sign)):
        features[:, [FEATURE_NAMES.index(name) for name in names]] = sign[:, None]
    jet = torch.ones(size, len(JET_VARIABLES))
    jet[:, [JET_VARIABLES.index(name) for name in _ETA_JET]] = eta_sign[:, None]

    def times(values: Tensor, factor: Tensor) -> Tensor:
        return values * factor.to(values.device, non_blocking=True)

    return replace(
        batch,
        points=times(batch.points, points[:, None]),
        features=times(batch.features, features[:, None]),
        jet=times(batch.jet, jet),
    )
