"""Expected significance of n = s + b events over an expected background b, in standard deviations.

*Asimov*: the likelihood ratio at the expected count (G. Cowan, K. Cranmer, E. Gross, O. Vitells, Eur. Phys. J. C 71
(2011) 1554, eq. 97), with a background that a second count measures (an "on/off" experiment) where its uncertainty is
not zero: G. Cowan, "Discovery sensitivity for a counting experiment with background uncertainty" (2012).
*Exact*: the chance of at least the expected count s + b when there is background alone, from the Poisson distribution
continued between whole numbers by the incomplete gamma function, so that Z does not jump with the count (the "exact
Asimov significance" of P. Bhattiprolu, S. Martin, J. Wells, arXiv:2009.07249). With an uncertain background that of the
on/off experiment, Z_Bi of R. Cousins, J. Linnemann, J. Tucker, Nucl. Instrum. Meth. A 595 (2008) 480, whose second
count is 1/r² (r: relative uncertainty) at the expected background.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# The threshold of a discovery.
FIVE_SIGMA = 5.0

# Below this s/b, (1 + x) ln(1 + x) − x is taken from its series, whose next term is x⁵/20.
_SMALL_RATIO = 1e-3

# p-values below this are worked out as logarithms, by a series; its terms fall geometrically.
_TINY = 1e-250
_PRECISION = 1e-13


def asimov_z(signal: ArrayLike, background: ArrayLike, uncertainty: float = 0.0) -> Floats:
    """Z of expected ``signal`` ≥ 0 over ``background`` > 0 events, broadcast; ``uncertainty``: relative, of b.

    Without uncertainty √(2((s+b) ln(1+s/b) − s)). ValueError for a background that is not positive or a negative
    signal or uncertainty.
    """
    s, b = _checked(signal, background, uncertainty)
    x = s / b
    if uncertainty == 0.0:
        series = x**2 * (0.5 - x * (1.0 / 6.0 - x / 12.0))
        half = b * np.where(x < _SMALL_RATIO, series, (1.0 + x) * np.log1p(x) - x)
    else:
        # With σ = r b: (s+b) ln[(s+b)(b+σ²)/(b²+(s+b)σ²)] − (b²/σ²) ln[1 + σ² s/(b (b+σ²))].
        r2 = uncertainty**2
        half = (s + b) * np.log1p(x / (1.0 + (s + b) * r2)) - np.log1p(r2 * s / (1.0 + r2 * b)) / r2
    return np.sqrt(np.maximum(2.0 * half, 0.0))


def asimov_limit(ratio: ArrayLike, uncertainty: float) -> Floats:
    """Z that s/b = ``ratio`` tends to as both grow without bound: √(2(s/b − ln(1+s/b)))/r; infinite for r = 0, s > 0.

    The limit of ``asimov_z`` for s, b → ∞: more luminosity cannot beat a relative uncertainty.
    """
    x = np.asarray(ratio, np.float64)
    if uncertainty == 0.0:
        return np.where(x > 0.0, np.inf, 0.0)
    series = x**2 * (0.5 - x * (1.0 / 3.0 - x / 4.0))
    return np.sqrt(2.0 * np.where(x < _SMALL_RATIO, series, x - np.log1p(x))) / uncertainty


def exact_z(signal: ArrayLike, background: ArrayLike, uncertainty: float = 0.0) -> Floats:
    """Z of the p-value of the expected count s + b; 0 where that p-value is above 1/2.

    Arguments and ValueError as ``asimov_z``.
    """
    from scipy.special import ndtri_exp

    s, b = _checked(signal, background, uncertainty)
    log_p = np.minimum(log_p_value(s + b, b, uncertainty), np.log(0.5))
    # Adding 0 turns a negative zero into zero.
    return np.maximum(-ndtri_exp(log_p), 0.0) + 0.0


def log_p_value(count: ArrayLike, background: ArrayLike, uncertainty: float = 0.0) -> Floats:
    """ln P(N ≥ ``count``) for ``count`` > 0 and N Poisson of mean ``background`` > 0, or on/off where r > 0.

    The latter is I_x(n, 1/r² + 1) with x = r²b/(1 + r²b): N is negative binomial, a Poisson count whose mean is gamma
    distributed. Right also where the p-value itself is below the smallest double.
    """
    from scipy.special import betainc, betaln, gammainc, gammaln

    n, b = np.broadcast_arrays(np.asarray(count, np.float64), np.asarray(background, np.float64))
    n, b = np.atleast_1d(n), np.atleast_1d(b)
    if uncertainty == 0.0:
        chance = gammainc(n, b)
    else:
        c = 1.0 / uncertainty**2 + 1.0
        x = b / (b + c - 1.0)
        chance = betainc(n, c, x)
    result = np.log(np.maximum(chance, _TINY))
    tail = chance < _TINY
    if tail.any():
        far, low = n[tail], b[tail]
        if uncertainty == 0.0:
            # e^−b b^n/n! (1 + b/(n+1) + b²/((n+1)(n+2)) + …), term by term the Poisson distribution from n on.
            head = far * np.log(low) - low - gammaln(far + 1.0)
            result[tail] = head + _log_series(far, 0.0, low)
        else:
            # The series of the incomplete beta function, Abramowitz and Stegun 26.5.4.
            head = far * np.log(x[tail]) + c * np.log1p(-x[tail]) - np.log(far) - betaln(far, c)
            result[tail] = head + _log_series(far, x[tail], c * x[tail])
    return result.reshape(np.broadcast_shapes(np.shape(count), np.shape(background)))


def _log_series(n: Floats, slope: Floats | float, start: Floats) -> Floats:
    """ln of 1 + t₁ + t₁t₂ + … with t_k = (start + slope (n + k − 1))/(n + k); falling in a tail, n above the mean."""
    total, term = np.ones_like(n), np.ones_like(n)
    k = 1.0
    while (term > _PRECISION * total).any():
        term = term * (start + slope * (n + k - 1.0)) / (n + k)
        total = total + term
        k += 1.0
    return np.log(total)


def _checked(signal: ArrayLike, background: ArrayLike, uncertainty: float) -> tuple[Floats, Floats]:
    s, b = np.asarray(signal, np.float64), np.asarray(background, np.float64)
    if not (b > 0.0).all() or not (s >= 0.0).all() or not uncertainty >= 0.0:
        raise ValueError("a significance needs background > 0, signal ≥ 0 and uncertainty ≥ 0")
    return s, b
