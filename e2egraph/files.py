"""Files that are there whole or not at all: written next to their name, brought to the disk, then renamed.

A reader sees the old content or the new, never a part; so does who starts again after a power cut. An exception inside
leaves the old content and nothing else; a killed process leaves a file that ends in ``PARTIAL``. Every OSError passes
through, for the caller to say what to do about it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

PARTIAL = ".partial"


@contextmanager
def written_beside(path: Path, keep: Path | None = None) -> Iterator[Path]:
    """Give a path in the folder of ``path`` to write to, for what opens files by itself; renamed at the end.

    The file that stood at ``path`` becomes ``keep``, if given.
    """
    # The process in the name: two that write the same file never write into each other's.
    partial = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL}")
    try:
        yield partial
        _flush(partial)
        if keep is not None and path.exists():
            path.replace(keep)
        partial.replace(path)
    except BaseException:
        with suppress(OSError):  # the first error is the one to tell of
            partial.unlink()
        raise
    with suppress(OSError):  # file systems that cannot flush a folder keep its names in order by themselves
        # Without it a power cut may bring back the names of before.
        _flush(path.parent)


@contextmanager
def replacing(path: Path, keep: Path | None = None) -> Iterator[BinaryIO]:
    """Give a binary stream whose content replaces ``path`` at the end; ``keep``: see ``written_beside``."""
    with written_beside(path, keep) as partial, partial.open("wb") as stream:
        yield stream


def write_text(path: Path, text: str) -> None:
    with written_beside(path) as partial:
        partial.write_text(text)


def write_json(path: Path, content: dict[str, Any]) -> None:
    write_text(path, json.dumps(content, indent=1) + "\n")


def is_partial(name: str, of: str) -> bool:
    """Whether a file called ``name`` is what a killed process left of one called ``of``."""
    return re.fullmatch(rf"{re.escape(of)}\.\d+{re.escape(PARTIAL)}", name) is not None


def _flush(path: Path) -> None:
    """Bring a file's content, or a folder's names, from the system's memory to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
