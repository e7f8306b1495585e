"""Reflections of jets that physics does not tell from the original."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from e2egraph.data.batch import JetBatch
from e2egraph.data.padding import FEATURE_NAMES
from e2egraph.graphs.columns import JET_VARIABLES

# z → −z turns η and dz over. The solenoid's field along z is an axial vector and stays, so charges do too.
_ETA_FEATURES = ("dz", "dz_sig")
_ETA_JET = ("jet_eta",)
# y → −y turns φ and d0 over, and the field with them: only with charges turned over as well is it the same detector.
_PHI_FEATURES = ("d0", "d0_sig", "charge")


def reflection_signs(number: NDArray[np.int64], seed: int, epoch: int) -> Tensor:
    """±1 for each jet, [2, B] (η, φ): bits of a hash of (seed, epoch, jet number).

    The same whichever batch, part of a batch or process the jet is in.
    """
    key = np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0]
    bits = _mixed(_mixed(number.astype(np.uint64)) ^ key)
    chosen = np.stack([bits >> np.uint64(63), (bits >> np.uint64(62)) & np.uint64(1)])
    return torch.from_numpy(1.0 - 2.0 * chosen.astype(np.float32))


def reflect(batch: JetBatch, eta_sign: Tensor, phi_sign: Tensor) -> JetBatch:
    """Mirror in Δη the jets with ``eta_sign`` [B] −1 and in Δφ those with ``phi_sign`` −1; +1 leaves them."""
    size = len(batch)
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


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014, fig. 16), after its increment."""
    with np.errstate(over="ignore"):
        z = values + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))
