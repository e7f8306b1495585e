"""Folders that commands write: whether one may be used, and files of one that change all together.

No folder is renamed or removed that was there before: it may be a link, a mount point or the working folder.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from e2egraph.errors import InputError
from e2egraph.files import PARTIAL, check_room, flush, is_partial

# What ``filled`` calls the folder it fills, before the number of its process.
_NEW = "new"


def user_path(path: str | Path) -> Path:
    """A path as a user writes it; ``~`` in front is a home folder, unless something there is called so."""
    given = Path(path)
    first = given.parts[0] if given.parts else ""
    if not first.startswith("~") or os.path.lexists(first):
        return given
    with suppress(RuntimeError):  # no such user
        return given.expanduser()
    return given


def check_folder(path: Path, option: str = "--output") -> None:
    """InputError unless ``path`` is a folder, or can be made one, that can be written; nothing is changed.

    ``option``: what the user gave it with.
    """
    try:
        if path.exists() and not path.is_dir():
            what = "file" if stat.S_ISREG(path.stat().st_mode) else "device or pipe"
            raise InputError(f"{path}: a {what} is in the way; choose another {option}.")
        check_room(real(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error}); choose another {option}.") from error


def make_folder(path: Path) -> None:
    """Make a folder and those above it, unless it is there; a link is followed, also to where nothing is yet."""
    real(path).mkdir(parents=True, exist_ok=True)


def real(path: Path) -> Path:
    """The absolute path without links, be anything there or not."""
    return Path(os.path.realpath(path))


def names_in(folder: Path) -> list[str]:
    """The names in a folder, sorted, but those that file systems put there themselves."""
    names = (path.name for path in folder.iterdir())
    return sorted(name for name in names if name != "lost+found" and not name.startswith(".nfs"))


@contextmanager
def filled(folder: Path, own: Collection[str], last: str) -> Iterator[Path]:
    """Give an empty folder to write files to; at the end they take the place of those called ``own`` in ``folder``.

    ``last`` is the file without which the others count for nothing: it goes first and comes last, so that nobody takes
    old and new files for one whole. An exception inside leaves what was there. A killed process leaves ``own`` files
    or a folder that ``is_left`` knows, and another call begins again. Every OSError passes through.
    """
    target, was_there = real(folder), folder.exists()
    target.mkdir(parents=True, exist_ok=True)
    new = target / f"{_NEW}.{os.getpid()}{PARTIAL}"
    try:
        for name in filter(is_left, names_in(target)):
            shutil.rmtree(target / name)
        new.mkdir()
        yield new
        made = sorted(new.iterdir(), key=lambda path: path.name == last)
        for path in made:
            flush(path)
        for name in (last, *own):
            (target / name).unlink(missing_ok=True)
        for path in made:
            path.replace(target / path.name)
        with suppress(OSError):  # see files.atomic_path
            flush(target)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        if not was_there:
            with suppress(OSError):  # it holds something: the files
                target.rmdir()


def is_left(name: str) -> bool:
    """Whether a folder called ``name`` is what a killed process left of ``filled``."""
    return is_partial(name, _NEW)
