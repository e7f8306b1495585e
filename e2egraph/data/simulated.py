"""Whether jets are simulated, by their run numbers, and what is said of those that are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# CMS gives this run number to simulated events, and so does ``e2egraph simulate``.
SIMULATION_RUN = 1

SIMULATION_NOTE = (
    "All objects are simulated (run number 1). "
    "What e2egraph simulate makes is a parametric simulation, not CMS simulation."
)


def all_simulated(runs: NDArray) -> bool:
    """Whether all jets with the run numbers ``runs`` [J] are simulated."""
    return bool((np.asarray(runs) == SIMULATION_RUN).all())
