"""Two-sided p-values that stay meaningful where floating point ends: the logarithm is always kept."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

# Below this a double holds no p-value any more; ``value`` is then this number, an upper limit, and ``log10`` the truth.
SMALLEST = sys.float_info.min


@dataclass(frozen=True)
class PValue:
    """A chance in [0, 1] and its decimal logarithm; ``value`` never falls below ``SMALLEST``, ``log10`` does."""

    value: float
    log10: float

    @classmethod
    def of_log(cls, log: float) -> PValue:
        """From the natural logarithm."""
        log = min(log, 0.0)
        return cls(max(math.exp(log), SMALLEST), log / math.log(10.0))

    def __str__(self) -> str:
        """Two digits, such as ``0.032``, ``4.1e-09`` or, where a double ends, ``1.3e-412``."""
        if self.log10 > -300:
            return f"{self.value:.2g}"
        power = math.floor(self.log10)
        digits = f"{10.0 ** (self.log10 - power):.1f}"
        return f"1.0e{power + 1}" if digits == "10.0" else f"{digits}e{power}"


def normal_p_value(z: float) -> PValue:
    """Chance that a standard normal number is at least |z| from zero, erfc(|z|/√2), by its logarithm."""
    from scipy.special import log_ndtr

    return PValue.of_log(math.log(2.0) + float(log_ndtr(-abs(z))))


def student_p_value(t: float, degrees: float) -> PValue:
    """The same for Student's t with ``degrees`` > 0 degrees of freedom (infinite: normal).

    2·P(T > |t|) = I_x(ν/2, 1/2) with x = ν/(ν + t²) (Abramowitz and Stegun, 26.7.1 and 26.5.2). Where that underflows,
    its series x^a (1−x)^b / (a B(a, b)) Σ_k Π_{i<k} x (a + b + i)/(a + 1 + i) (26.5.4), in logarithms.
    """
    if math.isinf(degrees):
        return normal_p_value(t)
    from scipy.special import betainc, betaln

    if t == 0.0:
        return PValue(1.0, 0.0)
    a, b = degrees / 2.0, 0.5
    x, rest = 1.0 / (1.0 + t * t / degrees), 1.0 / (1.0 + degrees / (t * t))
    chance = float(betainc(a, b, x))
    if chance > 1e-290:
        return PValue.of_log(math.log(chance))
    total = term = 1.0
    k = 0
    # b < 1, so that every ratio is below x < 1. The sum is below 1/(1 − x), which bounds the steps.
    while term > 1e-16 * total:
        term *= x * (a + b + k) / (a + 1.0 + k)
        total += term
        k += 1
    log_x = -math.log1p(t * t / degrees)
    log = a * log_x + b * math.log(rest) - math.log(a) - float(betaln(a, b)) + math.log(total)
    return PValue.of_log(log)
