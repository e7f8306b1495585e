"""Energy, mean place and widths of clusters of crystals: 5 rows (η) × 17 columns (φ) around a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Crystals on either side of the seed that belong to the cluster: two hold a shower, and along φ more are needed, over
# which the field spreads an electron's bremsstrahlung (CMS, JINST 10 (2015) P06005: 5 crystals in η, up to 17 in φ).
HALF_ROWS, HALF_COLUMNS = 2, 8

# R9, the shape by which CMS tells photons that converted: the share of the 3 × 3 crystals around the seed.
INNER = 1


@dataclass(frozen=True)
class ClusterShapes:
    """Of C clusters, each [C]: ``energy`` [GeV]; ``mean_row``, ``mean_column``: energy-weighted, from the seed;
    ``spread_rows``, ``spread_columns``: their standard deviations [crystals]; ``inner``: energy of 3 × 3 crystals."""

    energy: NDArray[np.float64]
    mean_row: NDArray[np.float64]
    mean_column: NDArray[np.float64]
    spread_rows: NDArray[np.float64]
    spread_columns: NDArray[np.float64]
    inner: NDArray[np.float64]

    def columns(self) -> dict[str, NDArray[np.float32]]:
        """The plain columns of clusters that do not depend on where they lie; a cluster without energy has 0 in all."""
        return {
            "cluster_energy": self.energy.astype(np.float32),
            "r9": (self.inner / np.where(self.energy > 0, self.energy, 1.0)).astype(np.float32),
            "eta_width": self.spread_rows.astype(np.float32),
            "phi_width": self.spread_columns.astype(np.float32),
        }


def cluster_shapes(
    cluster: NDArray[np.int64], rows: NDArray[np.int64], columns: NDArray[np.int64], energy: NDArray, size: int
) -> ClusterShapes:
    """Shapes of ``size`` clusters from their crystals, each [S]: number of the cluster, rows and columns from its seed,
    energy [GeV], positive."""
    weight = energy.astype(np.float64)

    def total(values: NDArray) -> NDArray[np.float64]:
        return np.bincount(cluster, values, minlength=size).astype(np.float64, copy=False)

    whole = total(weight)
    share = np.where(whole > 0, whole, 1.0)
    mean_row, mean_column = total(weight * rows) / share, total(weight * columns) / share
    return ClusterShapes(
        energy=whole,
        mean_row=mean_row,
        mean_column=mean_column,
        spread_rows=np.sqrt(total(weight * (rows - mean_row[cluster]) ** 2) / share),
        spread_columns=np.sqrt(total(weight * (columns - mean_column[cluster]) ** 2) / share),
        inner=total(np.where((np.abs(rows) <= INNER) & (np.abs(columns) <= INNER), weight, 0.0)),
    )
