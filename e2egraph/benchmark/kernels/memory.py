"""Memory of a piece of torch work: the peak of what it allocates, and what autograd keeps for the backward pass."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable
from itertools import accumulate

import torch
from torch import Tensor


def peak_bytes(work: Callable[[], object], device: str = "cpu") -> int:
    """Largest number of bytes that torch holds during ``work`` beyond those held before, of which it frees none.

    On a CPU from the allocation events of torch's profiler (buffers inside operators included, exact and the same in
    every run, unlike the process's resident size); on a GPU from the caching allocator's own peak.
    """
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler announces itself on standard error otherwise
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        result = work()
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    del result
    changes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return max(accumulate(changes, initial=0))


def kept_bytes(forward: Callable[[], Tensor], held: Iterable[Tensor]) -> int:
    """Bytes that autograd keeps after ``forward`` for its backward pass: shared storage once, that of ``held`` not.

    ``held`` are tensors that are there in any case, such as parameters and inputs.
    """
    own = {tensor.untyped_storage().data_ptr() for tensor in held}
    kept: list[weakref.ref[Tensor]] = []

    def keep(tensor: Tensor) -> Tensor:
        # Detached: a result kept by its own node would be a cycle, and never freed.
        tensor = tensor.detach()
        kept.append(weakref.ref(tensor))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = forward()
    # What belongs to parts of the graph that the result does not need is gone by now.
    storages = [tensor.untyped_storage() for tensor in (reference() for reference in kept) if tensor is not None]
    del result
    return sum({s.data_ptr(): s.nbytes() for s in storages if s.data_ptr() not in own}.values())
