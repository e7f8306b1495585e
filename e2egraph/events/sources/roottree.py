"""Opening ROOT files and reading branches, with every way a damaged file can fail told in one sentence."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.events import locations
from e2egraph.events.locations import closed_on_error, damage_named
from e2egraph.events.sources.remote import RemoteSource
from e2egraph.events.whole import entry_of

# Branches are read in one go for as many events as these bytes hold, unpacked: little memory, few calls.
BYTES_AT_ONCE = 64 << 20

HITS_TREE, DELPHES_TREE = "hits_tree", "Delphes"
NOT_READABLE = "not a readable ROOT file"

_LARGEST = float(np.finfo(np.float32).max)

# TFile header (ROOT, TFile class reference): "root", version, fBEGIN, fEND; 64-bit fEND from this version on.
_LARGE_FILE_VERSION = 1_000_000


def find_tree(location: str, names: Sequence[str], kind: str) -> uproot.TTree:
    """The first tree of ``names`` in a file, its numbers of entries checked; InputError naming what is there."""
    file = _open(location)
    with closed_on_error(file):
        with damage_named(location, NOT_READABLE):
            keys = file.keys(cycle=False)
        found = next((name for name in names if name in keys), None)
        if found is None:
            there = ", ".join(keys[:6]) or "nothing"
            raise InputError(f"{location}: no tree {names[0]} (found {there}); give {kind}.")
        with damage_named(location, f"tree {found} cannot be read"):
            tree = file[found]
            if not isinstance(tree, uproot.behaviors.TTree.TTree):
                raise InputError(f"{location}: {found} is a {tree.classname} and no tree; give {kind}.")
            tree.keys()
        return tree


def check_entries(location: str, tree: uproot.TTree, branches: Sequence[uproot.TBranch]) -> int:
    """Number of entries of a tree, which each of ``branches`` and its baskets must agree on."""
    with damage_named(location, "its tree cannot be read"):
        entries = int(tree.num_entries)
        for branch in branches:
            stored = (int(branch.num_entries), int(branch.entry_offsets[-1]))
            if stored != (entries, entries):
                raise InputError(
                    f"{location}: branch {branch.name} holds {min(stored)} entries, its tree {entries}; the file is "
                    "damaged: copy it again."
                )
    return entries


def events_at_once(branches: Sequence[uproot.TBranch]) -> int:
    """How many events of ``branches`` fill ``BYTES_AT_ONCE``, at least 1."""
    entries = max((int(branch.num_entries) for branch in branches), default=0)
    size = sum(int(branch.uncompressed_bytes) for branch in branches)
    return max(1, BYTES_AT_ONCE * entries // max(1, size))


def read_branch(location: str, branch: uproot.TBranch, start: int, stop: int) -> ak.Array:
    """One branch of entries ``start:stop``; InputError names file and branch when its bytes cannot be read."""
    with damage_named(location, f"branch {branch.name} cannot be read"):
        array = branch.array(entry_start=start, entry_stop=stop, library="ak")
        if len(array) != stop - start:
            raise InputError(
                f"{location}: branch {branch.name} gives {len(array)} of {stop - start} entries; the file is damaged: "
                "copy it again."
            )
        return array


def finite(location: str, name: str, values: NDArray, start: int, counts: NDArray[np.int64] | None = None) -> NDArray:
    """``values`` if no NaN or infinity is among them, in single precision, in which shards hold them; else InputError
    naming the entry.

    They belong to the entries from ``start`` on: one each, or as many as ``counts`` says.
    """
    if not np.issubdtype(values.dtype, np.number):
        raise InputError(f"{location}: {name} holds no numbers ({values.dtype}); give a file of the known format.")
    if values.dtype.kind == "f":
        good = np.isfinite(values) if values.dtype.itemsize <= 4 else np.abs(values) <= _LARGEST
        if not good.all():
            entry = start + entry_of(int(np.argmin(good)), counts)
            raise InputError(f"{location}: {name} of entry {entry} holds NaN or infinite values; make the file again.")
    return values


def single(values: NDArray) -> NDArray:
    """Numbers as shards and event files hold them, those that are not whole in single precision: so a file of doubles
    makes the same nodes in Python as in C++, and as the same file in single precision."""
    return values.astype(np.float32, copy=False) if values.dtype.kind == "f" else values


def _open(location: str) -> uproot.ReadOnlyDirectory:
    if locations.is_remote(location):
        with damage_named(location, NOT_READABLE):
            return uproot.open(location, handler=RemoteSource)
    path = locations.local_path(location)
    with locations.open_binary(location) as file:
        _check_header(location, file.read(100), path.stat().st_size)
    with damage_named(location, NOT_READABLE):
        # A path and a plain reader of files: names may hold ":" and "::", which uproot and fsspec give a meaning.
        return uproot.open(path, handler=uproot.source.file.MultithreadedFileSource, use_threads=False)


def _check_header(location: str, head: bytes, size: int) -> None:
    """Refuse what is no ROOT file, and one shorter than its header says: uproot alone may not notice the latter."""
    if len(head) < 20 or not head.startswith(b"root"):
        raise InputError(
            f"{location}: not a readable ROOT file (it begins with {head[:8]!r}); it may be truncated, an error page "
            "or of another format: copy it again."
        )
    version = struct.unpack(">i", head[4:8])[0]
    end = struct.unpack(">q", head[12:20])[0] if version >= _LARGE_FILE_VERSION else struct.unpack(">i", head[12:16])[0]
    if end > size:
        raise InputError(
            f"{location}: not a readable ROOT file (it has {size} of {end} bytes); it is truncated: copy it again."
        )
