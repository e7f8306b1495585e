"""Which part of the jets a process of a training, an evaluation or a prediction works on."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import UsageError


@dataclass(frozen=True)
class Share:
    """Process ``rank`` (from 0) of ``world``."""

    rank: int
    world: int

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world:
            raise ValueError(f"no process {self.rank} among {self.world}")

    def of(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Every ``world``-th of ``numbers``: shares of one array differ by one jet at most and join to the whole.

        Jets of a batch are sorted by size, so all processes get jets of all its sizes.
        """
        return numbers[self.rank :: self.world]

    def bounds(self, total: int) -> tuple[int, int]:
        """First and past-the-last of this process's unbroken stretch of ``total`` jets; stretches differ by one."""
        return total * self.rank // self.world, total * (self.rank + 1) // self.world


ALONE = Share(0, 1)


def current_share() -> Share:
    """This process's place in torch's process group, ``ALONE`` where there is none."""
    distributed = getattr(sys.modules.get("torch"), "distributed", None)
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return ALONE
    return Share(distributed.get_rank(), distributed.get_world_size())


def environment_share() -> Share:
    """This process's place as ``RANK`` and ``WORLD_SIZE`` (set by torchrun, or by hand) say; ``ALONE`` without them.

    UsageError when they make no sense.
    """
    rank, world = os.environ.get("RANK"), os.environ.get("WORLD_SIZE")
    if rank is None and world is None:
        return ALONE
    try:
        return Share(int(rank or ""), int(world or ""))
    except ValueError as error:
        raise UsageError(
            f"environment variables RANK={rank or ''} and WORLD_SIZE={world or ''}: set RANK to 0 … WORLD_SIZE - 1, "
            "or neither."
        ) from error
