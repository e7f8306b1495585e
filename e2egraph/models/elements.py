"""Momenta of elements (tracks and clusters), and of the particles that a network finds relative to them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from e2egraph.models.network import require
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.objectives.nodes import (
    ENERGY,
    ETA_AT_VERTEX,
    LARGEST_LOG_RATIO,
    MASS_OFFSET,
    PHI_AT_VERTEX,
    PT,
)

# GeV: elements and particles below count as this, so that logarithms are finite.
LEAST_MOMENTUM = 1e-3


@dataclass(frozen=True)
class Momenta:
    """pT [GeV], η, φ [rad] and energy [GeV], one shape each."""

    pt: Tensor
    eta: Tensor
    phi: Tensor
    energy: Tensor


class Elements:
    """Which columns of ``inputs`` tell the momentum of an element; UsageError without ``value`` and ``energy``."""

    def __init__(self, inputs: Inputs) -> None:
        require("objective nodes", inputs, PT, ENERGY)
        self.pt, self.energy = inputs.index(PT), inputs.index(ENERGY)
        self.to_vertex = [inputs.index(name) if inputs.has(name) else None for name in (ETA_AT_VERTEX, PHI_AT_VERTEX)]

    def momenta(self, points: Tensor, features: Tensor) -> Momenta:
        """Those of the elements: of tracks at the vertex, where the inputs tell it, of others towards their place.

        ``points`` [..., 2] (η, φ), ``features`` [..., V] raw → [...]; φ is not brought to [−π, π).
        """
        eta, phi = points.unbind(-1)
        eta, phi = (
            place if column is None else place + features[..., column]
            for place, column in zip((eta, phi), self.to_vertex, strict=True)
        )
        return Momenta(features[..., self.pt], eta, phi, features[..., self.energy])


def log_energy_excess(raw: Tensor) -> Tensor:
    """log(E/p) of the network's raw number."""
    return F.softplus(raw - MASS_OFFSET)


def particle_momenta(momentum: Tensor, elements: Momenta) -> Momenta:
    """What the columns ``momentum`` [..., 4] of a network (``objectives.nodes.MOMENTUM``) mean for these elements.

    pT = pT_element exp(log_pt_ratio), η and φ by their differences, E = pT cosh η exp(log(E/p)); φ in [−π, π).
    """
    ratio, deta, dphi, excess = momentum.unbind(-1)
    pt = elements.pt * torch.exp(ratio.clamp(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO))
    eta = elements.eta + deta
    energy = pt * torch.cosh(eta) * torch.exp(log_energy_excess(excess).clamp(max=LARGEST_LOG_RATIO))
    return Momenta(pt, eta, wrapped(elements.phi + dphi), energy)


def wrapped(phi: Tensor) -> Tensor:
    """φ [rad] in [−π, π)."""
    turn = 2.0 * math.pi
    return phi - turn * torch.floor(phi / turn + 0.5)
