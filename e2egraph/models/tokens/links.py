"""Hits of successive layers linked to short tracks: what a charged particle left in the tracker, without a track fit.

A particle from the beam line with pT [GeV] in a field B [T] crosses a cylinder of radius r [cm] at
φ(r) = φ₀ + asin(b r) − d₀ / r, near φ₀ + b r − d₀ / r for r far below its bending radius: b = 0.00149896 B q / pT
rad/cm (PDG Review of Particle Physics, "Particle detectors", for unit charge; half of κ in ``detector.helix``, with the
sign of the turn), d₀ the distance at which it passes the vertex. Its η with respect to the vertex stays. So two hits
give b, three give d₀ too.

The search reads places alone, has no gradient, and keeps nothing but the hits it looks at: of each layer the ``hits``
nearest to the middle of the region.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from e2egraph.models.kernels.search.neighbors import COINCIDENT, INDEX_STEP
from e2egraph.models.layers.geometry.places import wrapped

# What two hits of a particle in neighbouring layers differ by in η and φ [rad]: the unit of distance when candidates
# are chosen. A particle of 0.5 GeV turns by 0.03 between two layers of pixels.
NEAR_ETA, NEAR_PHI = 0.004, 0.03

# Resolution of an η difference, and of a bend [rad/cm] to which a share of the bend is added: the larger, the more it
# is changed by scattering.
SIGMA_ETA = 0.0015
SIGMA_BEND, BEND_SHARE = 1.2e-4, 0.15

# Where hits that are none lie, in units of NEAR_ETA: no hit is so far away, and its square is a number.
FAR = 1e30

# Of hits equally far from the middle that of the larger η + 2 φ comes last, whatever order they are given in.
TIE = 2.0**-40


@dataclass(frozen=True)
class LayerHits:
    """H hits of one layer at ``radius`` [cm]: ``points`` [B, 2, H] (Δη, Δφ in rad), ``found`` [B, H] whether it is one.

    Where there is none, points are finite and mean nothing.
    """

    radius: float
    points: Tensor
    found: Tensor


@dataclass(frozen=True)
class Links:
    """L links of each jet, all [B, L] but ``points`` [B, 2, L]: the hit of the second layer.

    ``bend`` [rad/cm]: b between the innermost and the outermost hit; ``d0`` [cm], signed, from the first three hits;
    ``chi2``: how far these are from one η and, for d₀ = 0, from one bend; ``hits``: of how many layers; ``sharing``:
    how many other links have the same first hit; ``found``: whether there is one, or nothing else means anything.
    ``members`` [B, layers, L]: the hit of each layer, by its number there, −1 where the link has none.
    """

    points: Tensor
    bend: Tensor
    d0: Tensor
    chi2: Tensor
    hits: Tensor
    sharing: Tensor
    found: Tensor
    members: Tensor


@torch.no_grad()
def hits_of(points: Tensor, member: Tensor, radius: float, most: int) -> LayerHits:
    """The ``most`` hits of a layer (``member`` [B, N], bool) that lie nearest to the middle of the region.

    ``points`` [B, 2, N], N not below ``most``.
    """
    eta, phi = points.double().unbind(1)
    distance = (eta * eta + phi * phi) * (1.0 + TIE * (eta + 2.0 * phi))
    nearest, index = torch.topk(distance.masked_fill(~member, math.inf), most, dim=1, largest=False)
    return LayerHits(radius, gathered(points, index), nearest < math.inf)


@torch.no_grad()
def find_links(
    given: Sequence[LayerHits], *, candidates: int, most_chi2: float, periodic: bool, choices: int = 1
) -> Links:
    """A link for each hit of the second of the ``given`` layers (three or more, from the inside out): [B, H].

    Of the ``candidates`` nearest hits in the first layer and as many in the third, the pair with the smallest χ²,
    below ``most_chi2``. Through every further layer the link goes on to the hit nearest to where it points, below
    ``most_chi2`` again, or without one. Of equal pairs the first counts. ``periodic``: φ is an angle, and differences
    lie in [−π, π). With more ``choices`` (at most candidates²) the second-best pairs follow, then the third:
    [B, choices · H].
    """
    # In float64, where no two roundings choose differently (kernels.hashing).
    layers = [replace(layer, points=layer.points.double()) for layer in given]
    dtype = given[0].points.dtype
    inner, middle, outer = layers[:3]
    turn = wrapped if periodic else _as_it_is
    inwards, outwards = (_candidates(middle, layer, candidates, turn) for layer in (inner, outer))
    # Of all pairs, [B, H, candidates, candidates].
    bend_in, bend_out = inwards.bend.unsqueeze(-1), outwards.bend.unsqueeze(-2)
    eta_in, eta_out = (offset * _rounded(1.0 / SIGMA_ETA) for offset in (inwards.eta, outwards.eta))
    sharper = torch.maximum(bend_in.abs(), bend_out.abs())
    kink = (bend_in - bend_out) / (_rounded(SIGMA_BEND) + _rounded(BEND_SHARE) * sharper)
    chi2 = (eta_in * eta_in).unsqueeze(-1) + (eta_out * eta_out).unsqueeze(-2) + kink * kink
    possible = inwards.found.unsqueeze(-1) & outwards.found.unsqueeze(-2)
    pairs = chi2.masked_fill(~possible, math.inf).flatten(-2)
    best = _lowest(pairs, choices)
    first = torch.div(best, candidates, rounding_mode="floor")
    second = best - first * candidates
    wanted = [(pairs, best), (inwards.bend, first), (inwards.index, first)]
    wanted += [(outwards.bend, second), (outwards.eta, second), (outwards.index, second)]
    # One choice of all hits after the other.
    chosen = [torch.gather(values, -1, place).transpose(1, 2).flatten(1) for values, place in wanted]
    chi2, bend_in, index, bend_out, eta_out, index_out = chosen
    found = (chi2 < most_chi2) & middle.found.repeat(1, choices)
    r_in, r, r_out = (layer.radius for layer in (inner, middle, outer))
    eta, phi = middle.points.repeat(1, 1, choices).unbind(1)
    start = phi - bend_in * _rounded(r - r_in)
    end = _End(eta + eta_out, phi + bend_out * _rounded(r_out - r), _rounded(r_out))
    bend = (bend_in * _rounded(r - r_in) + bend_out * _rounded(r_out - r)) * _rounded(1.0 / (r_out - r_in))
    own = torch.arange(middle.points.shape[2], device=index.device).repeat(choices).expand_as(index)
    members, hits = [index, own, index_out], torch.full_like(bend, 3.0)
    for layer in layers[3:]:
        end, member = _next(end, bend, layer, turn, most_chi2)
        on = turn(end.phi - start) * _rounded(1.0 / (layer.radius - r_in))
        bend = torch.where(member >= 0, on, bend)
        # Counted here and not of the members, which no network reads: an exported graph then leaves them out.
        hits = hits + (member >= 0).to(hits.dtype)
        members.append(member)
    return Links(
        points=given[1].points.repeat(1, 1, choices),
        bend=bend.to(dtype),
        d0=((bend_in - bend_out) * _rounded(r_in * r * r_out / (r_out - r_in))).to(dtype),
        chi2=chi2.to(dtype),
        hits=hits.to(dtype),
        sharing=_sharing(index, found, inner.points.shape[2]).to(dtype),
        found=found,
        members=torch.stack(members, dim=1),
    )


def gathered(rows: Tensor, index: Tensor) -> Tensor:
    """Columns ``index`` [B, K] of ``rows`` [B, D, N]: [B, D, K]."""
    return torch.gather(rows, 2, index.unsqueeze(1).expand(-1, rows.shape[1], -1))


@dataclass(frozen=True)
class _Candidates:
    """Hits of another layer next to each of H hits, [B, H, K] all: ``index`` among that layer's, ``eta``: difference of
    η (theirs less ours), ``bend`` [rad/cm] of φ along r, ``found``."""

    index: Tensor
    eta: Tensor
    bend: Tensor
    found: Tensor


@dataclass(frozen=True)
class _End:
    """Where links have got to: η, φ [B, H], and r [cm] of the layer they were last hit in, one or [B, H]."""

    eta: Tensor
    phi: Tensor
    radius: float | Tensor


def _candidates(here: LayerHits, there: LayerHits, most: int, turn: Callable[[Tensor], Tensor]) -> _Candidates:
    (eta, phi), (eta_there, phi_there) = here.points.unbind(1), there.points.unbind(1)
    # All [B, H, H'] that there is: few passes, as they are most of what links cost. Hits that are none lie far away.
    units = eta_there * _rounded(1.0 / NEAR_ETA) + torch.where(there.found, 0.0, FAR)
    across = units.unsqueeze(1) - (eta * _rounded(1.0 / NEAR_ETA)).unsqueeze(2)
    along = turn(phi_there.unsqueeze(1) - phi.unsqueeze(2)) * _rounded(1.0 / NEAR_PHI)
    number = torch.arange(there.points.shape[2], device=eta.device, dtype=torch.float64)
    # Equally near ones by their number, as in ``search.neighbors``.
    key = (across * across + along * along + COINCIDENT) * (1.0 + INDEX_STEP * number)
    nearest, index = torch.topk(key, most, dim=-1, largest=False)
    row = index.flatten(1)
    eta_next, phi_next = (torch.gather(values, 1, row).view(index.shape) for values in (eta_there, phi_there))
    bend = turn(phi_next - phi.unsqueeze(2)) * _rounded(1.0 / (there.radius - here.radius))
    return _Candidates(index, eta_next - eta.unsqueeze(2), bend, nearest < FAR)


def _lowest(pairs: Tensor, choices: int) -> Tensor:
    """Places [B, H, choices] of the smallest of ``pairs`` [B, H, P], rising; of equal ones the first comes first."""
    if choices == 1:
        return pairs.argmin(-1, keepdim=True)
    number = torch.arange(pairs.shape[-1], device=pairs.device, dtype=pairs.dtype)
    key = (pairs + COINCIDENT) * (1.0 + INDEX_STEP * number)
    return torch.topk(key, choices, dim=-1, largest=False).indices


def _next(
    end: _End, bend: Tensor, layer: LayerHits, turn: Callable[[Tensor], Tensor], most_chi2: float
) -> tuple[_End, Tensor]:
    """The links' ends in the next layer, and the number of the hit there [B, H]; without one (−1) they stay."""
    way = _rounded(layer.radius) - end.radius
    eta, phi = layer.points.unbind(1)
    across = (eta.unsqueeze(1) - end.eta.unsqueeze(2)) * _rounded(1.0 / SIGMA_ETA)
    off = turn(phi.unsqueeze(1) - (end.phi + bend * way).unsqueeze(2))
    along = off / ((_rounded(SIGMA_BEND) + _rounded(BEND_SHARE) * bend.abs()) * way).unsqueeze(2)
    chi2 = (across * across + along * along).masked_fill(~layer.found.unsqueeze(1), math.inf)
    best = chi2.argmin(-1, keepdim=True)
    goes_on = torch.gather(chi2, -1, best).squeeze(-1) < most_chi2
    hit_eta, hit_phi = (torch.gather(values, 1, best.squeeze(-1)) for values in (eta, phi))
    radius = torch.where(goes_on, torch.full_like(hit_eta, _rounded(layer.radius)), end.radius)
    following = _End(torch.where(goes_on, hit_eta, end.eta), torch.where(goes_on, hit_phi, end.phi), radius)
    return following, torch.where(goes_on, best.squeeze(-1), -1)


def _sharing(index: Tensor, found: Tensor, n_hits: int) -> Tensor:
    """How many other links have the hit ``index`` [B, H] of ``n_hits``, [B, H]."""
    number = torch.arange(n_hits, device=index.device)
    uses = ((index.unsqueeze(-1) == number) & found.unsqueeze(-1)).to(torch.float32)
    return torch.gather(uses.sum(1), 1, index) - found.to(uses.dtype)


def _rounded(number: float) -> float:
    """As the exporter rounds every constant: what is chosen in ONNX is the same."""
    return float(np.float32(number))


def _as_it_is(angle: Tensor) -> Tensor:
    return angle
