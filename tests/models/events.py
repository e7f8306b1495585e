"""Whole events for the tests of networks, as data sets hold them: places on steps of φ, and turned by any angle."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from e2egraph.detector.geometry import ETA_PITCH, between_phi_steps, ecal_phi, wrap_phi
from e2egraph.tasks.inputs import Inputs
from tests.models.other_inputs import EVENT


@dataclass(frozen=True)
class Events:
    """``points`` [B, N, 2] float32, ``features`` [B, N, V], ``mask`` [B, N], ``jet`` [B, G]."""

    points: Tensor
    features: Tensor
    mask: Tensor
    jet: Tensor

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.points, self.features, self.mask, self.jet

    def turned(self, angle: float) -> Events:
        """Turned around the beam by ``angle`` [rad], in float32 as everything else."""
        phi = wrap_phi((self.points[..., 1] + torch.tensor(angle, dtype=torch.float32)).numpy())
        points = torch.stack([self.points[..., 0], torch.from_numpy(phi).float()], dim=-1)
        return replace(self, points=points * self.mask.unsqueeze(-1))

    def reordered(self, order: Tensor) -> Events:
        return replace(self, points=self.points[:, order], features=self.features[:, order], mask=self.mask[:, order])


def events(counts: list[int], inputs: Inputs = EVENT, seed: int = 0, copies: int = 1) -> Events:
    """Crystals and towers at the centres of crystals, tracks and hits anywhere. ``copies``: so many nodes of each
    content at different φ."""
    rng = np.random.default_rng(seed)
    B, N = len(counts), max(counts)
    channel = rng.integers(0, len(inputs.channels), (B, N))
    row, column = rng.integers(-85, 85, (B, N)), rng.integers(0, 360, (B, N))
    lattice = np.isin([known.collection for known in inputs.channels], ("ecal", "hcal"))[channel]
    eta = np.where(lattice, (row + 0.5) * ETA_PITCH, rng.uniform(-2.4, 2.4, (B, N)))
    phi = np.where(lattice, ecal_phi(column), between_phi_steps(rng.uniform(-math.pi, math.pi, (B, N))))
    features = np.zeros((B, N, inputs.n_features))
    for number, name in enumerate(inputs.variable_names):
        features[..., number] = np.exp(1.5 * rng.normal(size=(B, N))) if name == "value" else rng.normal(size=(B, N))
    features[..., len(inputs.variables) :] = np.eye(len(inputs.channels))[channel]
    like = np.arange(N) // copies * copies
    points = np.stack([eta[:, like], phi], axis=-1)
    mask = torch.arange(N) < torch.tensor(counts).unsqueeze(1)
    present = mask.unsqueeze(-1)
    given = (torch.from_numpy(values.astype(np.float32)) * present for values in (points, features[:, like]))
    return Events(*given, mask, torch.zeros(B, len(inputs.object)))
