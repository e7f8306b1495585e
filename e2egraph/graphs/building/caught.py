"""Work on one file that may turn out to be bad: the failure is a value when bad files are to be skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from e2egraph import transient
from e2egraph.errors import InputError, UnfinishedError
from e2egraph.events.locations import UnreachableError

Given = TypeVar("Given")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Failure:
    """Why the input is bad, as one sentence."""

    reason: str


def caught(function: Callable[[Given], Result], given: Given, *, tolerant: bool) -> Result | Failure:
    """``function(given)``; with ``tolerant`` a bad input gives a Failure. Other stops never do."""
    try:
        return function(given)
    except UnfinishedError:
        raise
    except InputError as error:
        if not tolerant:
            raise
        return Failure(str(error))


@contextmanager
def known_file(path: str) -> Iterator[None]:
    """Work on a file that was there and readable when the build began: UnfinishedError when it no longer is, or for
    whatever else may pass and says nothing of it. So neither are finished shards removed nor is the file left out."""
    try:
        yield
    except UnreachableError as error:
        raise UnfinishedError(
            f"{path}: was there when the build began and no longer is, or may not be read any more; bring it back and "
            "run the same command again: it goes on from the shards that are finished."
        ) from error
    except InputError:
        raise
    except Exception as error:
        if (unfinished := transient.unfinished(path, error)) is not None:
            raise unfinished from error
        raise
