"""How Pythia's multiparton interactions begin, kept between runs: finding it out takes longer than anything else does.

Pythia integrates their cross-sections with random numbers when it starts, and can read the outcome of an earlier start
(manual, "Multiparton Interactions", "Variables for reuse"). Here that start is always one of seed 1, in every run of
whatever seed, so that the events of a seed are the same with a full cache, with an empty one and with none.

What is kept stands under the hash of all that it depends on: another version or setting never finds it. Where that
cannot be told, as with a setting that names a file, Pythia starts as it always does.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from e2egraph.config import digest
from e2egraph.locks import one_at_a_time
from e2egraph.usercache import cache_file, keep_cached

# Starts that stay in the cache, some 20 kB each.
MOST_STARTS = 256

# A setting that says all by itself: numbers, or on and off. Any other value may be the name of a file.
_PLAIN = re.compile(r"^\s*[\w:]+\s*=\s*(on|off|yes|no|true|false|[-+.,\de\s{}]+)\s*$", re.IGNORECASE)
# Says itself what Pythia keeps in a file.
_REUSES = re.compile(r"reuseInit", re.IGNORECASE)


@contextmanager
def kept_start(pythia: Any, of_user: Sequence[str], lines: Sequence[str]) -> Iterator[Sequence[str]]:
    """Further lines for ``pythia``, to be started within the ``with`` block, that make it begin as kept.

    ``of_user``: settings of a process; ``lines``: all that ``pythia`` was told but its seed. No lines where it has no
    multiparton interactions, cannot start, or where nothing can be kept.
    """
    interact = pythia.settings.flag("PartonLevel:MPI") and pythia.settings.flag("PartonLevel:all")
    key = _key(of_user, lines) if interact else None
    content = None if key is None else _kept(type(pythia), lines, key)
    if content is None:
        yield ()
        return
    with tempfile.NamedTemporaryFile(suffix=".mpi") as file:
        file.write(content)
        file.flush()
        yield _reuse(2, file.name)


def _reuse(mode: int, path: str) -> Sequence[str]:
    """``mode``: 1 to write the start to ``path``, 2 to read it."""
    return (f"MultipartonInteractions:reuseInit = {mode}", f"MultipartonInteractions:initFile = {path}")


def _key(of_user: Sequence[str], lines: Sequence[str]) -> str | None:
    """Hash of all that a start depends on; None where that cannot be told."""
    library = importlib.util.find_spec("pythia8mc")
    if library is None or library.origin is None or os.environ.get("PYTHIA8DATA"):
        return None
    if not all(_PLAIN.match(line) and not _REUSES.search(line) for line in of_user):
        return None
    try:
        built = Path(library.origin).stat()
        pythia = [version("pythia8mc"), built.st_size, built.st_mtime_ns]
    except (OSError, PackageNotFoundError):
        return None
    # The libraries of mathematics differ in the last bit between processors.
    machine = [platform.machine(), platform.libc_ver(), _processor()]
    return digest({"lines": list(lines), "pythia8mc": pythia, "machine": machine})


def _processor() -> str:
    """What tells processors apart that compute differently; empty where the system does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(("flags", "Features"))), "")


def _kept(kind: type, lines: Sequence[str], key: str) -> bytes | None:
    """The start of ``key``, from the cache or made and kept; None where Pythia makes none."""
    path = cache_file("pythia", key)
    if path is None:
        return _made(kind, lines)
    if (content := _read(path)) is not None:
        return content
    with one_at_a_time(f"start {path}"):
        content = _read(path)  # another run may have made it meanwhile
        if content is None and (content := _made(kind, lines)) is not None:
            keep_cached(path, sha256(content).digest() + content, MOST_STARTS)
    return content


def _made(kind: type, lines: Sequence[str]) -> bytes | None:
    pythia = kind("", False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "start.mpi"
        told = all(pythia.readString(line) for line in (*lines, "Random:seed = 1", *_reuse(1, str(path))))
        return path.read_bytes() if told and pythia.init() and path.is_file() else None


def _read(path: Path) -> bytes | None:
    """What is kept in a file; None where there is none, or a damaged one."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    checksum, content = content[:32], content[32:]
    return content if content and sha256(content).digest() == checksum else None
