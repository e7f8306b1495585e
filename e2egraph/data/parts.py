"""Scores of one data set by many processes: each writes its part, and the one that finishes last joins them.

Processes need no word of each other, only a folder that all see: they may run under torchrun, in a batch system's jobs,
or one after the other. A process that is killed leaves its part missing and nothing joined; the same command for it
alone, or for all, then ends the work. NumPy and Arrow alone.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from e2egraph.config import digest
from e2egraph.data.scores import Scores, read_scores, write_scores
from e2egraph.data.share import Share
from e2egraph.errors import InputError
from e2egraph.files import check_file

PARTS = ".parts-"


def scores_of_all(
    output: Path | None, key: Mapping[str, Any], share: Share, score: Callable[[], Scores]
) -> Scores | None:
    """The scores of all processes, in the order of ranks, for the one that finishes last; None for the others.

    The parts stay until ``remove_parts``, so that one who is killed before all is written goes on from them. ``score``
    makes this process's; its ``about`` becomes ``{"parts": [that of each process]}``. Parts wait in a folder
    next to ``output``, whose name tells apart whatever differs in ``key`` (JSON: model, data set, split, …) or in the
    number of processes, so that only parts of the same work are ever joined. A part that is there already is taken as
    it is. ``output`` may be None where one process does it all and writes nothing. InputError, before any work, when
    ``output`` cannot be written; when a part cannot be or is damaged.
    """
    if output is not None:
        check_file(output)
    if share.world == 1:
        return joined([score()])
    if output is None:
        raise ValueError("several processes need a file next to which their parts wait")
    folder = output.with_name(f"{output.name}{PARTS}{digest({**key, 'processes': share.world})[:16]}")
    paths = [folder / f"{rank}-of-{share.world}.parquet" for rank in range(share.world)]
    own = paths[share.rank]
    _give_back(folder, share.rank)
    if not own.is_file():
        part = score()
        write_scores(own, part.jets, part.values, part.columns, part.about)
    if not all(path.is_file() for path in paths):
        return None
    # Whoever renames the folder joins: one process alone, although several may see all parts.
    taken = folder.with_name(f"{folder.name}{_joining(share.rank)}{os.getpid()}")
    try:
        folder.rename(taken)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{folder}: cannot be renamed ({error.strerror}); make its folder writable.") from error
    try:
        return joined([read_scores(taken / path.name) for path in paths])
    except InputError:  # a damaged part would be met again
        shutil.rmtree(taken, ignore_errors=True)
        raise


def joined(parts: list[Scores]) -> Scores:
    """Several scores (at least one, of the same columns) as one."""
    return Scores(
        jets={name: np.concatenate([part.jets[name] for part in parts]) for name in parts[0].jets},
        values=np.concatenate([part.values for part in parts]),
        columns=parts[0].columns,
        about={"parts": [part.about for part in parts]},
    )


def remove_parts(output: Path, share: Share) -> None:
    """Once ``output`` is written: remove the parts it was joined from, and those of earlier work that never ended."""
    if share.world == 1:
        return
    ours = f"{_joining(share.rank)}{os.getpid()}"
    folders = [folder for folder in output.parent.iterdir() if folder.name.startswith(output.name + PARTS)]
    # Others may have begun the same work again.
    running = {folder.name.removesuffix(ours) for folder in folders if folder.name.endswith(ours)}
    for folder in folders:
        if folder.name not in running:
            shutil.rmtree(folder, ignore_errors=True)


def _give_back(folder: Path, rank: int) -> None:
    """Take the parts again that this very process held when it was killed, between joining them and writing."""
    for taken in folder.parent.iterdir() if folder.parent.is_dir() else ():
        if taken.name.startswith(folder.name + _joining(rank)) and not folder.exists():
            taken.rename(folder)


def _joining(rank: int) -> str:
    return f".{rank}-joins-"
