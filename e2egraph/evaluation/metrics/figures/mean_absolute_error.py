"""The mean absolute error: the mean of |predicted − true|."""

import numpy as np

from e2egraph.evaluation.metrics.figure import ResidualFigure, register

register(
    ResidualFigure(
        name="mae",
        title="mean absolute error",
        highest=False,
        place=40,
        of_rows=lambda rows: rows.mean(np.abs(rows.residuals.difference)),
        has_unit=True,
    )
)
