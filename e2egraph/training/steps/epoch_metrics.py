"""Loss and figures of an epoch, gathered on the device and read once at its end."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.loading.gather import of_all_processes
from e2egraph.training.objectives.learning import Learning, weighted_mean

LOSS = "loss"


class EpochScores:
    """Collects the batches of an epoch, without waiting for the device; each process those that it works on."""

    def __init__(self, learning: Learning[Any]) -> None:
        self._learning = learning
        self._batches: list[Tensor] = []

    def add(self, output: Tensor, batch: JetBatch, weight: Tensor, loss: Tensor) -> None:
        """``output`` [B, C] of the network; ``weight`` and the unweighted plain ``loss`` of each object, [H, B]."""
        record = self._learning.record(output, batch)
        self._batches.append(torch.cat([weight.float(), loss.detach().float(), record]))

    def state_dict(self) -> dict[str, Tensor]:
        """What was added since the last ``finish``, [2 H + D, J]; empty when nothing was."""
        # Those of a resumed epoch came from its checkpoint and are on the CPU, the others may be on a GPU.
        return {"jets": torch.cat([batch.cpu() for batch in self._batches], dim=1)} if self._batches else {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from what ``state_dict`` returned."""
        self._batches = [state["jets"]] if "jets" in state else []

    def finish(self) -> dict[str, float]:
        """Name → figure of what all processes added since the last call, ``loss`` (Σ w·ℓ / Σ w, summed over the losses)
        before the objective's own. All processes must call, also one that added nothing; each gets the same.
        """
        H = self._learning.losses
        device = self._batches[-1].device if self._batches else torch.device("cpu")
        own = [batch.to(device) for batch in self._batches] or [torch.empty(2 * H + self._learning.record_size, 0)]
        self._batches.clear()
        joined = of_all_processes(torch.cat(own, dim=1)).double().cpu().numpy()
        weight, loss, records = joined[:H], joined[H : 2 * H], joined[2 * H :]
        total = sum(weighted_mean(losses, weights) for losses, weights in zip(loss, weight, strict=True))
        return {LOSS: total, **self._learning.figures(records, weight)}
