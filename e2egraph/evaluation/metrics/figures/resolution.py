"""The relative resolution: half the width of the central 68.27% of predicted/true, over the response.

The standard deviation over the mean for a normal distribution, and hardly moved by its tails.
"""

from __future__ import annotations

import numpy as np

from e2egraph.evaluation.metrics.figure import Floats, ResidualFigure, register
from e2egraph.evaluation.metrics.regression.residuals import ResidualRows

# Quantiles that hold the central 68.27% of a normal distribution.
LOWER, UPPER = 0.15865525, 0.84134475


def resolutions(rows: ResidualRows) -> Floats:
    """For every row, [R]; not finite where the median is not above zero."""
    lower, median, upper = (rows.ratio_quantile(q) for q in (LOWER, 0.5, UPPER))
    with np.errstate(divide="ignore", invalid="ignore"):
        result: Floats = np.where(median > 0.0, (upper - lower) / 2.0 / median, np.nan)
    return result


register(
    ResidualFigure(
        name="resolution", title="relative resolution", highest=False, place=20, of_rows=resolutions, relative=True
    )
)
