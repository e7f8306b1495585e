"""What goes wrong outside the program, in one sentence: memory, disk, other processes."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from e2egraph.errors import InputError, UsageError
from e2egraph.transient import NO_MEMORY

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_PEER = ("connection closed by peer", "connection reset", "connection refused", "gloo", "nccl", "process group")

GO_ON = (
    "raise training.accumulate (the same steps in less memory, but for statistics of batches) or, for validation, "
    "lower data.evaluation_batch_size, and give the command again: it goes on from the last checkpoint"
)

# torch's words for a parameter that one process's loss does not depend on (torch.nn.parallel.DistributedDataParallel).
_NO_GRADIENT = "expected to have finished reduction"

PEER_STOPPED = (
    "another process of this training stopped; see what it says (nothing, if it was killed), then give the same "
    "command again: it goes on from the last checkpoint."
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that memory is full: Python's, a device's, or that of torch's allocator on the CPU."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in NO_MEMORY)


@contextmanager
def explained(output: Path) -> Iterator[None]:
    """Turn failures of memory, disk and other processes in the block into an InputError that says what to do, and
    parameters without gradient in several processes into a UsageError."""
    try:
        yield
    except MemoryError as error:
        raise InputError(
            f"out of memory on the machine; lower data.prefetch_batches, {GO_ON}; lower data.pool_jets or "
            "training.batch_size with --restart if that is not enough."
        ) from error
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise InputError(
            f"{error.filename or output}: cannot be written ({error.strerror}); the last checkpoint is kept, so make "
            "room and give the same command again."
        ) from error
    except RuntimeError as error:
        message = str(error).lower()
        if is_out_of_memory(error):
            raise InputError(
                f"out of memory on the device; {GO_ON}; lower data.nodes.cap or training.batch_size with --restart if "
                "that is not enough."
            ) from error
        if _NO_GRADIENT in message:
            raise UsageError(
                "the network has parameters that its output does not depend on, of which several processes cannot take "
                "the mean; leave them out (of resnet15: options.unused_shortcuts=false), or train with "
                "training.devices=1."
            ) from error
        if torch.distributed.is_initialized() and any(words in message for words in _NO_PEER):
            raise InputError(PEER_STOPPED) from error
        raise
