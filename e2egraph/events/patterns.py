"""What stands for input files: paths, globs, lists and URLs, as users give them.

What exists under the name as it is written is meant, whatever characters the name holds; only else do ``* ? [ ]`` make
a pattern of it. That goes for every folder of a path too: of ``run[2]/*.root`` the first part is a folder's name where
there is such a folder.
"""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Any

from e2egraph.errors import InputError
from e2egraph.events import locations
from e2egraph.textfile import decoded

_FILE = "file://"


def expand(pattern: str, origin: str, folder: Path | None = None) -> list[str]:
    """The locations that ``pattern`` stands for, sorted and each once.

    A path or URL stands for itself, a glob (URLs too, where their server can list) for what it matches, ``@FILE`` for
    the paths, globs and URLs in a text file, one a line (empty lines and those beginning with ``#`` are passed over).
    Relative ones, also those of a list, count from ``folder`` (by default the working folder); ``~`` is a home folder.
    InputError, naming ``origin`` (the option at fault): a pattern or list without a file.
    """
    if not pattern.startswith("@") or os.path.lexists(_anchored(pattern, folder)):
        return _matches(pattern, origin, folder)
    path = _anchored(pattern[1:], folder)
    try:
        lines = decoded(Path(path).read_bytes()).splitlines()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{origin}: the list {path} cannot be read ({error.reason}); give a text of one path a line, in UTF-8."
        ) from error
    except OSError as error:
        reason = locations.reason(error)
        raise InputError(f"{origin}: the list {path} cannot be read ({reason}); correct its path.") from error
    entries = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    if not entries:
        raise InputError(f"{origin}: the list {path} names no file; write one path, glob or URL a line.")
    if any(entry.startswith("@") for entry in entries):
        raise InputError(f"{origin}: the list {path} names another list; write its paths there instead.")
    return sorted({found for entry in entries for found in _matches(entry, f"{origin} (in {path})", folder)})


def _matches(pattern: str, origin: str, folder: Path | None) -> list[str]:
    if locations.is_remote(pattern):
        # A "?" begins a query in most URLs; only "*" and "[…]" are globs there.
        return _remote_matches(pattern, origin) if "*" in pattern or "[" in pattern else [pattern]
    path = _anchored(pattern.removeprefix(_FILE), folder)
    if os.path.lexists(path) or not glob.has_magic(pattern):
        return [pattern if pattern.startswith(_FILE) else path]
    *folders, last = Path(path).parts
    found = [""]
    for part in folders:
        found = [member for base in found for member in _members(base, "**/" if part == "**" else part)]
    found = [member for base in found for member in _members(base, last) if member]
    if not found:
        raise InputError(f"{origin}: no file matches; check the pattern and its folder.")
    return sorted(set(found))


def _anchored(path: str, folder: Path | None) -> str:
    """A path or pattern seen from ``folder``, its ``~`` replaced unless something there is called so."""
    first = path.partition("/")[0]
    if first.startswith("~") and not os.path.lexists(os.path.join(folder or "", first)):  # noqa: PTH118
        path = os.path.expanduser(path)  # noqa: PTH111 (text, as all of these)
    return os.path.join(folder or "", path)  # noqa: PTH118 (a path written "./a" stays so)


def _members(base: str, part: str) -> list[str]:
    """What ``part``, one name or pattern, stands for in folder ``base``."""
    path = os.path.join(base, part)  # noqa: PTH118 (an absolute part starts from the root, an empty base adds nothing)
    if os.path.lexists(path):
        return [path]
    if not glob.has_magic(part):
        return []
    found = glob.glob(part, root_dir=base or None, recursive=True)  # noqa: PTH207 (also of the working folder)
    below = [os.path.join(base, name) for name in found]  # noqa: PTH118
    return [base, *below] if part == "**/" else below


def _remote_matches(pattern: str, origin: str) -> list[str]:
    try:
        import fsspec

        system, path = fsspec.core.url_to_fs(pattern)
        if system.exists(path):
            return [pattern]
        files: list[Any] = fsspec.open_files(pattern, "rb")
        found = sorted(str(file.fs.unstrip_protocol(file.path)) for file in files)
    except Exception as error:
        raise InputError(
            f"{origin}: the server does not list {pattern} ({locations.reason(error)}); give the URLs one by one, or "
            "in @list.txt."
        ) from error
    if not found:
        raise InputError(f"{origin}: no file matches; check the pattern and its folder.")
    return found
