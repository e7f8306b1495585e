"""What goes wrong outside the program, in one sentence: memory, disk, other processes."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from e2egraph.errors import InputError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "bad_alloc", "alloc_failed")
_NO_PEER = ("connection closed by peer", "connection reset", "connection refused", "gloo", "nccl", "process group")

LESS_MEMORY = (
    "raise training.accumulate (the same steps in less memory), or lower data.max_nodes, training.batch_size or, for "
    "validation, data.evaluation_batch_size"
)


@contextmanager
def explained(output: Path) -> Iterator[None]:
    """Turn failures of memory, disk and other processes in the block into an InputError that names the mend."""
    try:
        yield
    except MemoryError as error:
        raise InputError(f"out of memory on the machine; lower data.pool_jets, or {LESS_MEMORY}.") from error
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise InputError(
            f"{error.filename or output}: cannot be written ({error.strerror}); the last checkpoint is kept, so make "
            "room and give the same command again."
        ) from error
    except RuntimeError as error:
        message = str(error).lower()
        if isinstance(error, torch.OutOfMemoryError) or any(words in message for words in _NO_MEMORY):
            raise InputError(f"out of memory on the device; {LESS_MEMORY}.") from error
        if torch.distributed.is_initialized() and any(words in message for words in _NO_PEER):
            raise InputError(
                "another process of this training stopped; see what it says, then give the same command again: it goes "
                "on from the last checkpoint."
            ) from error
        raise
