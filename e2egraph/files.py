"""Files that are there whole or not at all: written next to their name, brought to the disk, then renamed.

A reader sees the old content or the new, never a part; so does who starts again after a power cut. An exception inside
leaves the old content and nothing else; a killed process leaves a file that ends in ``PARTIAL``. Every OSError passes
through, for the caller to say what to do about it.

A symbolic link is followed: the file it leads to is written and the link stays. What is there and is no file (a device,
a pipe, a folder) is never replaced; ``check_file`` refuses it before the work begins. Text is UTF-8 in every locale.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from e2egraph.errors import InputError, UsageError

PARTIAL = ".partial"

# Suffixes that say which format a file has.
FORMATS = (".csv", ".json", ".root", ".parquet", ".h5", ".hdf5", ".npy", ".npz", ".txt", ".xlsx")

_KINDS = {
    stat.S_IFDIR: "folder",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
}


@contextmanager
def atomic_path(path: Path, keep: Path | None = None) -> Iterator[Path]:
    """Give a path in the folder of ``path`` to write to, for what opens files by itself; renamed at the end.

    The file that stood at ``path`` becomes ``keep``, if given. InputError: see ``destination``.
    """
    path = destination(path)
    # The process in the name: two that write the same file never write into each other's.
    partial = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL}")
    try:
        yield partial
        flush(partial)
        if keep is not None and path.exists():
            path.replace(keep)
        _put(partial, path)
    except BaseException:
        with suppress(OSError):  # the first error is the one to tell of
            partial.unlink()
        raise
    with suppress(OSError):  # file systems that cannot flush a folder keep its names in order by themselves
        # Without it a power cut may bring back the names of before.
        flush(path.parent)


@contextmanager
def replacing(path: Path, keep: Path | None = None) -> Iterator[BinaryIO]:
    """Give a binary stream whose content replaces ``path`` at the end; ``keep``: see ``atomic_path``."""
    with atomic_path(path, keep) as partial, partial.open("wb") as stream:
        yield stream


def write_text(path: Path, text: str) -> None:
    with atomic_path(path) as partial:
        # Bytes of a file's name that are no UTF-8 are written as they are.
        partial.write_text(text, encoding="utf-8", errors="surrogateescape")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write ``content`` as JSON, which knows no numbers that are not finite: they become null."""
    write_text(path, json.dumps(_finite(content), indent=1, allow_nan=False) + "\n")


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def remove(path: Path) -> None:
    """Remove the file that ``path`` leads to, if there is one; a link to it stays. InputError: see ``destination``."""
    destination(path).unlink(missing_ok=True)


def destination(path: Path) -> Path:
    """The file that is written when ``path`` is: itself, or where a link leads, be it there or not.

    InputError when something else than a file is there.
    """
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        kind = stat.S_IFREG
    if kind != stat.S_IFREG:
        raise InputError(f"{path}: is a {_KINDS.get(kind, 'special file')}; give the name of a file to write.")
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def check_file(path: Path, option: str = "--output") -> None:
    """InputError unless file ``path`` can be written, before the work that makes its content; nothing is changed.

    Folders that are not there yet will have to be made. ``option``: what the user gave it with.
    """
    try:
        check_room(destination(path).parent)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error}); choose another {option}.") from error


def check_format(path: Path, kind: str, option: str = "--output") -> None:
    """UsageError when a file that is written in the format ``kind``, a suffix, is called like one of another format."""
    if path.suffix != kind and path.suffix.lower() in FORMATS:
        raise UsageError(f"{option} {path}: the file is written as {kind}; give a name that ends so.")


def check_not_read(path: Path, read: Iterable[str | Path]) -> None:
    """InputError when file ``path``, about to be written, is one of those ``read``, under whatever name or link.

    Names of files that are not there are passed over.
    """
    try:
        written = path.stat()
    except OSError:
        return  # nothing is there to be lost
    for file in map(Path, read):
        with suppress(OSError):
            if os.path.samestat(written, file.stat()):
                raise InputError(f"{path}: is to be read too, as {file}; give another name for what is written.")


def check_room(folder: Path) -> None:
    """OSError unless a file can be made in ``folder`` or, where that is missing, in the nearest folder above it."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    with tempfile.TemporaryFile(dir=folder):
        pass


def is_partial(name: str, of: str) -> bool:
    """Whether a file called ``name`` is what a killed process left of one called ``of``."""
    return re.fullmatch(rf"{re.escape(of)}\.\d+{re.escape(PARTIAL)}", name) is not None


def flush(path: Path) -> None:
    """Bring a file's content, or a folder's names, from the system's memory to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _put(partial: Path, path: Path) -> None:
    """Rename; a file that is a mount point of its own, as containers have them, can only be written over."""
    try:
        partial.replace(path)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        shutil.copyfile(partial, path)
        flush(path)
        partial.unlink()
