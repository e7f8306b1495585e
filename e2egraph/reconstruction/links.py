"""Links between elements near one another: the nearest one of the same event within a distance, φ wrapped."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from e2egraph.detector.geometry import Floats, Integers

# Events stand further apart than any link reaches.
APART = 100.0


def nearest(
    event: Integers, eta: Floats, phi: Floats, of_event: Integers, of_eta: Floats, of_phi: Floats, reach: float
) -> Integers:
    """For each of A points the nearest of B others (``of_…``) of its event within ``reach`` in (η, φ); −1 for none.

    Distances in φ are those of chords, 2 sin(Δφ/2): the same within 0.1% for what is linked.
    """
    if len(of_event) == 0 or len(event) == 0:
        return np.full(len(event), -1, dtype=np.int64)
    tree = KDTree(_points(of_event, of_eta, of_phi))
    _, found = tree.query(_points(event, eta, phi), distance_upper_bound=reach)
    return np.where(found < len(of_event), found, -1).astype(np.int64)


def _points(event: Integers, eta: Floats, phi: Floats) -> Floats:
    return np.stack([APART * event, eta, np.cos(phi), np.sin(phi)], axis=1)
