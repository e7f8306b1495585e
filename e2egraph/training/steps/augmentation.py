"""Reflections of jets that physics does not tell from the original."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from e2egraph.data.loading.batch import JetBatch
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.variables import Reflection, Variable


def reflection_signs(number: NDArray[np.int64], seed: int, epoch: int) -> Tensor:
    """±1 for each jet, [2, B] (η, φ): bits of a hash of (seed, epoch, jet number).

    The same whichever batch, part of a batch or process the jet is in.
    """
    key = np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0]
    bits = _mixed(_mixed(number.astype(np.uint64)) ^ key)
    chosen = np.stack([bits >> np.uint64(63), (bits >> np.uint64(62)) & np.uint64(1)])
    return torch.from_numpy(1.0 - 2.0 * chosen.astype(np.float32))


def reflect(batch: JetBatch, inputs: Inputs, eta_sign: Tensor, phi_sign: Tensor) -> JetBatch:
    """Mirror in η the jets with ``eta_sign`` [B] −1 and in φ those with ``phi_sign`` −1; +1 leaves them.

    What else changes its sign says ``Variable.reflected_by`` of ``inputs``.
    """
    points = torch.stack([eta_sign, phi_sign], dim=1)
    signs: dict[Reflection, Tensor] = {"eta": eta_sign, "phi": phi_sign}
    features, jet = _signs(inputs.variables, inputs.n_features, signs), _signs(inputs.object, len(inputs.object), signs)

    def times(values: Tensor, factor: Tensor) -> Tensor:
        return values * factor.to(values.device, non_blocking=True)

    return replace(
        batch,
        points=times(batch.points, points[:, None]),
        features=times(batch.features, features[:, None]),
        jet=times(batch.jet, jet),
    )


def _signs(variables: Sequence[Variable], columns: int, signs: dict[Reflection, Tensor]) -> Tensor:
    """Factor on each column [B, columns], the first of which are ``variables``."""
    factors = torch.ones(len(signs["eta"]), columns)
    for column, variable in enumerate(variables):
        for reflection in variable.reflected_by:
            factors[:, column] *= signs[reflection]
    return factors


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014, fig. 16), after its increment."""
    with np.errstate(over="ignore"):
        z = values + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))
