"""Whether shards are those that the manifest names: hashed once on a machine, and again when a file has changed.

What was found stands in a *stamp*, a small file next to the manifest or, where that folder cannot be written, in the
user's cache. It holds for one machine, one place and one manifest, and for each shard as long as its size, times and
inode stay the same. A stamp that is damaged, of another machine, place or manifest, or older than the shards counts as
none. It saves time and guards against accidents; who can write a data set can write its manifest as well.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from hashlib import file_digest, sha256
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from e2egraph.errors import InputError
from e2egraph.locks import one_at_a_time
from e2egraph.usercache import cache_file, drop_oldest, keep, keep_cached

VERSION = 1
STAMP_PREFIX = ".verified-"
# Stamps that are kept: next to a manifest, one for each machine (containers often have a new name each time); in the
# cache one for each data set.
MOST_STAMPS, MOST_CACHED = 32, 512

# A file that changes twice within one tick of its file system's clock keeps its times (git's "racy" entries). Shards
# are taken for known only when they were left alone for longer than any such tick before they were hashed [ns]: 2 s on
# FAT. Where this machine's clock has to stand for that of the file system, the two may differ by more.
MARGIN, MARGIN_OF_CLOCKS = 2 * 10**9, 600 * 10**9

# Of a shard: [size, time of change of its content and of its inode [ns], inode, SHA-256].
_Entry = list[Any]

# Folder and hash of the manifest → shard → entry, as this process found them.
_known: dict[tuple[str, str], dict[str, _Entry]] = {}


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read in blocks."""
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def verify_shards(folder: Path, hashes: Mapping[str, str], manifest_sha256: str, *, rehash: bool = False) -> None:
    """Compare shards with their SHA-256 (``hashes``: name → it), unless that was done and the file has not changed
    since; InputError names the first that was altered.

    ``manifest_sha256``: of the manifest that names the shards. ``rehash``: hash them all. Of several processes on one
    machine (ranks, commands) the first hashes and the others wait for what it finds.
    """
    if not rehash and not _unknown(folder, hashes, _read(folder, manifest_sha256)):
        return
    with one_at_a_time(f"verify {os.path.realpath(folder)}"):
        known = {} if rehash else _read(folder, manifest_sha256)
        limit = settled_before(folder)
        states = {name: _state(folder / name) for name in _unknown(folder, hashes, known)}
        for name in states:
            if sha256_of(folder / name) != hashes[name]:
                _forget(folder, manifest_sha256)
                raise InputError(
                    f"{folder / name}: shard altered after the build (SHA-256 differs); build the data set again."
                )
        # One that changed meanwhile is hashed again next time.
        same = {name: hashes[name] for name, state in states.items() if _state(folder / name) == state}
        keep_verified(folder, same, manifest_sha256, limit, known)


def settled_before(folder: Path) -> int:
    """Files of ``folder`` with older times than this [ns] will show any change from now on by a new time."""
    try:
        with TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_mtime_ns - MARGIN
    except OSError:
        return time.time_ns() - MARGIN_OF_CLOCKS


def keep_verified(
    folder: Path,
    hashes: Mapping[str, str],
    manifest_sha256: str,
    limit: int,
    known: Mapping[str, _Entry] | None = None,
) -> None:
    """Note that shards were found to have their SHA-256, next to what was ``known`` of others.

    ``limit``: ``settled_before``, asked before the first was hashed; younger shards are left out. Nothing is noted
    where nothing can be written.
    """
    states = {name: _state(folder / name) for name in hashes}
    found: dict[str, _Entry] = {
        name: [*state, hashes[name]] for name, state in states.items() if max(state[1:3]) < limit
    }
    if not found:
        return
    entries = {**(known or {}), **found}
    _known[os.path.realpath(folder), manifest_sha256] = entries
    content = json.dumps({**_key(folder, manifest_sha256), "shards": entries}).encode()
    next_to, cached = _places(folder)
    if keep(next_to, content):
        drop_oldest(folder, f"{STAMP_PREFIX}*", MOST_STAMPS)
    elif cached is not None:
        keep_cached(cached, content, MOST_CACHED)


def _forget(folder: Path, manifest_sha256: str) -> None:
    """Nothing is known any longer: a shard was altered without its times."""
    _known.pop((os.path.realpath(folder), manifest_sha256), None)
    for path in _places(folder):
        with suppress(OSError):
            if path is not None:
                path.unlink()


def _unknown(folder: Path, hashes: Mapping[str, str], known: Mapping[str, _Entry]) -> Collection[str]:
    """The shards that were not hashed yet as they are now."""
    return [name for name, sha256 in hashes.items() if known.get(name) != [*_state(folder / name), sha256]]


def _state(path: Path) -> list[int]:
    state = path.stat()
    return [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]


def _key(folder: Path, manifest_sha256: str) -> dict[str, Any]:
    place = os.path.realpath(folder)
    return {"version": VERSION, "host": platform.node(), "folder": place, "manifest_sha256": manifest_sha256}


def _places(folder: Path) -> tuple[Path, Path | None]:
    """The stamp next to the manifest, and the one in the user's cache."""
    host = platform.node()
    name = sha256(f"{host}\n{os.path.realpath(folder)}".encode(errors="surrogateescape")).hexdigest()
    short = sha256(host.encode()).hexdigest()[:16]
    return folder / f"{STAMP_PREFIX}{short}.json", cache_file("verified", f"{name}.json")


def _read(folder: Path, manifest_sha256: str) -> dict[str, _Entry]:
    """What is known of the shards: by this process and by the stamps."""
    key = _key(folder, manifest_sha256)
    entries: dict[str, _Entry] = {}
    for path in _places(folder):
        try:
            content = json.loads(path.read_bytes()) if path is not None else {}
            if {name: content[name] for name in key} == key:
                entries |= dict(content["shards"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue  # no stamp, a torn one or something else
    return entries | _known.get((key["folder"], manifest_sha256), {})
