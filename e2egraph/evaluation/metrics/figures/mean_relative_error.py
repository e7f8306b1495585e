"""The mean relative error: the mean of |predicted − true| / true."""

import numpy as np

from e2egraph.evaluation.metrics.figure import ResidualFigure, register

register(
    ResidualFigure(
        name="mean_relative_error",
        title="mean relative error",
        highest=False,
        place=50,
        of_rows=lambda rows: rows.relative_mean(np.abs(rows.residuals.relative_difference)),
        relative=True,
    )
)
