"""Input locations, local or remote: opening, fingerprinting and telling one from another.

A location is a string: a local path, or a URL that fsspec or uproot can open (``root://``, ``https://``, ``file://``).
``pathlib.Path`` is not used for it, because it would make one slash of the two in a URL.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from e2egraph import transient
from e2egraph.errors import InputError

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
_BLOCK = 1 << 20

# Where servers listen unless a URL says otherwise.
_PORTS = {"root": ":1094", "http": ":80", "https": ":443"}

# fsspec says only "please install …" where a protocol needs a package of its own.
_NEEDS = {"root": "fsspec-xrootd", "http": "aiohttp", "https": "aiohttp", "s3": "s3fs", "gs": "gcsfs"}

# Errors of the system that say nothing of a file's bytes.
_NO_DAMAGE = (FileNotFoundError, PermissionError, IsADirectoryError)


class UnreachableError(InputError):
    """There is no such file, or it may not be read."""


def is_remote(location: str) -> bool:
    """Whether a location is a URL other than ``file://``."""
    return _SCHEME.match(location) is not None and not location.startswith("file://")


def local_path(location: str) -> Path:
    """The path of a local location; ``file://`` removed."""
    return Path(location.removeprefix("file://"))


def identity(location: str) -> str:
    """One string for all ways to write a location: the resolved local path, or the URL with its host in lower case and
    without the port that its scheme has anyway."""
    if not is_remote(location):
        return str(local_path(location).resolve())
    scheme, _, rest = location.partition("://")
    scheme = {"xroot": "root"}.get(scheme.lower(), scheme.lower())
    if scheme not in _PORTS:
        return location
    host, slash, path = rest.partition("/")
    user, at, name = host.rpartition("@")
    return f"{scheme}://{user}{at}{name.lower().removesuffix(_PORTS[scheme])}{slash}{path}"


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


class Closable(Protocol):
    """What has a file open."""

    def close(self) -> object: ...


@contextmanager
def closed_on_error(file: Closable) -> Iterator[None]:
    """Close ``file`` when the body fails: it would stay open for as long as anything holds the error."""
    try:
        yield
    except BaseException:
        file.close()
        raise


@contextmanager
def damage_named(location: str, what: str) -> Iterator[None]:
    """Turn whatever the body raises on foreign or damaged bytes into an InputError naming the location; ``what``: the
    fault, such as ``not a readable ROOT file``. UnfinishedError when memory, disk or server is at fault instead."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # each library has its own kinds, all meaning the same to the user
        if isinstance(error, (*_NO_DAMAGE, ImportError)) or _refused(error):
            raise unreadable(location, error) from error
        raise transient.unfinished(location, error) or InputError(
            f"{location}: {what} ({reason(error)}); it may be truncated, damaged or of another format: copy it again."
        ) from error


def unreadable(location: str, error: Exception) -> InputError:
    """The one sentence for a location that cannot be opened or read."""
    # Before all else: a server that is down is told as a file that is not there by some of fsspec's protocols.
    if (unfinished := transient.unfinished(location, error)) is not None:
        return unfinished
    if _refused(error):
        return UnreachableError(f"{location}: the server does not give it (HTTP 401 or 403); renew your credentials.")
    if isinstance(error, FileNotFoundError):
        return UnreachableError(f"{location}: no such file; check its path and spelling.")
    if isinstance(error, PermissionError):
        return UnreachableError(f"{location}: may not be read; give yourself read permission (chmod u+r).")
    if isinstance(error, IsADirectoryError):
        return InputError(f"{location}: is a folder; give its files, such as {location.rstrip('/')}/*.root.")
    scheme = location.partition("://")[0]
    if isinstance(error, ImportError) and scheme in _NEEDS:
        return InputError(f"{location}: {scheme}:// needs the package {_NEEDS[scheme]}; pip install {_NEEDS[scheme]}.")
    return InputError(f"{location}: cannot be read ({reason(error)}); check the location and copy the file again.")


def _refused(error: BaseException) -> bool:
    return any(transient.http_status(cause) in (401, 403) for cause in transient.causes(error))


def reason(error: Exception) -> str:
    """An error in a few words: its kind and, where it says more, the first of that."""
    text = getattr(error, "strerror", None) or str(error)
    return f"{type(error).__name__}: {' '.join(text.split())[:120]}" if text else type(error).__name__
