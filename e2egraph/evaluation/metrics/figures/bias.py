"""The bias: the mean of predicted − true."""

from e2egraph.evaluation.metrics.figure import ResidualFigure, register

register(
    ResidualFigure(
        name="bias",
        title="bias",
        highest=None,
        ratio=False,
        place=30,
        of_rows=lambda rows: rows.mean(rows.residuals.difference),
        has_unit=True,
    )
)
