"""Reflections and rotations of jets and events that physics does not tell from the original."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from e2egraph.data.loading.batch import JetBatch
from e2egraph.detector.geometry import HCAL_COLUMNS
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.objectives.nodes import NODE_TARGETS
from e2egraph.tasks.variables import Reflection, reflections_of


def reflection_signs(number: NDArray[np.int64], seed: int, epoch: int) -> Tensor:
    """±1 for each jet, [2, B] (η, φ): bits of a hash of (seed, epoch, jet number).

    The same whichever batch, part of a batch or process the jet is in.
    """
    bits = _bits(number, seed, epoch)
    chosen = np.stack([bits >> np.uint64(63), (bits >> np.uint64(62)) & np.uint64(1)])
    return torch.from_numpy(1.0 - 2.0 * chosen.astype(np.float32))


def rotation_towers(number: NDArray[np.int64], seed: int, epoch: int) -> Tensor:
    """Towers by which each event is turned in φ, [B] from 0 to 71: other bits of the same hash."""
    return torch.from_numpy((_bits(number, seed, epoch) % np.uint64(HCAL_COLUMNS)).astype(np.int64))


def rotate(batch: JetBatch, towers: Tensor) -> JetBatch:
    """Turn events by ``towers`` [B] of 5° in φ, for regions that close in φ; true momenta of nodes along.

    Calorimeter cells come to lie on others, so that the turned event is one that the detector could have seen. What
    nodes carry other than their place are differences of φ, which stay.
    """
    angle = (towers * (2.0 * math.pi / HCAL_COLUMNS)).to(batch.points.device, batch.points.dtype, non_blocking=True)
    present = batch.mask
    points = torch.stack([batch.points[..., 0], _turned(batch.points[..., 1], angle, present)], dim=-1)
    node_target = batch.node_target
    if node_target is not None:
        column = NODE_TARGETS.index("node_target_phi")
        columns = list(node_target.unbind(-1))
        columns[column] = _turned(columns[column], angle, present & (columns[0] > 0))
        node_target = torch.stack(columns, dim=-1)
    return replace(batch, points=points, node_target=node_target)


def _turned(phi: Tensor, angle: Tensor, chosen: Tensor) -> Tensor:
    """φ [B, N] plus ``angle`` [B] where ``chosen``, in [−π, π)."""
    turn, turned = 2.0 * math.pi, phi + angle.unsqueeze(1)
    return torch.where(chosen, turned - turn * torch.floor(turned / turn + 0.5), phi)


def reflect(
    batch: JetBatch, inputs: Inputs, eta_sign: Tensor, phi_sign: Tensor, targets: Sequence[str] = ()
) -> JetBatch:
    """Mirror in η the jets with ``eta_sign`` [B] −1 and in φ those with ``phi_sign`` −1; +1 leaves them.

    What else changes its sign says ``Variable.reflected_by`` of ``inputs``, and ``reflections_of`` the ``targets``,
    names of the columns of ``batch.target``.
    """
    points = torch.stack([eta_sign, phi_sign], dim=1)
    signs: dict[Reflection, Tensor] = {"eta": eta_sign, "phi": phi_sign}
    features = _signs([one.reflected_by for one in inputs.variables], inputs.n_features, signs)
    jet = _signs([one.reflected_by for one in inputs.object], len(inputs.object), signs)
    target = _signs([reflections_of(name) for name in targets], batch.target.shape[1], signs)

    def times(values: Tensor, factor: Tensor) -> Tensor:
        return values * factor.to(values.device, non_blocking=True)

    node_target = batch.node_target
    if node_target is not None:
        factors = torch.ones(len(eta_sign), len(NODE_TARGETS))
        for name, sign in (("node_target_eta", eta_sign), ("node_target_phi", phi_sign)):
            factors[:, NODE_TARGETS.index(name)] = sign
        node_target = times(node_target, factors[:, None])
    return replace(
        batch,
        node_target=node_target,
        points=times(batch.points, points[:, None]),
        features=times(batch.features, features[:, None]),
        jet=times(batch.jet, jet),
        target=times(batch.target, target),
    )


def _signs(reflected_by: Sequence[tuple[Reflection, ...]], columns: int, signs: dict[Reflection, Tensor]) -> Tensor:
    """Factor on each column [B, columns], the first of which are ``reflected_by`` these mirrorings."""
    factors = torch.ones(len(signs["eta"]), columns)
    for column, reflections in enumerate(reflected_by):
        for reflection in reflections:
            factors[:, column] *= signs[reflection]
    return factors


def _bits(number: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.uint64]:
    """A hash of (seed, epoch, jet number), [B]."""
    key = np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0]
    return _mixed(_mixed(number.astype(np.uint64)) ^ key)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014, fig. 16), after its increment."""
    with np.errstate(over="ignore"):
        z = values + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))
