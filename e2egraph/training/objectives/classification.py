"""Learning classes: cross-entropy, and the ROC AUC of signal against all other classes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.table import JetTable
from e2egraph.errors import InputError
from e2egraph.tasks.objectives.classification import Classification
from e2egraph.training.objectives.learning import Floats, Integers, Learning
from e2egraph.training.recipe import TrainingOptions


class ClassificationLearning(Learning[Classification]):
    """``training.label_smoothing`` smooths what is minimised; figures are of the plain cross-entropy."""

    smooths_labels = True

    def __init__(self, objective: Classification, options: TrainingOptions) -> None:
        super().__init__(objective, options)
        self.signal = objective.class_names.index(objective.signal)

    @property
    def record_size(self) -> int:
        return 2

    def check(self, table: JetTable, numbers: Integers, split: str) -> None:
        """Two classes at least, signal and background in the split, each with weight."""
        classes = self.objective.class_names
        if len(classes) < 2:
            raise InputError(f"{table.folder}: only class '{classes[0]}'; build the data set with two or more.")
        is_signal, weight = table.columns["label"][numbers] == self.signal, table.columns["weight"][numbers]
        for what, found in (("signal", is_signal), ("background", ~is_signal)):
            where = f"{what} {table.manifest.object_name.many} in split '{split}'"
            if not found.any():
                raise InputError(f"{table.folder}: no {where}; build it from more events, or change the split.")
            if not weight[found].any():
                raise InputError(f"{table.folder}: the weights of all {where} are zero; build it from others.")

    def loss(self, output: Tensor, batch: JetBatch) -> tuple[Tensor, Tensor]:
        plain = F.cross_entropy(output, batch.label, reduction="none")
        minimised, smoothing = plain, self.options.label_smoothing
        if smoothing:
            minimised = F.cross_entropy(output, batch.label, reduction="none", label_smoothing=smoothing)
        return minimised.unsqueeze(0), plain.unsqueeze(0)

    def record(self, output: Tensor, batch: JetBatch) -> Tensor:
        """The signal's probability, and whether the object is signal."""
        score = output.detach().float().softmax(dim=1)[:, self.signal]
        return torch.stack([score, (batch.label == self.signal).float()])

    def figures(self, records: Floats, weight: Floats) -> dict[str, float]:
        """``auc``: area under the weighted ROC curve; NaN where a score is not finite or a class is absent."""
        from sklearn.metrics import roc_auc_score

        score, is_signal = records
        defined = np.isfinite(score).all() and 0 < is_signal.sum() < len(is_signal)
        return {"auc": float(roc_auc_score(is_signal, score, sample_weight=weight[0])) if defined else float("nan")}
