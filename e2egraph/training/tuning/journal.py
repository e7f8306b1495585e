"""Where a study is kept: an Optuna journal file (safe on shared file systems) or a relational database."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from e2egraph.errors import InputError

JOURNAL = "study.journal"

_SECRET = re.compile("pass|pwd|secret|token", re.IGNORECASE)


def open_storage(location: str) -> BaseStorage:
    """A journal at path ``location``, or the database at URL ``location`` (anything with ``://``).

    InputError, without the URL's password: no such database, no driver for it, or a damaged journal.
    """
    if "://" not in location:
        path = Path(location)
        try:
            repair(path)
            return JournalStorage(JournalFileBackend(str(path)))
        except (ValueError, KeyError) as error:
            raise InputError(f"{path}: damaged journal ({error}); remove the file to begin a new search.") from error
    shown = without_password(location)
    try:
        return RDBStorage(location)
    except Exception as error:  # SQLAlchemy's, the driver's, or an import that fails: as many as there are databases
        raise InputError(f"--storage {shown}: cannot be opened ({type(error).__name__}); correct the URL.") from error


def without_password(url: str) -> str:
    """A database's URL for people to read: without its user and password, nor a password among its parameters.

    Passwords that should have been percent-encoded and were not (with "/", "@", "?" or "#") are hidden too.
    """
    scheme, separator, rest = url.partition("://")
    account, at, place = rest.rpartition("@")
    if at and not account.startswith("/"):  # a path, as SQLite has, names nobody
        url = f"{scheme}{separator}…@{place}"
    parts = urlsplit(url)
    values = [value.partition("=") for value in parts.query.split("&")]
    shown = [f"{name}=…" if _SECRET.search(name) else name + equals + value for name, equals, value in values]
    return url if not parts.query else urlunsplit(parts._replace(query="&".join(shown)))


def repair(path: Path) -> None:
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
    try:
        lock.acquire()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be locked ({error.strerror}); choose an --output on a file system with symbolic links."
        ) from error
    try:
        yield
    finally:
        with suppress(RuntimeError):  # it took so long that another broke it
            lock.release()


def quiet() -> None:
    """Optuna tells of every trial by itself; we do."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
