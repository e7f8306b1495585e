"""Loss and ROC AUC of an epoch, gathered on the device and read once at its end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class EpochMetrics:
    """``loss``: Σ w·ℓ / Σ w; ``auc``: area under the weighted ROC curve of signal against all other classes."""

    loss: float
    auc: float


class EpochScores:
    """Collects the batches of an epoch without waiting for the device."""

    def __init__(self, signal: int) -> None:
        self._signal = signal
        self._batches: list[Tensor] = []

    def add(self, logits: Tensor, label: Tensor, weight: Tensor, loss: Tensor) -> None:
        """``logits`` [B, C]; ``label``, ``weight`` and the unweighted ``loss`` of each jet [B]."""
        score = logits.detach().float().softmax(dim=1)[:, self._signal]
        self._batches.append(
            torch.stack([score, (label == self._signal).float(), weight.float(), loss.detach().float()])
        )

    def finish(self) -> EpochMetrics:
        """The metrics of what was added since the last call; NaN where a score is not finite or a class is absent."""
        from sklearn.metrics import roc_auc_score

        score, is_signal, weight, loss = torch.cat(self._batches, dim=1).double().cpu().numpy()
        self._batches.clear()
        defined = np.isfinite(score).all() and 0 < is_signal.sum() < len(is_signal)
        auc = float(roc_auc_score(is_signal, score, sample_weight=weight)) if defined else float("nan")
        return EpochMetrics(loss=float((weight * loss).sum() / weight.sum()), auc=auc)
