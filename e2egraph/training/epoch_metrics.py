"""Loss and ROC AUC of an epoch, gathered on the device and read once at its end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from e2egraph.data.gather import of_all_processes


@dataclass(frozen=True)
class EpochMetrics:
    """``loss``: Σ w·ℓ / Σ w; ``auc``: area under the weighted ROC curve of signal against all other classes."""

    loss: float
    auc: float


class EpochScores:
    """Collects the batches of an epoch, without waiting for the device; each process those that it works on."""

    def __init__(self, signal: int) -> None:
        self._signal = signal
        self._batches: list[Tensor] = []

    def add(self, logits: Tensor, label: Tensor, weight: Tensor, loss: Tensor) -> None:
        """``logits`` [B, C]; ``label``, ``weight`` and the unweighted ``loss`` of each jet [B]."""
        score = logits.detach().float().softmax(dim=1)[:, self._signal]
        self._batches.append(
            torch.stack([score, (label == self._signal).float(), weight.float(), loss.detach().float()])
        )

    def state_dict(self) -> dict[str, Tensor]:
        """What was added since the last ``finish``, [4, J]; empty when nothing was."""
        return {"jets": torch.cat(self._batches, dim=1).cpu()} if self._batches else {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from what ``state_dict`` returned."""
        self._batches = [state["jets"]] if "jets" in state else []

    def finish(self) -> EpochMetrics:
        """The metrics of what all processes added since the last call; NaN where a score is not finite or a class is
        absent. All processes must call, also one that added nothing; each gets the same.
        """
        from sklearn.metrics import roc_auc_score

        device = self._batches[-1].device if self._batches else torch.device("cpu")
        own = [batch.to(device) for batch in self._batches] or [torch.empty(4, 0)]
        self._batches.clear()
        score, is_signal, weight, loss = of_all_processes(torch.cat(own, dim=1)).double().cpu().numpy()
        defined = np.isfinite(score).all() and 0 < is_signal.sum() < len(is_signal)
        auc = float(roc_auc_score(is_signal, score, sample_weight=weight)) if defined else float("nan")
        return EpochMetrics(loss=float((weight * loss).sum() / weight.sum()), auc=auc)
