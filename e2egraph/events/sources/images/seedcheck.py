"""Whether crops of crystals lie around their seeds: pixel (size − 1) // 2 has as much energy as any in reach of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError

# Rows and columns within which no crystal is more energetic than the seed of a cluster (tasks.objects.cluster).
REACH = (2, 8)


def middle_is_seed(energy: NDArray) -> NDArray[np.bool_]:
    """Of planes of energy [b, size, size], [b]."""
    middle = (energy.shape[1] - 1) // 2
    rows, columns = (slice(max(middle - reach, 0), middle + reach + 1) for reach in REACH)
    seed = energy[:, middle, middle]
    return np.asarray((seed > 0) & (seed >= energy[:, rows, columns].max(axis=(1, 2))))


def check_seeds(location: str, found: NDArray[np.bool_], start: int, size: int) -> None:
    """InputError where less than half of some images, the first of which is number ``start``, lie around a seed."""
    elsewhere, middle = int((~found).sum()), (size - 1) // 2
    if 2 * elsewhere > len(found):
        raise InputError(
            f"{location}: in {elsewhere} of {len(found)} images from number {start} on, pixel ({middle}, {middle}) has "
            "less energy than one next to it, so that seeds stand elsewhere or the planes in another order; give crops "
            "around their seeds, and name the planes in the file's order."
        )
