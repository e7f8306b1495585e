"""How a cost grows with size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def growth_exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The e of cost ∝ size^e: least-squares slope of ln cost over ln size, two or more different sizes.

    ValueError: fewer than two sizes, or a size or cost that is not positive.
    """
    if len(set(sizes)) < 2 or min(*sizes, *costs) <= 0:
        raise ValueError("an exponent needs two different sizes, and sizes and costs above zero")
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])
