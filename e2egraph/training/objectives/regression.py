"""Learning quantities: losses of the difference between prediction and target, and mean absolute errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.scores import TARGET_PREFIX
from e2egraph.data.table import JetTable
from e2egraph.errors import InputError
from e2egraph.tasks.objectives.regression import Loss, Regression
from e2egraph.training.objectives.learning import Floats, Integers, Learning, weighted_mean
from e2egraph.training.recipe import TrainingOptions
from e2egraph.training.which_object import in_words


class RegressionLearning(Learning[Regression]):
    """Predictions and targets are physical; the loss is taken in units of each target's scale."""

    def __init__(self, objective: Regression, options: TrainingOptions) -> None:
        super().__init__(objective, options)
        self._function = loss_function(objective)
        self._scale = torch.tensor([target.scale for target in objective.targets])
        self._weights = torch.tensor(objective.weights or [1.0] * len(objective.targets))

    @property
    def record_size(self) -> int:
        return len(self.objective.targets)

    @property
    def without_effect(self) -> Mapping[str, str]:
        return {} if self.objective.loss == "huber" else {"objective.delta": "objective.loss=huber"}

    def check(self, table: JetTable, numbers: Integers, split: str) -> None:
        """Targets that are finite and not all the same; objects with weight whose targets were not drawn, of which the
        figures are."""
        if self.objective.drawn:
            real = [self.objective.class_names.index(name) for name in self.objective.real_classes]
            own = np.isin(table.columns["label"][numbers], real)
            if not table.columns["weight"][numbers][own].any():
                raise InputError(
                    f"{table.folder}: no objects of class {' or '.join(self.objective.real_classes)} with weight in "
                    f"split '{split}', and the targets of all others were drawn; build the data set from more of them, "
                    "or change the split."
                )
        for target in self.objective.target_names:
            values = table.columns[TARGET_PREFIX + target][numbers]
            wrong = numbers[~np.isfinite(values)]
            if len(wrong):
                raise InputError(
                    f"{table.folder}: target {target} of {len(wrong)} of {len(numbers)} objects of split '{split}' is "
                    f"not finite, first {in_words(table, wrong[0])} ({table.columns[TARGET_PREFIX + target][wrong[0]]})"
                    "; change the task's truth or cuts so that every object has it, and build the data set again."
                )
            if values.min() == values.max():
                raise InputError(
                    f"{table.folder}: target {target} is {values[0]:g} for all {len(numbers)} objects of split "
                    f"'{split}', first {in_words(table, numbers[0])}; build the data set from samples in which it "
                    "varies."
                )

    def loss(self, output: Tensor, batch: JetBatch) -> tuple[Tensor, Tensor]:
        self._scale, self._weights = self._scale.to(output.device), self._weights.to(output.device)
        of_each = self._function((output - batch.target) / self._scale)
        loss = (self._weights * of_each).sum(dim=1).unsqueeze(0)
        return loss, loss

    def record(self, output: Tensor, batch: JetBatch) -> Tensor:
        """The absolute error of each target, in its unit; NaN for objects whose target was drawn."""
        errors = (output.detach().float() - batch.target).abs()
        if self.objective.drawn:
            real = torch.tensor([name in self.objective.real_classes for name in self.objective.classes])
            errors = errors.masked_fill(~real.to(batch.label.device)[batch.label].unsqueeze(1), math.nan)
        return errors.T

    def figures(self, records: Floats, weight: Floats) -> dict[str, float]:
        """``mae``: weighted mean absolute error of the first target in its unit; ``mae_NAME``: of each further one.

        Objects whose target was drawn do not count.
        """
        if self.objective.drawn:
            real = ~np.isnan(records[0])
            records, weight = records[:, real], weight[:, real]
        names = ["mae", *(f"mae_{name}" for name in self.objective.target_names[1:])]
        return {name: weighted_mean(errors, weight[0]) for name, errors in zip(names, records, strict=True)}


def loss_function(objective: Regression) -> Callable[[Tensor], Tensor]:
    """The loss as a function of differences in units of the scale, element by element."""

    def huber(x: Tensor) -> Tensor:
        return F.huber_loss(x, torch.zeros_like(x), reduction="none", delta=objective.delta)

    functions: dict[Loss, Callable[[Tensor], Tensor]] = {
        "mae": torch.abs,
        "mse": torch.square,
        "huber": huber,
        "log_cosh": log_cosh,
    }
    return functions[objective.loss]


def log_cosh(x: Tensor) -> Tensor:
    """ln cosh x = |x| + ln(1 + e^(−2|x|)) − ln 2, which does not overflow; its derivative is tanh x."""
    size = x.abs()
    return size + F.softplus(-2.0 * size) - math.log(2.0)
