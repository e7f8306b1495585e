"""An exponential moving average of a network's weights, which scores better than the weights of any one step."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn

from e2egraph.models.layers.standardize import RunningStandardize

# Running statistics belong to the weights they were measured with and are averaged like them; other buffers are copied.
_STATISTICS = (RunningStandardize, nn.modules.batchnorm._BatchNorm)


class WeightAverage:
    """Keeps ``network``, a copy whose weights follow those of the trained network: w̄ ← w̄ + (1 − d)(w − w̄).

    d = min(decay, (1 + t) / (10 + t)) at update t (from 0), so that the random first weights are soon forgotten
    (TensorFlow's ``tf.train.ExponentialMovingAverage`` with ``num_updates``). ``updates``: how many were made.
    """

    def __init__(self, source: nn.Module, decay: float) -> None:
        self.network = deepcopy(source).eval().requires_grad_(False)
        self.updates = 0
        self._decay = decay
        averaged = {
            f"{prefix}.{name}" if prefix else name
            for prefix, module in source.named_modules()
            if isinstance(module, _STATISTICS)
            for name, buffer in module.named_buffers(recurse=False)
            if buffer.is_floating_point()
        }
        self._source, self._averaged = source, averaged

    @torch.no_grad()
    def update(self) -> None:
        """Follow the trained network by one step."""
        share = 1.0 - min(self._decay, (1.0 + self.updates) / (10.0 + self.updates))
        for mean, value in zip(self.network.parameters(), self._source.parameters(), strict=True):
            mean.lerp_(value, share)
        # Looked up by name each time: a network may put another tensor in a buffer's place (Performer's directions).
        values = dict(self._source.named_buffers())
        for name, own in self.network.named_buffers():
            if name in self._averaged:
                own.lerp_(values[name].to(own.dtype), share)
            else:
                own.copy_(values[name])
        self.updates += 1
