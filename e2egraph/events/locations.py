"""Input locations: globs, lists and URLs → paths; opening and fingerprinting them, local or remote.

A location is a string: a local path, or a URL that fsspec or uproot can open (``root://``, ``https://``, ``file://``).
``pathlib.Path`` is not used for it, because it would make one slash of the two in a URL.
"""

from __future__ import annotations

import glob
import hashlib
import re
from pathlib import Path
from typing import Any, BinaryIO, cast

from e2egraph.errors import InputError

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
_BLOCK = 1 << 20

# fsspec says only "please install …" where a protocol needs a package of its own.
_NEEDS = {"root": "fsspec-xrootd", "http": "aiohttp", "https": "aiohttp", "s3": "s3fs", "gs": "gcsfs"}


def expand(pattern: str, origin: str) -> list[str]:
    """The locations that ``pattern`` stands for, sorted and each once.

    A path or URL stands for itself, a glob (URLs too, where their server can list) for what it matches, ``@FILE`` for
    the paths, globs and URLs in a text file, one a line (relative ones from the working folder; empty lines and those
    beginning with ``#`` are passed over). InputError, naming ``origin`` (the option at fault): a pattern or list
    without a file.
    """
    if not pattern.startswith("@"):
        return _matches(pattern, origin)
    path = pattern[1:]
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{origin}: the list {path} cannot be read ({_reason(error)}); correct its path.") from error
    entries = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    if not entries:
        raise InputError(f"{origin}: the list {path} names no file; write one path, glob or URL a line.")
    if any(entry.startswith("@") for entry in entries):
        raise InputError(f"{origin}: the list {path} names another list; write its paths there instead.")
    return sorted({found for entry in entries for found in _matches(entry, f"{origin} (in {path})")})


def is_remote(location: str) -> bool:
    """Whether a location is a URL other than ``file://``."""
    return _SCHEME.match(location) is not None and not location.startswith("file://")


def local_path(location: str) -> Path:
    """The path of a local location; ``file://`` removed."""
    return Path(location.removeprefix("file://"))


def identity(location: str) -> str:
    """One string for all ways to write a location: the resolved local path, or the URL."""
    return location if is_remote(location) else str(local_path(location).resolve())


def open_binary(location: str) -> BinaryIO:
    """A seekable binary file object; InputError when there is none or it may not be read."""
    try:
        if not is_remote(location):
            return local_path(location).open("rb")
        import fsspec

        return cast(BinaryIO, fsspec.open(location, "rb").open())
    except Exception as error:  # every protocol of fsspec raises its own kinds
        raise unreadable(location, error) from error


def size_and_sha256(location: str) -> tuple[int, str]:
    """Bytes and SHA-256 of a location, read once from end to end; InputError when it cannot be."""
    digest, size = hashlib.sha256(), 0
    with open_binary(location) as file:
        try:
            while block := file.read(_BLOCK):
                digest.update(block)
                size += len(block)
        except Exception as error:
            raise unreadable(location, error) from error
    return size, digest.hexdigest()


def unreadable(location: str, error: Exception) -> InputError:
    """The one sentence for a location that cannot be opened or read."""
    if isinstance(error, FileNotFoundError):
        return InputError(f"{location}: no such file; check the path given with --sample.")
    if isinstance(error, PermissionError):
        return InputError(f"{location}: may not be read; give yourself read permission (chmod u+r).")
    if isinstance(error, IsADirectoryError):
        return InputError(f"{location}: is a folder; give its files, such as {location.rstrip('/')}/*.root.")
    scheme = location.partition("://")[0]
    if isinstance(error, ImportError) and scheme in _NEEDS:
        return InputError(f"{location}: {scheme}:// needs the package {_NEEDS[scheme]}; pip install {_NEEDS[scheme]}.")
    return InputError(f"{location}: cannot be read ({_reason(error)}); check the location and copy the file again.")


def _matches(pattern: str, origin: str) -> list[str]:
    if not glob.has_magic(pattern):
        return [pattern]
    if is_remote(pattern):
        # A "?" begins a query in most URLs; only "*" and "[…]" are globs there.
        return _remote_matches(pattern, origin) if "*" in pattern or "[" in pattern else [pattern]
    found = sorted(glob.glob(pattern.removeprefix("file://"), recursive=True))  # noqa: PTH207 (absolute patterns too)
    if not found:
        raise InputError(f"{origin}: no file matches; check the pattern and its folder.")
    return found


def _remote_matches(pattern: str, origin: str) -> list[str]:
    try:
        import fsspec

        files: list[Any] = fsspec.open_files(pattern, "rb")
        found = sorted(str(file.fs.unstrip_protocol(file.path)) for file in files)
    except Exception as error:
        raise InputError(
            f"{origin}: the server does not list {pattern} ({_reason(error)}); give the URLs one by one, or "
            "in @list.txt."
        ) from error
    if not found:
        raise InputError(f"{origin}: no file matches; check the pattern and its folder.")
    return found


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return f"{type(error).__name__}: {' '.join(text.split())[:120]}" if text else type(error).__name__
