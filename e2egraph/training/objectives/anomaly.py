"""Learning one class: the error that the network makes in reproducing its objects, and no others."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.table import JetTable
from e2egraph.errors import InputError
from e2egraph.tasks.objectives.anomaly import Anomaly
from e2egraph.training.objectives.learning import Floats, Integers, Learning, class_factors, weighted_mean

# Label of the class that is learnt.
LEARNT = 0


class AnomalyLearning(Learning[Anomaly]):
    """The loss is e of ``Anomaly``.

    The network is trained with objects of the learnt class alone: others would move its running means, too. In the
    validation split, where they are, they have no weight.
    """

    learnt_labels = (LEARNT,)

    @property
    def record_size(self) -> int:
        return 2

    def check(self, table: JetTable, numbers: Integers, split: str) -> None:
        """Objects of the learnt class, with weight, in the split."""
        learnt = table.columns["label"][numbers] == LEARNT
        if not table.columns["weight"][numbers][learnt].any():
            name = self.objective.class_names[LEARNT]
            raise InputError(
                f"{table.folder}: no objects of class '{name}', which is to be learnt, with weight in split '{split}'; "
                "build the data set from more of them, or change the split."
            )

    def class_weights(self, label: Integers, weight: NDArray) -> Tensor:
        """The mean weight of an object of the learnt class is 1, that of all others 0."""
        learnt = label == LEARNT
        factors = np.zeros(len(self.objective.class_names))
        factors[LEARNT] = class_factors(label[learnt], weight[learnt], len(factors), self.options)[LEARNT]
        return torch.from_numpy(factors).unsqueeze(0)

    def loss(self, output: Tensor, batch: JetBatch) -> tuple[Tensor, Tensor]:
        error = self._error(output).unsqueeze(0)
        return error, error

    def record(self, output: Tensor, batch: JetBatch) -> Tensor:
        """The error, and whether the object is of the learnt class."""
        return torch.stack([self._error(output.detach().float()), (batch.label == LEARNT).float()])

    def figures(self, records: Floats, weight: Floats) -> dict[str, float]:
        """``error``: weighted mean over the learnt class."""
        error, learnt = records
        members = learnt > 0
        return {"error": weighted_mean(error[members], weight[0][members])}

    def _error(self, output: Tensor) -> Tensor:
        return (output[:, 1] - output[:, LEARNT]).exp()
