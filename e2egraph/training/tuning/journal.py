"""Where a study is kept: an Optuna journal file (safe on shared file systems) or a relational database."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from e2egraph.errors import InputError

JOURNAL = "study.journal"


def open_storage(location: str) -> BaseStorage:
    """A journal at path ``location``, or the database at URL ``location`` (anything with ``://``).

    InputError, without the URL's password: no such database, no driver for it, or a damaged journal.
    """
    if "://" not in location:
        path = Path(location)
        try:
            mend(path)
            return JournalStorage(JournalFileBackend(str(path)))
        except (ValueError, KeyError) as error:
            raise InputError(f"{path}: damaged journal ({error}); remove the file to begin a new search.") from error
    shown = re.sub(r"://[^@/]*@", "://…@", location)
    try:
        return RDBStorage(location)
    except Exception as error:  # SQLAlchemy's, the driver's, or an import that fails: as many as there are databases
        raise InputError(f"--storage {shown}: cannot be opened ({type(error).__name__}); mend the URL.") from error


def mend(path: Path) -> None:
    """Cut off a last line that a killed process left half written; it was never acknowledged to anybody."""
    if not path.is_file():
        return
    with locked(path):
        size = path.stat().st_size
        if not size:
            return
        with path.open("r+b") as stream:
            content = stream.read()
            if not content.endswith(b"\n"):
                stream.truncate(content.rfind(b"\n") + 1)
                os.fsync(stream.fileno())


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold ``path.lock`` across processes and machines (a symbolic link: atomic on NFS too); ``path`` must exist.

    The lock of a process that died holding it is broken by Optuna after 30 seconds.
    """
    lock = JournalFileSymlinkLock(str(path.absolute()))
    lock.acquire()
    try:
        yield
    finally:
        with suppress(RuntimeError):  # it took so long that another broke it
            lock.release()


def quiet() -> None:
    """Optuna tells of every trial by itself; we do."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
