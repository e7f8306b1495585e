"""How long the gradient all-reduce of torch's DistributedDataParallel (DDP) takes, and how much of it nothing hides.

Annotations are evaluated in this file: DDP compares those of a communication hook with its own types.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter
from typing import Any

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook


@dataclass(frozen=True)
class Span:
    """The all-reduce of one bucket of gradients, in seconds on one clock: from the moment it is ready to its end.

    ``last``: of its backward pass; no gradient is left to be computed when it is ready.
    """

    start: float
    end: float
    last: bool


def busy_seconds(spans: Sequence[Span]) -> float:
    """Time in which at least one all-reduce was under way."""
    total, reached = 0.0, float("-inf")
    for span in sorted(spans, key=lambda span: span.start):
        total += max(0.0, span.end - max(span.start, reached))
        reached = max(reached, span.end)
    return total


def exposed_seconds(spans: Sequence[Span]) -> float:
    """Time from each backward pass's last gradient to the end of its all-reduces: what the pass hides none of.

    ``spans``: whole backward passes, buckets in the order in which they became ready.
    """
    ends = [-1, *(place for place, span in enumerate(spans) if span.last)]
    return sum(
        max(span.end for span in spans[before + 1 : last + 1]) - spans[last].start for before, last in pairwise(ends)
    )


class AllReduceTimer:
    """Times DDP's all-reduce through a communication hook that averages gradients as DDP does without one.

    Times are the CPU's clock, or a GPU's events, so that nothing waits for it; they hold the wait for slower processes.
    """

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._stamps: list[tuple[Any, list[Any], bool]] = []

    def watch(self, fabric: Fabric) -> None:
        """Time the gradients of every network that ``fabric`` sets up from now on; nothing in a lone process."""
        if fabric.world_size == 1:
            return
        wrap = fabric.strategy.setup_module

        def setup_module(module: torch.nn.Module) -> torch.nn.Module:
            wrapped: torch.nn.Module = wrap(module)
            wrapped.register_comm_hook(None, self.hook)  # type: ignore[operator]
            return wrapped

        fabric.strategy.setup_module = setup_module

    def hook(self, state: object, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
        """What DDP calls for each bucket whose gradients are ready."""
        end: list[Any] = []
        self._stamps.append((self._now(), end, bucket.is_last()))

        def finished(future: torch.futures.Future[torch.Tensor]) -> torch.Tensor:
            end.append(self._now())
            return future.value()

        return allreduce_hook(None, bucket).then(finished)  # type: ignore[arg-type]

    def reset(self) -> None:
        """Forget what was timed; between steps only."""
        self._stamps.clear()

    def spans(self) -> list[Span]:
        """What was timed since the last ``reset``; on a GPU once it is synchronised."""
        if not self._stamps:
            return []
        zero = self._stamps[0][0]
        return [
            Span(self._between(zero, start), self._between(zero, end[0]), last) for start, end, last in self._stamps
        ]

    def _now(self) -> Any:
        if not self._cuda:
            return perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _between(self, start: Any, end: Any) -> float:
        return start.elapsed_time(end) / 1e3 if self._cuda else end - start
