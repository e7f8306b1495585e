"""Crops of crystals around seeds: whether pixel (size − 1) // 2 is one, and the cluster that lies around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.cluster_shape import HALF_COLUMNS, HALF_ROWS, cluster_shapes
from e2egraph.errors import InputError

# Column that says whether the middle pixel has as much energy as any of its cluster.
SEED_HIGHEST = "seed_highest"

# Images by which a part of a file other than its first is judged.
ENOUGH = 64


def cluster_columns(energy: NDArray) -> dict[str, NDArray]:
    """Of planes of energy [b, size, size] in GeV: ``seed_highest`` and the shapes of clusters, each [b]; pixels that
    are not positive are noise and left out, as in ``tasks.objects.cluster``."""
    middle = (energy.shape[1] - 1) // 2
    first_row, first_column = max(middle - HALF_ROWS, 0), max(middle - HALF_COLUMNS, 0)
    near = energy[:, first_row : middle + HALF_ROWS + 1, first_column : middle + HALF_COLUMNS + 1]
    cluster, row, column = np.nonzero(near > 0)
    rows, columns = row + first_row - middle, column + first_column - middle
    shapes = cluster_shapes(cluster, rows, columns, near[cluster, row, column], len(energy))
    seed = energy[:, middle, middle]
    return {SEED_HIGHEST: (seed > 0) & (seed >= near.max(axis=(1, 2))), **shapes.columns()}


def check_seeds(location: str, found: NDArray[np.bool_], start: int, size: int) -> None:
    """InputError where less than half of some images, the first of which is number ``start``, lie around a seed; a few
    at the end of a file say nothing of it."""
    elsewhere, middle = int((~found).sum()), (size - 1) // 2
    if 2 * elsewhere > len(found) and (start == 0 or len(found) >= ENOUGH):
        raise InputError(
            f"{location}: in {elsewhere} of {len(found)} images from number {start} on, pixel ({middle}, {middle}) has "
            "less energy than one next to it, so that seeds stand elsewhere or the planes in another order; give crops "
            "around their seeds, and name the planes in the file's order."
        )
