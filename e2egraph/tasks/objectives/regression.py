"""Regression: quantities of an object in physical units, such as the mass of the particle behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from e2egraph.config import configuration
from e2egraph.tasks.objectives.objective import Best, Objective, register
from e2egraph.tasks.outputs import Head, Outputs

Finite = Annotated[float, Field(allow_inf_nan=False)]

Loss = Literal["mae", "huber", "log_cosh", "mse"]


@configuration
class Target:
    """One quantity that is learnt: the object column ``name``, in ``unit``.

    A network's raw number r means ``offset + scale · r``; losses are taken in units of ``scale``. ``baseline``: an
    object column that any analysis has as an estimate of it, which comparisons show next to the networks. ``drawn``:
    class → limits, for classes whose objects have none: theirs is drawn evenly between these when the data set is
    built (domain continuation, ``graphs.making.continuation``); it is learnt, and left out of all figures.

    ``name``: of the object column. ``unit``: of the quantity, empty for none. ``offset``: added to the network's
    raw number. ``scale``: by which that is multiplied first.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    unit: str = ""
    offset: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    baseline: str | None = None
    drawn: dict[str, tuple[Finite, Finite]] = Field(default_factory=dict)

    @field_validator("drawn")
    @classmethod
    def _rising(cls, drawn: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        for name, (low, high) in drawn.items():
            if low >= high:
                raise ValueError(f"limits of class '{name}' must rise, not {[low, high]}")
        return drawn


@register("regression")
@configuration
class Regression(Objective):
    """``targets``: what is learnt, in the order of the outputs. ``classes``: what examples may be, in label order.

    ``loss`` of the difference between prediction and target in units of each target's scale: ``mae`` |x|, ``mse`` x²,
    ``huber`` (P. Huber, Ann. Math. Statist. 35 (1964) 73: x²/2 up to ``delta``, linear beyond) or ``log_cosh``
    (ln cosh x), summed over the targets by their ``weights`` (1 where not given).

    ``kind``: of objective. ``loss``: of the difference in units of the target's scale. ``delta``: where ``huber``
    turns linear. ``weights``: of the targets in the loss, 1 where not given.
    """

    kind: Literal["regression"] = "regression"
    classes: Annotated[list[str], Field(min_length=1)]
    targets: Annotated[list[Target], Field(min_length=1)]
    loss: Loss = "mae"
    delta: Annotated[float, Field(gt=0)] = 1.0
    weights: list[Annotated[float, Field(gt=0)]] | None = None

    loss_settings: ClassVar[tuple[str, ...]] = ("loss", "delta", "weights")
    learning: ClassVar[str] = "e2egraph.training.objectives.regression:RegressionLearning"
    evaluation: ClassVar[str] = "e2egraph.evaluation.objectives.regression:RegressionEvaluation"

    @model_validator(mode="after")
    def _one_weight_a_target(self) -> Self:
        if self.weights is not None and len(self.weights) != len(self.targets):
            raise ValueError(f"{len(self.weights)} weights for {len(self.targets)} targets")
        if len(set(self.target_names)) < len(self.targets) or len(set(self.classes)) < len(self.classes):
            raise ValueError("targets and classes must differ among themselves")
        drawn = [set(target.drawn) for target in self.targets]
        if any(names != drawn[0] for names in drawn):
            raise ValueError("targets must be drawn for the same classes")
        if drawn[0] - set(self.classes) or drawn[0] == set(self.classes):
            raise ValueError(f"targets may be drawn for some of the classes {', '.join(self.classes)}, not for all")
        return self

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(self.classes)

    @property
    def target_names(self) -> tuple[str, ...]:
        return tuple(target.name for target in self.targets)

    @property
    def drawn(self) -> Mapping[str, Mapping[str, tuple[float, float]]]:
        return {target.name: target.drawn for target in self.targets if target.drawn}

    @property
    def real_classes(self) -> tuple[str, ...]:
        """The classes whose objects have the targets."""
        return tuple(name for name in self.classes if name not in self.targets[0].drawn)

    def classes_with(self, target: str) -> tuple[str, ...]:
        return self.real_classes

    @property
    def outputs(self) -> Outputs:
        head = Head(
            name="regression",
            columns=self.target_names,
            units=tuple(target.unit for target in self.targets),
            offset=tuple(target.offset for target in self.targets),
            scale=tuple(target.scale for target in self.targets),
        )
        return Outputs(heads=(head,))

    @property
    def best(self) -> Best:
        """The mean absolute error of the first target."""
        first = self.targets[0]
        return Best("mae", f"mean absolute error of {first.name}", highest=False, unit=first.unit)
