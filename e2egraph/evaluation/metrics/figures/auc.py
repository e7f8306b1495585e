"""The area under the ROC curve."""

from e2egraph.evaluation.metrics.figure import RocFigure, register
from e2egraph.evaluation.metrics.roc.rows import areas

AUC = "auc"

register(
    RocFigure(
        name=AUC,
        title="AUC",
        digits=4,
        highest=True,
        # 0.98 over 0.97 says less than the difference of the two.
        ratio=False,
        place=10,
        of_curve=lambda curve: curve.auc,
        of_rows=areas,
    )
)
