"""The Lightning module: one network, weighted cross entropy, the recipe's optimiser."""

from __future__ import annotations

from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from e2egraph.data.batch import JetBatch
from e2egraph.errors import InputError
from e2egraph.training.augmentation import reflect
from e2egraph.training.epoch_metrics import EpochMetrics, EpochScores
from e2egraph.training.recipe import TrainingOptions

# Where a checkpoint's state dictionary keeps the network's weights.
NETWORK_PREFIX = "network."

MONITORED = "validation_auc"

_OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}


class TaggingModule(lightning.LightningModule):
    """Trains ``network`` to tell classes apart.

    ``signal``: label of the signal class, for the AUC. ``class_weights`` [C] multiply the jets' own weights; they carry
    the normalisation that makes the mean weight of a training jet 1, so that the learning rate means the same for
    every data set. After each validation ``train_metrics`` and ``validation_metrics`` hold the epoch's figures; those
    of training are gathered while the weights change.
    """

    def __init__(
        self, network: nn.Module, options: TrainingOptions, *, signal: int, class_weights: Tensor, seed: int
    ) -> None:
        super().__init__()
        self.network = network
        self.options = options
        self.seed = seed
        self.register_buffer("class_weights", class_weights.float(), persistent=False)
        self._train_scores, self._validation_scores = EpochScores(signal), EpochScores(signal)
        self.train_metrics: EpochMetrics | None = None
        self.validation_metrics: EpochMetrics | None = None

    def training_step(self, batch: JetBatch, batch_idx: int) -> Tensor:
        if self.options.reflect_eta or self.options.reflect_phi:
            # A function of (seed, step) alone: the same whenever and wherever the step is made.
            generator = torch.Generator().manual_seed(self.seed * 2**32 + self.global_step)
            batch = reflect(batch, self.options.reflect_eta, self.options.reflect_phi, generator)
        loss, weight = self._step(batch, self._train_scores)
        return (weight * loss).mean()

    def validation_step(self, batch: JetBatch, batch_idx: int) -> None:
        self._step(batch, self._validation_scores)

    def on_validation_epoch_end(self) -> None:
        self.train_metrics = self._train_scores.finish()
        self.validation_metrics = self._validation_scores.finish()
        for name, loss in (("training", self.train_metrics.loss), ("validation", self.validation_metrics.loss)):
            if loss != loss or abs(loss) == float("inf"):
                raise InputError(
                    f"training diverged: the {name} loss is not finite after epoch {self.current_epoch + 1}; "
                    "lower training.learning_rate or set training.gradient_clip."
                )
        self.log(MONITORED, self.validation_metrics.auc)

    def configure_optimizers(self) -> dict[str, Any]:
        options = self.options
        optimizer = _OPTIMIZERS[options.optimizer](
            self.network.parameters(),
            lr=options.learning_rate,
            weight_decay=options.weight_decay,
        )  # type: ignore[call-arg]
        schedule: torch.optim.lr_scheduler.LRScheduler
        if options.schedule == "step":
            schedule = torch.optim.lr_scheduler.StepLR(optimizer, options.step_epochs, options.step_factor)
        elif options.schedule == "cosine":
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs)
        else:
            schedule = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "epoch"}}

    def _step(self, batch: JetBatch, scores: EpochScores) -> tuple[Tensor, Tensor]:
        """Loss and weight of each jet, [B]; the batch joins ``scores``."""
        logits = self.network(*batch.inputs).float()
        loss = F.cross_entropy(logits, batch.label, reduction="none")
        weight = batch.weight * self.class_weights[batch.label]
        scores.add(logits, batch.label, weight, loss)
        return loss, weight
