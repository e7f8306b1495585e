"""The luminosity at which the best of several counting experiments reaches five standard deviations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from e2egraph.evaluation.significance.formulas import FIVE_SIGMA, asimov_limit, asimov_z

Floats = NDArray[np.float64]

# No luminosity beyond this multiple of the one given is looked at.
_LARGEST_SCALE = 1e15

# Relative precision of the scale.
_PRECISION = 1e-12


def discovery_scale(signal: Floats, background: Floats, uncertainty: float) -> tuple[float, int] | None:
    """Smallest factor on all yields [K] at which one of the K experiments has Z (Asimov) = 5, and which one it is.

    Z ∝ √L without background uncertainty; with one it saturates (``formulas.asimov_limit``), and None says that it
    stays below 5 at any luminosity.
    """
    from scipy.optimize import brentq

    statistical = float(asimov_z(signal, background).max())
    if not statistical > 0.0 or not float(asimov_limit(signal / background, uncertainty).max()) > FIVE_SIGMA:
        return None
    # An uncertainty only lowers Z, so that it takes at least this much.
    low = (FIVE_SIGMA / statistical) ** 2

    def excess(log_scale: float) -> float:
        scale = np.exp(log_scale)
        return float(asimov_z(scale * signal, scale * background, uncertainty).max()) - FIVE_SIGMA

    scale = low
    if uncertainty > 0.0 and excess(np.log(low)) < 0.0:
        high = 2.0 * low
        while excess(np.log(high)) < 0.0:
            high *= 2.0
            if high > _LARGEST_SCALE:
                return None
        scale = float(np.exp(brentq(excess, np.log(low), np.log(high), xtol=_PRECISION)))
    return scale, int(asimov_z(scale * signal, scale * background, uncertainty).argmax())
