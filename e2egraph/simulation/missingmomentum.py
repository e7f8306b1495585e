"""Missing transverse momentum: what the measured momenta of an event lack to balance."""

from __future__ import annotations

import numpy as np

from e2egraph.detector.geometry import Floats
from e2egraph.simulation.generation.candidates import Candidates


def missing_pt(candidates: Candidates, events: int) -> Floats:
    """|−Σ pT| of all ``candidates`` of each event [E], in GeV.

    Particle-flow MET without corrections (JINST 14 (2019) P07004, §4, "raw"): give it charged candidates of all
    vertices, as pile-up balances only together with its neutral particles. Energies of jets are not corrected.
    """
    px, py = (np.bincount(candidates.event, component, events) for component in (candidates.px, candidates.py))
    return np.hypot(px, py)
