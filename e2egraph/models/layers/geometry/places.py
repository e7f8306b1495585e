"""Places in η and φ as networks see them, and differences of φ: the one place that knows where φ closes on itself."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

# As the exporter rounds constants.
FULL_TURN, TURNS, QUARTER_TURN = (float(np.float32(value)) for value in (2.0 * math.pi, 0.5 / math.pi, 0.5 * math.pi))


def place_of(points: Tensor, unit: float, dim: int = -1, periodic: bool = False) -> Tensor:
    """``points`` (η, φ: 2 along ``dim``) in units of ``unit`` [rad], and their squared length: 3 along ``dim``.

    Where φ is ``periodic``, sin φ stands for φ and η² + (2 sin φ/2)² for the square: the same near 0, and what differs
    by a full turn is one place.
    """
    if not periodic:
        position = points / unit
        return torch.cat([position, (position * position).sum(dim, keepdim=True)], dim=dim)
    eta, phi = points.split(1, dim=dim)
    chord = 2.0 * torch.sin(0.5 * phi)
    return torch.cat([eta / unit, torch.sin(phi) / unit, (eta * eta + chord * chord) / unit**2], dim=dim)


def waves(points: Tensor, unit: float, octaves: int, periodic: bool = False) -> Tensor:
    """sin and cos of 2^k π ``points`` / ``unit`` [..., 2] for k from 0 below ``octaves``: [..., 4 · octaves].

    Of a plain place networks learn slowly what changes fast (B. Mildenhall et al., arXiv:2003.08934, §5.1). Where φ is
    ``periodic``, waves of φ close on themselves too.
    """
    scaled = points / (torch.tensor([unit, math.pi], device=points.device) if periodic else unit)
    phases = scaled.unsqueeze(-1) * (math.pi * 2.0 ** torch.arange(octaves, device=points.device))
    return torch.cat([torch.sin(phases), torch.cos(phases)], dim=-1).flatten(-2)


def coordinates_of(points: Tensor, periodic: bool) -> Tensor:
    """Coordinates in which near ``points [B, N, 2]`` are near: Δη and Δφ, or where φ is ``periodic`` (η, cos φ, sin φ),
    [B, N, 3], whose distances are those of near points all around the circle.

    Of float32 the same bits in torch and in ONNX Runtime: what is rounded there is the sine in float64 (which has no
    cosine of it).
    """
    if not periodic:
        return points
    eta, phi = points.unbind(-1)
    angle = phi.double()
    waves = torch.stack([torch.sin(angle + QUARTER_TURN), torch.sin(angle)], dim=-1)
    return torch.cat([eta.unsqueeze(-1), waves.to(points.dtype)], dim=-1)


def wrapped(angle: Tensor) -> Tensor:
    """``angle`` [rad] in [−π, π)."""
    return angle - FULL_TURN * torch.floor(angle * TURNS + 0.5)
