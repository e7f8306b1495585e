"""Classification: which class an object is of."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from e2egraph.config import configuration
from e2egraph.tasks.objectives.objective import Best, Objective, register
from e2egraph.tasks.outputs import Outputs, class_outputs


@register("classification")
@configuration
class Classification(Objective):
    """``classes`` in label order; ``signal``: the class that counts as signal.

    ``kind``: of objective. ``classes``: names in the order of their labels.
    """

    kind: Literal["classification"] = "classification"
    classes: Annotated[list[str], Field(min_length=1)]
    signal: str

    learning: ClassVar[str] = "e2egraph.training.objectives.classification:ClassificationLearning"
    evaluation: ClassVar[str] = "e2egraph.evaluation.objectives.classification:ClassificationEvaluation"

    @model_validator(mode="after")
    def _signal_named(self) -> Self:
        if self.signal not in self.classes:
            raise ValueError(f"signal '{self.signal}' is not among the classes {', '.join(self.classes)}")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("classes must differ")
        return self

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(self.classes)

    @property
    def target_names(self) -> tuple[str, ...]:
        return ()

    @property
    def outputs(self) -> Outputs:
        return class_outputs(self.class_names)

    @property
    def best(self) -> Best:
        return Best("auc", "AUC", highest=True)
