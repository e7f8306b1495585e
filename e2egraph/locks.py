"""Locks on a file, so that two commands never work in one folder. The system frees them with their process.

Some file systems (network ones, mostly) have none: the work goes on there, and the user is told.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from e2egraph.errors import InputError

# NFS may say either.
_TAKEN = (errno.EAGAIN, errno.EACCES)


def lock(file: IO, folder: Path, work: str) -> str | None:
    """Lock ``file``, open for writing in ``folder``, until it is closed, for some ``work`` such as "training".

    A remark for the user where the file system has no locks, else None. InputError when another process holds it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            raise InputError(
                f"{folder}: another {work} is at work in it; wait for it or end it, or choose another --output."
            ) from error
        return f"the file system of {folder} has no locks; start no second {work} in this folder"
    return None


@contextmanager
def one_at_a_time(work: str) -> Iterator[None]:
    """Hold up other processes of this user and machine that would do the same ``work`` until this one has done it.

    They should look then whether it is left to do. Where no lock can be had, nobody waits.
    """
    name = f"e2egraph-{os.getuid()}-{hashlib.sha256(work.encode(errors='surrogateescape')).hexdigest()[:16]}.lock"
    path, descriptor = Path(tempfile.gettempdir()) / name, None
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if descriptor is not None:
            # Those that wait for it get it all the same, one after another.
            with suppress(OSError):
                path.unlink()
            os.close(descriptor)
