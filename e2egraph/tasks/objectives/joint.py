"""Several objectives with one network: a class and a quantity, each a head of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from e2egraph.config import RefusedError, configuration
from e2egraph.errors import UsageError
from e2egraph.tasks.objectives.objective import Best, Objective, make_objective, register
from e2egraph.tasks.outputs import Outputs


@register("joint")
@configuration
class Joint(Objective):
    """``heads``: the objectives, the first of which decides which epoch is kept; all have the same classes.

    ``weights``: what multiplies each one's loss (1 where not given). ``only``: kind of an objective → the classes whose
    examples it learns from (all where not given), such as a mass that background does not have.

    ``kind``: of objective.
    """

    kind: Literal["joint"] = "joint"
    heads: Annotated[list[Any], Field(min_length=2)]
    weights: list[Annotated[float, Field(gt=0)]] | None = None
    only: dict[str, list[str]] = Field(default_factory=dict)

    loss_settings: ClassVar[tuple[str, ...]] = ("weights",)
    learning: ClassVar[str] = "e2egraph.training.objectives.joint:JointLearning"
    evaluation: ClassVar[str] = "e2egraph.evaluation.objectives.joint:JointEvaluation"

    @field_validator("heads")
    @classmethod
    def _made(cls, heads: list[Any]) -> list[Objective]:
        try:
            return [make_objective(head, "heads") for head in heads]
        except UsageError as error:
            raise RefusedError(str(error)) from error

    @model_validator(mode="after")
    def _alike(self) -> Self:
        kinds = [head.kind for head in self.heads]
        if len(set(kinds)) < len(kinds) or "joint" in kinds:
            raise ValueError("heads must be of different kinds; give several targets to one regression instead")
        if len({head.class_names for head in self.heads}) > 1:
            raise ValueError("heads must have the same classes in the same order")
        if self.weights is not None and len(self.weights) != len(self.heads):
            raise ValueError(f"{len(self.weights)} weights for {len(self.heads)} heads")
        for kind, names in self.only.items():
            unknown = [name for name in names if name not in self.class_names]
            if kind not in kinds or unknown or not names:
                raise ValueError(
                    f"only.{kind} must name classes out of {', '.join(self.class_names)} for a head's kind"
                )
        _ = self.outputs
        return self

    @property
    def class_names(self) -> tuple[str, ...]:
        names: tuple[str, ...] = self.heads[0].class_names
        return names

    @property
    def target_names(self) -> tuple[str, ...]:
        return tuple(name for head in self.heads for name in head.target_names)

    def classes_with(self, target: str) -> tuple[str, ...]:
        learning = {
            name
            for head in self.heads
            if target in head.target_names
            for name in head.classes_with(target)
            if name in self.classes_of(head.kind)
        }
        return tuple(name for name in self.class_names if name in learning)

    @property
    def drawn(self) -> Mapping[str, Mapping[str, tuple[float, float]]]:
        return {name: limits for head in self.heads for name, limits in head.drawn.items()}

    @property
    def outputs(self) -> Outputs:
        return Outputs(heads=tuple(part for head in self.heads for part in head.outputs.heads))

    @property
    def best(self) -> Best:
        best: Best = self.heads[0].best
        return best

    def classes_of(self, kind: str) -> tuple[str, ...]:
        """The classes that the objective of ``kind`` learns from."""
        return tuple(self.only.get(kind, self.class_names))
