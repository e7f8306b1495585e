"""The user's cache folder (``XDG_CACHE_HOME``, else ``~/.cache``): what can be recomputed, kept to save time.

Nothing in it is needed: what cannot be written is not kept, and what cannot be read counts as absent. Several machines
may share the folder. A file is written next to its name and renamed, so that nobody reads a part of one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from e2egraph.errors import InputError
from e2egraph.files import replacing


def cache_file(kind: str, name: str) -> Path | None:
    """Where the file ``name`` of one ``kind`` is kept; None for a user without a home."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    if Path(given).is_absolute():  # the specification has any other one ignored
        return Path(given) / "e2egraph" / kind / name
    try:
        return Path.home() / ".cache" / "e2egraph" / kind / name
    except RuntimeError:
        return None


def keep(path: Path, content: bytes) -> bool:
    """Write the file ``path``, in a folder that is there; whether that could be done."""
    try:
        with replacing(path) as stream:
            stream.write(content)
    except (OSError, InputError):  # something else than a file may have its name
        return False
    return True


def keep_cached(path: Path, content: bytes, most: int) -> bool:
    """Write a file that ``cache_file`` names; of those of its kind the ``most`` newest stay. Whether it is written."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return False
    kept = keep(path, content)
    drop_oldest(path.parent, "*", most)
    return kept


def drop_oldest(folder: Path, pattern: str, most: int) -> None:
    """Remove all but the ``most`` newest files of a pattern, as far as that is possible."""
    with suppress(OSError):
        ages = []
        for path in folder.glob(pattern):
            with suppress(OSError):  # another process has removed it
                ages.append((path.stat().st_mtime_ns, path))
        for _, path in sorted(ages, reverse=True)[most:]:
            with suppress(OSError):
                path.unlink()
