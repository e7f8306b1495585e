"""Work on one file that may turn out to be bad: the failure is a value when bad files are to be skipped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from e2egraph.errors import InputError
from e2egraph.graphs.storage.shards import UnfinishedError

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
