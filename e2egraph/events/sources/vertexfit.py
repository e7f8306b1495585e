"""The primary vertex of an event from its tracks, for files that hold no vertices.

Hits and impact parameters mean little without one: the beam of 2012 stood 0.46 cm off the detector's axis, and with
z_PV of some cm a hit of the first pixel layer (r = 4.4 cm) moves by up to one unit in η.

Three steps, each a function of the event alone: the transverse position is where the tracks' closest approaches
cross (robust least squares), z is where the tracks with most ΣpT² pass within ±0.5 mm (the choice of CMS,
JINST 9 (2014) P10009, §6), and both are fitted once more with the tracks that pass there within three times their
error.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.helix import Helices, perigee

# Tracks within this distance of each other along the beam [cm] compete as a vertex.
Z_WINDOW = 0.05
# Tracks this many errors from the vertex, or this many cm if that is more, pass through it.
NEAR_ERRORS, NEAR_DISTANCE = 3.0, 0.02
# A track counts by its squared pT up to here [GeV], so that pileup nearby draws little and no single track decides.
HARD_PT = 10.0
# Softest track that is used [GeV]: below, scattering spoils the impact parameter.
MIN_PT = 0.7
FEWEST_TRACKS = 3
# Scales [cm] of the Cauchy weights 1/(1 + (residual/scale)²), narrowing in on the vertex; the first fit has none.
SCALES = (np.inf, 0.2, 0.05, 0.02, 0.02, 0.02)
# Floor of the errors [cm], so that no single track decides.
ERROR_FLOOR = 0.003

Floats = NDArray[np.float64]


def primary_vertex(helix: Helices, pt: Floats, d0_error: Floats, dz_error: Floats) -> tuple[float, float, float] | None:
    """x, y, z [cm] of the vertex of T tracks with the most ΣpT², or None where fewer than three could make one.

    ``pt`` [GeV] and the errors [cm] have shape [T].
    """
    used = (pt >= MIN_PT) & np.isfinite(helix.dip)
    if used.sum() < FEWEST_TRACKS:
        return None
    helix, pt, d0_error, dz_error = helix.take(used), pt[used], d0_error[used], dz_error[used]
    transverse = _crossing(helix, d0_error, np.ones(len(pt), bool))
    z = _densest(perigee(helix, *transverse, 0.0).dz, pt**2)
    weight = np.minimum(pt, HARD_PT) ** 2 / (dz_error**2 + ERROR_FLOOR**2)
    for _ in range(3):
        along = perigee(helix, *transverse, 0.0).dz
        near = np.abs(along - z) < np.maximum(NEAR_DISTANCE, NEAR_ERRORS * dz_error)
        if near.sum() < FEWEST_TRACKS:
            return None
        z = float(np.average(along[near], weights=weight[near]))
        transverse = _crossing(helix, d0_error, near)
    return (*transverse, z)


def _crossing(helix: Helices, error: Floats, chosen: NDArray[np.bool_]) -> tuple[float, float]:
    """The transverse point that the chosen tracks pass most closely."""
    helix, error = helix.take(chosen), error[chosen]
    x = y = 0.0
    for scale in SCALES:
        passing = perigee(helix, x, y, 0.0)
        # Moving the point by (dx, dy) changes d0 = −dxy by −dx·sin φ + dy·cos φ.
        sin, cos = -np.sin(passing.phi), np.cos(passing.phi)
        weight = 1.0 / (error**2 + ERROR_FLOOR**2) / (1.0 + (passing.d0 / scale) ** 2)
        matrix = np.array([[np.sum(weight * sin * sin), np.sum(weight * sin * cos)], [0.0, np.sum(weight * cos * cos)]])
        matrix[1, 0] = matrix[0, 1]
        target = -np.array([np.sum(weight * sin * passing.d0), np.sum(weight * cos * passing.d0)])
        if not (np.isfinite(matrix).all() and np.isfinite(target).all()):
            break  # numbers beyond any track's
        # Tracks all along one line leave a direction open: the least step is taken.
        step = np.linalg.lstsq(matrix, target, rcond=1e-9)[0]
        x, y = x + float(step[0]), y + float(step[1])
    return x, y


def _densest(z: Floats, weight: Floats) -> float:
    """The track's z with the largest sum of weights within the window around it."""
    order = np.argsort(z, kind="stable")
    z, total = z[order], np.concatenate([[0.0], np.cumsum(weight[order])])
    low, high = np.searchsorted(z, z - Z_WINDOW, side="left"), np.searchsorted(z, z + Z_WINDOW, side="right")
    return float(z[np.argmax(total[high] - total[low])])
