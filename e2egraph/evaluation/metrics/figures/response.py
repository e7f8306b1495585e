"""The response: the median of predicted/true."""

from e2egraph.evaluation.metrics.figure import ResidualFigure, register

register(
    ResidualFigure(
        name="response",
        title="response (median of predicted/true)",
        highest=None,
        place=10,
        of_rows=lambda rows: rows.ratio_quantile(0.5),
        relative=True,
    )
)
