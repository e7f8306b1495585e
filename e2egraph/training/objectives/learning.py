"""What differs between objectives while a network learns: losses, weights, and the figures of an epoch.

An objective names its class (``Objective.learning``); everything else in ``training`` asks that class alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.scores import output_columns
from e2egraph.data.table import JetTable
from e2egraph.errors import UsageError
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.objectives.objective import Objective, implementation
from e2egraph.training.recipe import OF_SCHEDULE, TrainingOptions

Kind = TypeVar("Kind", bound=Objective)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Learning(ABC, Generic[Kind]):
    """Losses and figures of ``objective`` under ``options``; made as ``Class(objective, options)``.

    An objective has H losses (one, unless it joins several), each with weights of its own, so that an object may count
    in one and not in another: what is minimised is the sum over H of Σ w·ℓ / Σ w.
    """

    # Whether ``training.label_smoothing`` means anything.
    smooths_labels: bool = False
    # Whether ``training.class_weights`` means anything.
    balances_classes: bool = True
    # Labels of the classes whose objects the network is trained with; None: of all.
    learnt_labels: tuple[int, ...] | None = None

    def __init__(self, objective: Kind, options: TrainingOptions) -> None:
        self.objective, self.options = objective, options

    @property
    def losses(self) -> int:
        """How many losses there are, H."""
        return 1

    @property
    @abstractmethod
    def record_size(self) -> int:
        """Numbers kept of each object until the end of an epoch, D."""

    @property
    def without_effect(self) -> Mapping[str, str]:
        """Settings of the loss that change nothing → the setting with which they do."""
        return {}

    def reads(self, inputs: Inputs) -> None:
        """Told before the first loss: what nodes carry. UsageError when that does not suffice."""
        return

    @abstractmethod
    def check(self, table: JetTable, numbers: Integers, split: str) -> None:
        """InputError naming data set, split and object unless the objects ``numbers`` of ``split`` can be learnt from.

        ``table.columns`` holds the targets.
        """

    def class_weights(self, label: Integers, weight: NDArray) -> Tensor:
        """Factors on the objects' own weights for each loss and class, [H, C], from the J training objects.

        The mean weight of a training object is 1 for each loss.
        """
        classes = len(self.objective.class_names)
        return torch.from_numpy(class_factors(label, weight, classes, self.options)).unsqueeze(0)

    @abstractmethod
    def loss(self, output: Tensor, batch: JetBatch) -> tuple[Tensor, Tensor]:
        """Of each object, what is minimised and the plain loss that figures are made of, [H, B] each.

        ``output`` [B, C] (of nodes: [B, N, C]): float32, of the network.
        """

    @abstractmethod
    def record(self, output: Tensor, batch: JetBatch) -> Tensor:
        """What ``figures`` needs of each object, [D, B], on the device of ``output``."""

    @abstractmethod
    def figures(self, records: Floats, weight: Floats) -> dict[str, float]:
        """Name → figure of an epoch, ``objective.best.name`` among them; NaN where one is undefined.

        ``records`` [D, J] of all J objects of the epoch, ``weight`` [H, J] with the factors of their classes.
        """

    def activate(self, output: Tensor) -> Tensor:
        """A network's output [..., C] as its columns mean it, float32: softmax for heads of classes, others as is."""
        heads, slices = self.objective.outputs.heads, self.objective.outputs.slices
        output = output.float()
        parts = [
            output[..., slices[head.name]].softmax(dim=-1)
            if head.activation == "softmax"
            else output[..., slices[head.name]]
            for head in heads
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of ``activate`` in a file of scores."""
        return output_columns(self.objective.outputs)


def make_learning(objective: Objective, options: TrainingOptions | None = None) -> Learning[Any]:
    """How ``objective`` is learnt: the class that it names, made; UsageError when that cannot be imported."""
    learning: Learning[Any] = implementation(objective.learning)(objective, options or TrainingOptions())
    return learning


def check_settings(learning: Learning[Any], settings: Iterable[str], schedules: Collection[str] | None = None) -> None:
    """UsageError when ``settings`` (``NAME=VALUE``, or names that a search varies) ask for what the objective has not,
    or change nothing as the others are. ``schedules``: those that a search may choose; None for that of the recipe.

    A recipe may: it serves all objectives.
    """
    schedules = (learning.options.schedule,) if schedules is None else schedules
    for setting in settings:
        name, _, value = setting.partition("=")
        schedule, other = OF_SCHEDULE.get(name), learning.without_effect.get(name)
        if schedule is not None and schedule not in schedules:
            other = f"training.schedule={schedule}"
        if other is not None:
            raise UsageError(f"{setting}: changes nothing without {other}; add that, or leave it out.")
        if name == "training.label_smoothing" and value not in ("0", "0.0") and not learning.smooths_labels:
            raise UsageError(
                f"{setting}: objective {learning.objective.kind} has no class labels to smooth; leave it out."
            )
        if name == "training.class_weights" and value != "none" and not learning.balances_classes:
            raise UsageError(
                f"{setting}: objective {learning.objective.kind} has no classes of objects to balance; leave it out."
            )


def class_factors(label: Integers, weight: NDArray, classes: int, options: TrainingOptions) -> Floats:
    """Factor on the weights of J objects for each class, [C], after which their mean is 1.

    With ``class_weights: balanced`` all classes that are there have the same sum of weights.
    """
    sums = np.bincount(label, weights=weight, minlength=classes)
    if options.class_weights == "none":
        return np.full(classes, len(label) / sums.sum())
    present = sums > 0
    return np.where(present, len(label) / (present.sum() * np.where(present, sums, 1.0)), 0.0)


def weighted_mean(values: Floats, weight: Floats) -> float:
    """Σ w·x / Σ w; NaN where Σ w is 0."""
    total = weight.sum()
    return float((weight * values).sum() / total) if total > 0 else float("nan")
