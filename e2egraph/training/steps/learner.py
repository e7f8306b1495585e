"""A network that learns: one optimiser step, one batch scored, and the state of both."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from e2egraph.data.loading.batch import AnyBatch, JetBatch
from e2egraph.errors import InputError
from e2egraph.tasks.inputs import Inputs
from e2egraph.training.objectives.learning import Learning
from e2egraph.training.parts import joined, split_batch
from e2egraph.training.recipe import TrainingOptions
from e2egraph.training.steps.augmentation import reflect, reflection_signs, rotate, rotation_towers
from e2egraph.training.steps.ema import WeightAverage
from e2egraph.training.steps.epoch_metrics import EpochScores
from e2egraph.training.steps.optimizer import make_optimizer

# What torch says where a batch norm cannot tell a spread.
_ONE_IN_A_NORM = "more than 1 value per channel"


@dataclass(frozen=True)
class StepResult:
    """``loss`` [B]: what was minimised, of each jet of this process's share; ``norm``: the gradient's before clipping.

    ``norm`` is None with float16, where a scaled gradient that overflows is nothing unusual.
    """

    loss: Tensor
    norm: Tensor | None


class Learner:
    """``network``, its optimiser and, with ``ema_decay``, its averaged weights, on the device of ``fabric``.

    ``learning``: how its objective is learnt; ``class_weights`` [H, C], of each loss, multiply the jets' own weights.
    ``inputs``: what the network reads.
    """

    def __init__(
        self,
        fabric: Fabric,
        network: nn.Module,
        options: TrainingOptions,
        *,
        learning: Learning[Any],
        class_weights: Tensor,
        inputs: Inputs,
        seed: int,
    ) -> None:
        self.network = network
        self._fabric, self._options, self._seed = fabric, options, seed
        self._learning, self._inputs = learning, inputs
        compiled = torch.compile(network, dynamic=True) if options.compile else network
        self._model, self._optimizer = fabric.setup(compiled, make_optimizer(network, options))
        self._average = None if options.ema_decay is None else WeightAverage(network, options.ema_decay)
        self._class_weights = class_weights.float().to(fabric.device)

    @property
    def result(self) -> nn.Module:
        """The network to validate, keep and export: of averaged weights, where they are asked for."""
        return self.network if self._average is None else self._average.network

    def step(self, batch: AnyBatch, rate: float, epoch: int, scores: EpochScores) -> StepResult:
        """One optimiser step at learning rate ``rate`` on this process's share of ``batch.global_size`` jets.

        The gradient is that of the mean of w·ℓ, summed over the losses, over all processes' jets. The jets join
        ``scores``.
        """
        options, world = self._options, self._fabric.world_size
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        # As many parts in every process; processes' shares differ by one jet at most.
        parts = split_batch(self._prepared(batch, epoch), min(options.accumulate, max(1, batch.global_size // world)))
        self._optimizer.zero_grad()
        losses = []
        for number, part in enumerate(parts):
            apart = world > 1 and number < len(parts) - 1
            with self._fabric.no_backward_sync(self._model) if apart else nullcontext():
                try:
                    output = self._model(*part.inputs).float()
                except ValueError as error:
                    if len(part) > 1 or _ONE_IN_A_NORM not in str(error):
                        raise
                    raise InputError(self._one_jet(batch.global_size, len(parts))) from error
                minimised, loss = self._learning.loss(output, part)
                weight = part.weight * self._class_weights[:, part.label]
                # Gradients are averaged over the processes.
                self._fabric.backward((weight * minimised).sum() * (world / batch.global_size))
            scores.add(output, part, weight, loss)
            losses.append(minimised.detach().sum(dim=0))
        norm = self._clip()
        self._optimizer.step()
        if self._average is not None:
            self._average.update()
        return StepResult(joined(losses), norm)

    @torch.no_grad()
    def score(self, batch: AnyBatch, scores: EpochScores) -> Tensor:
        """Add a batch to ``scores``, as ``result`` (in evaluation mode) sees it; the loss of each jet [B]."""
        moved = batch.to(self._fabric.device, non_blocking=True)
        with self._fabric.autocast():
            output = self.result(*moved.inputs).float()
        _, loss = self._learning.loss(output, moved)
        scores.add(output, moved, moved.weight * self._class_weights[:, moved.label], loss)
        return loss.sum(dim=0)

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values: all that the next step depends on, but the random number generators."""
        average = None
        if self._average is not None:
            average = {"weights": self._average.network.state_dict(), "updates": self._average.updates}
        return {
            "weights": self.network.state_dict(),
            "optimizer": self._optimizer.optimizer.state_dict(),
            "precision": self._fabric.strategy.precision.state_dict(),
            "average": average,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what ``state_dict`` returned; RuntimeError, KeyError or ValueError when it does not fit."""
        self.network.load_state_dict(state["weights"])
        self._optimizer.optimizer.load_state_dict(state["optimizer"])
        self._fabric.strategy.precision.load_state_dict(state["precision"])
        if self._average is not None:
            self._average.network.load_state_dict(state["average"]["weights"])
            self._average.updates = state["average"]["updates"]

    def _prepared(self, batch: AnyBatch, epoch: int) -> JetBatch:
        """The batch on the device, turned and mirrored where the recipe asks for it."""
        eta, phi = self._options.reflect_eta, self._options.reflect_phi
        moved = batch.to(self._fabric.device, non_blocking=True)
        if self._options.rotate_phi:
            moved = rotate(moved, rotation_towers(batch.number.numpy(), self._seed, epoch))
        if not (eta or phi):
            return moved
        signs, one = reflection_signs(batch.number.numpy(), self._seed, epoch), torch.ones(len(batch))
        targets = self._learning.objective.target_names
        return reflect(moved, self._inputs, signs[0] if eta else one, signs[1] if phi else one, targets)

    def _one_jet(self, jets: int, parts: int) -> str:
        """What to do where one jet alone comes to a batch norm over jets, from a batch of ``jets`` in ``parts``."""
        if jets < self._options.batch_size:
            remedy = "leave the smaller last batch of an epoch out with --restart --set data.drop_remainder=true"
        elif parts > 1:
            remedy = "lower training.accumulate"
        else:
            remedy = "raise training.batch_size with --restart"
        return f"a network that normalises over objects (a batch norm) got one object alone to learn from; {remedy}."

    def _clip(self) -> Tensor | None:
        half = self._options.precision == "16-mixed"
        if self._options.gradient_clip is not None:
            norm = self._fabric.clip_gradients(
                self._model, self._optimizer, max_norm=self._options.gradient_clip, error_if_nonfinite=False
            )
            return None if half else norm
        if half:
            return None
        return torch.nn.utils.get_total_norm([p.grad for p in self.network.parameters() if p.grad is not None])
