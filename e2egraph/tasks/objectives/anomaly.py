"""Anomalies: how unlike the objects of one class an object is, learnt from that class alone."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from e2egraph.config import configuration
from e2egraph.tasks.objectives.classification import Classification
from e2egraph.tasks.objectives.objective import Best, register


@register("anomaly")
@configuration
class Anomaly(Classification):
    """The first of ``classes`` is learnt; the others are what anomalies are looked for in, and no loss is of them.

    A network gives a row of class scores as for a classification, but says nothing of classes other than the first:
    log-odds against it that are the same for all of them, ln e with e ≥ 0 the error that the network makes in
    reproducing the object. Figures are those of a classification; of pairs of classes, those of the first and another
    say how well the error tells that one.

    ``kind``: of objective. ``classes``: names in the order of their labels, the one that is learnt first. ``signal``:
    the class whose figures come first.
    """

    kind: Literal["anomaly"] = "anomaly"  # type: ignore[assignment]

    learning: ClassVar[str] = "e2egraph.training.objectives.anomaly:AnomalyLearning"
    evaluation: ClassVar[str] = "e2egraph.evaluation.objectives.anomaly:AnomalyEvaluation"

    @model_validator(mode="after")
    def _another_is_signal(self) -> Self:
        if self.signal == self.classes[0]:
            raise ValueError(f"class '{self.signal}' is the first, which is learnt, and cannot be the signal")
        return self

    @property
    def best(self) -> Best:
        """The error itself: which anomalies there are must not decide."""
        return Best("error", f"error of {self.classes[0]}", highest=False)
