"""Training steps on real batches, timed: forward, backward, optimiser, and the wait for the loader."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch

from e2egraph.benchmark.settings import CPU, Setting
from e2egraph.data.loading.batch import AnyBatch
from e2egraph.data.loading.loader import AnyLoader
from e2egraph.training.objectives.learning import Learning

# The published recipe's (configs/recipes/published.yaml).
LEARNING_RATE = 5e-4


@dataclass(frozen=True)
class Steps:
    """``steps`` on ``jets`` took ``seconds``, ``waited`` of them for batches. ``first_batch_seconds`` came before."""

    steps: int
    jets: int
    seconds: float
    waited: float
    first_batch_seconds: float

    @property
    def jets_per_second(self) -> float:
        return self.jets / self.seconds

    @property
    def wait_share(self) -> float:
        return self.waited / self.seconds


def optimizer_of(model: Any) -> torch.optim.Optimizer:
    """The published recipe's Adam on all parameters."""
    return torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)


def time_steps(
    model: Any,
    optimizer: torch.optim.Optimizer,
    loader: AnyLoader,
    learning: Learning[Any],
    steps: int,
    setting: Setting = CPU,
) -> Steps:
    """Train on the loader's first batch untimed (it fills the first pool and warms up), then time ``steps`` more.

    Fewer when the epoch is shorter; ``loader`` has two batches at least, with the targets that ``learning`` reads.
    """
    model.train()
    start = time.perf_counter()
    batches: Iterator[AnyBatch] = iter(loader)
    batch = next(batches)
    first = time.perf_counter() - start
    _step(model, optimizer, batch, learning, setting)
    setting.synchronize()
    done = jets = 0
    waited, start = loader.wait_seconds, time.perf_counter()
    for batch in islice(batches, steps):
        _step(model, optimizer, batch, learning, setting)
        done, jets = done + 1, jets + len(batch)
    setting.synchronize()
    return Steps(done, jets, time.perf_counter() - start, loader.wait_seconds - waited, first)


def _step(
    model: Any, optimizer: torch.optim.Optimizer, batch: AnyBatch, learning: Learning[Any], setting: Setting
) -> None:
    moved = batch.to(setting.device, non_blocking=True)
    with setting.precision():
        output = model(*moved.inputs)
    minimised, _ = learning.loss(output.float(), moved)
    optimizer.zero_grad()
    minimised.sum(0).mean().backward()
    optimizer.step()
