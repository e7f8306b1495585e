"""Objects by falling score, for many weightings of them at once, such as those of bootstrap resamples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Sums of the same weights in another order may differ by rounding.
ROUNDING = 1.0 + 1e-12


@dataclass(frozen=True)
class Ranked:
    """Objects by falling score: ``order`` [J] puts them so, ``falling`` [J] are their scores, ``ends`` [steps] the
    place of the last one of each score: those of equal score are one step, which no cut parts."""

    order: NDArray[np.int64]
    falling: NDArray
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, score: NDArray) -> Ranked:
        order = np.argsort(-np.asarray(score, np.float64), kind="stable")
        falling = np.asarray(score)[order]
        return cls(order, falling, np.flatnonzero(np.append(falling[1:] != falling[:-1], True)))

    def curves(self, is_signal: NDArray[np.bool_], weights: Floats) -> tuple[Floats, Floats]:
        """Mistag and signal efficiency, [R, steps + 1] each, of the objects with each of R rows of ``weights`` [R, J],
        in the order of ``is_signal`` [J]: from (0, 0), a point for every score, as in ``RocCurve``."""
        background = weights[:, self.order]
        signal = background * is_signal[self.order]
        background -= signal
        return self._efficiency(background), self._efficiency(signal)

    def _efficiency(self, weights: Floats) -> Floats:
        """Share of the weights up to each step, beginning with 0, [R, steps + 1]."""
        begins = np.append(0, self.ends[:-1] + 1)
        efficiency = np.zeros((len(weights), len(begins) + 1))
        np.cumsum(np.add.reduceat(weights, begins, axis=1), axis=1, out=efficiency[:, 1:])
        total = efficiency[:, -1:].copy()
        # A resample can draw weightless jets only; such a row says nothing and its efficiency stays 0.
        np.divide(efficiency, total, out=efficiency, where=total > 0)
        return efficiency

    def passing(self, drawn: Floats, efficiency: float) -> NDArray[np.int64]:
        """How many of them, from the highest score, pass the cut of each resample, [R], as ``cut_at`` makes it.

        ``drawn`` [R, J]: their weights, in this order, times how often each was drawn; those never drawn are not there
        to be cut at.
        """
        passed = np.cumsum(drawn, axis=1)
        limit = efficiency * passed[:, -1] * ROUNDING
        if len(self.ends) < len(self.falling):
            passed = passed[:, self.ends]
        allowed = (passed <= limit[:, None]).sum(axis=1)
        reached = passed[np.arange(len(passed)), allowed - 1]
        # The first step that reaches as much is the last one of which anything was drawn.
        last_drawn = (passed < reached[:, None]).sum(axis=1)
        last = self.ends[np.where(allowed > 0, last_drawn, 0)]
        return np.where((allowed > 0) & (reached > 0), last + 1, 0)
