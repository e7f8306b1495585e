"""Transient failures: memory that is full, a disk or server that does not answer, too many open files.

They say nothing about the file that was being read, and pass; so no work is undone and no file left out for them.
"""

from __future__ import annotations

import errno
import math
import os
import re
from collections.abc import Iterator

from e2egraph.errors import UnfinishedError

# What the system says of a name or of bytes that are not what they should be; all other errors may pass.
_OF_THE_FILE = frozenset(
    {
        *(errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP),
        *(errno.ENXIO, errno.ENODEV, errno.ESPIPE, errno.EBADF, errno.EINVAL, errno.EOVERFLOW, errno.EEXIST),
    }
)
_TOO_MANY_FILES = (errno.EMFILE, errno.ENFILE)
# Answers of a server that may be another one next time; those from 500 on too.
_HTTP_TRANSIENT = (408, 425, 429)
# XRootD's Python client says all in the text: [ERROR] and [FATAL], unless the server answers that there is no such
# file (3011), that it may not be read (3010) or that it is a folder (3016).
_XROOTD, _XROOTD_ANSWERED = re.compile(r"\[(ERROR|FATAL)\]"), re.compile(r"\[30(10|11|16)\]")
# Of RuntimeErrors: of C++, of torch and its devices, and of Python where memory for a thread's stack is lacking.
NO_MEMORY = (
    *("out of memory", "not enough memory", "can't allocate memory", "bad_alloc", "alloc_failed"),
    "can't start new thread",
)
_MALLOC = re.compile(r"malloc of size (\d+) failed")


def unfinished(what: str, error: BaseException) -> UnfinishedError | None:
    """What to tell when ``error`` is transient, or comes from an error that is; None for any other.

    ``what``: the file or work that it hit.
    """
    for cause in causes(error):
        if _is_memory(cause):
            return memory_full(what, cause)
        if (reason := _reason(cause)) is not None:
            advice = "nothing says that the file is bad"
            if isinstance(cause, OSError) and cause.errno in _TOO_MANY_FILES:
                advice += ", so raise the limit (ulimit -n) or use fewer processes"
            return UnfinishedError(
                f"{what}: cannot be read now ({reason}); {advice}: run the same command again, it goes on from what is "
                "finished."
            )
    return None


def memory_full(what: str, error: BaseException) -> UnfinishedError:
    """What to tell when memory is full."""
    said = " ".join(str(error).split())[:120] or type(error).__name__
    return UnfinishedError(
        f"{what}: memory is full ({said}); end other programs or use fewer processes, and run the same command again: "
        "it goes on from what is finished."
    )


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error, what it was raised from, and so on: libraries wrap what the system says."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def http_status(error: BaseException) -> int:
    """The status with which a server refused, 0 where it is no such error."""
    for name in ("status", "code"):
        if isinstance(status := getattr(error, name, None), int):
            return status
    return 0


def _is_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        # Damaged bytes can ask for more than there is in the machine.
        return _asked(error) <= _memory()
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in NO_MEMORY)


def _asked(error: MemoryError) -> int:
    """Bytes that were not to be had, 0 where the error does not say."""
    if hasattr(error, "shape") and hasattr(error, "dtype"):
        return int(error.dtype.itemsize) * math.prod(error.shape)
    found = _MALLOC.search(str(error))
    return int(found[1]) if found else 0


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _reason(error: BaseException) -> str | None:
    """The words of the system or server for an error that is transient."""
    said = " ".join(str(error).split())[:120]
    status = http_status(error)
    if status >= 500 or status in _HTTP_TRANSIENT:
        message = getattr(error, "message", None) or getattr(error, "reason", None) or ""
        return f"HTTP {status} {message}".strip()
    if isinstance(error, OSError):
        if error.errno is not None:
            return None if error.errno in _OF_THE_FILE else error.strerror or os.strerror(error.errno)
        if isinstance(error, TimeoutError | ConnectionError):
            return f"{type(error).__name__}: {said}" if said else "timed out"
        return said if _XROOTD.search(said) and not _XROOTD_ANSWERED.search(said) else None
    broken = {"ClientConnectionError", "ClientPayloadError"}  # of aiohttp, which is there with URLs alone
    if broken & {kind.__name__ for kind in type(error).__mro__}:
        return f"{type(error).__name__}: {said}"
    return None
