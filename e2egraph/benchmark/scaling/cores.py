"""How much of the machine a measurement may use: one core, or a number of torch's threads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch


@contextmanager
def one_core() -> Iterator[None]:
    """This process and its threads on one core, torch included."""
    cores = os.sched_getaffinity(0)
    mine = {min(cores)}
    _bind_threads(mine)
    try:
        with torch_threads(1):
            yield
    finally:
        _bind_threads(cores)


@contextmanager
def torch_threads(number: int | None) -> Iterator[int]:
    """torch with this many threads (None: as it is); yields how many."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def _bind_threads(cores: set[int]) -> None:
    """Every thread of this process onto these cores; one that ends meanwhile (a loader's, say) needs none."""
    for thread in _threads():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(thread, cores)


def _threads() -> list[int]:
    return [int(entry.name) for entry in Path("/proc/self/task").iterdir()]
