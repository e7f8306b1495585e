"""Where a build works until all is there: ``OUTPUT.partial`` or, where the folder OUTPUT is there already, in itself.

A killed build leaves that folder, and the same command goes on from it. A folder that was there is never renamed or
removed: it may be a link, a mount point or the working folder.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from e2egraph.errors import InputError, UnfinishedError, UsageError
from e2egraph.files import PARTIAL, write_text
from e2egraph.folders import check_folder, make_folder, names_in, real
from e2egraph.graphs.making.chunk import Chunk, origin
from e2egraph.graphs.storage.manifest import MANIFEST_NAME, SkippedFile
from e2egraph.graphs.storage.shards import open_shard, write_error
from e2egraph.graphs.storage.verification import STAMP_PREFIX
from e2egraph.locks import lock
from e2egraph.tasks.task import TaskConfig

PLAN_NAME = "plan.json"
LOCK_NAME = "build.lock"

# What a build writes; each also half made, as a killed process leaves it.
_NAMES = "|".join((r"part-\d+\.parquet", *map(re.escape, (MANIFEST_NAME, PLAN_NAME, LOCK_NAME))))
_OWN = re.compile(rf"({_NAMES})(\.\d+{re.escape(PARTIAL)})?|{re.escape(STAMP_PREFIX)}.+")


class Staging:
    """The folder a build works in, held by this process alone. ``in_place``: it is the output itself."""

    def __init__(self, folder: Path, *, in_place: bool) -> None:
        self.folder, self._in_place = folder, in_place

    def begin(self, task: TaskConfig, chunks: Sequence[Chunk], skipped: Sequence[SkippedFile]) -> None:
        """Keep the shards of an interrupted build of exactly this plan; clear anything else."""
        plan = {
            "origins": [{"shard": chunk.shard, **origin(chunk, task)} for chunk in chunks],
            "skipped": [asdict(entry) for entry in skipped],
        }
        plan = json.loads(json.dumps(plan))
        same = self._plan() == plan
        for name in names_in(self.folder):
            if name in (LOCK_NAME, PLAN_NAME) or (same and name.endswith(".parquet")):
                continue
            (self.folder / name).unlink()
        if not same:
            try:
                write_text(self.folder / PLAN_NAME, json.dumps(plan))
            except OSError as error:
                raise write_error(self.folder, error) from error

    def skipped_before(self) -> list[SkippedFile]:
        """Files that the interrupted build had found bad."""
        return [SkippedFile(**entry) for entry in self._plan().get("skipped", [])]

    def is_finished(self, chunk: Chunk, task: TaskConfig) -> bool:
        """Whether the chunk's shard is there, readable and made from this very chunk."""
        path = self.folder / chunk.shard
        if not path.is_file():
            return False
        try:
            with open_shard(path) as file:
                footer = file.footer
        except InputError:
            return False
        expected: dict[str, Any] = json.loads(json.dumps(origin(chunk, task)))
        return all(footer.get(name) == value for name, value in expected.items())

    def finish(self, output: Path) -> None:
        """Put the complete data set in its place."""
        if not self._in_place:
            self.folder.replace(real(output))
        # Last, so that what a kill leaves before is known as a build's, and after as a complete data set.
        clear_up(output)

    def remove(self) -> None:
        """Remove all that the build made, what says that it is a build's last."""
        with suppress(OSError):  # what is removed it for is the one to tell of
            names = names_in(self.folder)
            for name in sorted(names, key=(PLAN_NAME, LOCK_NAME).__contains__):
                (self.folder / name).unlink()

    def _plan(self) -> dict[str, Any]:
        try:
            plan = json.loads((self.folder / PLAN_NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return plan if isinstance(plan, dict) else {}


def check_output(output: Path) -> None:
    """InputError unless a data set can be put in folder ``output``: new, empty, or that of a build, whole or not."""
    check_folder(output)
    if output.is_dir() and not (output / MANIFEST_NAME).is_file() and not _of_a_build(names_in(output)):
        raise InputError(f"{output}: the folder holds other things; choose a new or empty --output.")


def clear_up(folder: Path) -> None:
    """Remove what a build needs no longer next to its complete data set; OSError passes over."""
    for name in names_in(folder):
        if name in (PLAN_NAME, LOCK_NAME) or (_OWN.fullmatch(name) and name.endswith(PARTIAL)):
            with suppress(OSError):
                (folder / name).unlink()


@contextmanager
def open_staging(output: Path, say: Callable[[str], None] = lambda line: None) -> Iterator[Staging]:
    """Hold the folder to work in. An InputError or UsageError inside removes what was made, so that nothing half-made
    stays; a UnfinishedError, an interruption or anything unforeseen leaves it for the next run.

    ``say``: gets a remark where the file system has no locks. InputError: another build holds it, or it has other
    content; UnfinishedError: it cannot be made.
    """
    in_place = output.is_dir()
    folder = output if in_place else real(output).with_name(real(output).name + PARTIAL)
    try:
        if folder.exists() and not _of_a_build(names_in(folder)):
            raise InputError(f"{folder}: in the way of the build and not its own; remove that folder.")
        make_folder(folder)
        held = (folder / LOCK_NAME).open("w", encoding="utf-8")
    except OSError as error:
        raise UnfinishedError(f"{folder}: cannot be written ({error.strerror}); choose another --output.") from error
    try:
        with held:
            if (remark := lock(held, folder, "build")) is not None:
                say(remark)
            ended = in_place and (folder / MANIFEST_NAME).exists()
            if ended or not _is_there(folder / LOCK_NAME, held.fileno()):
                raise UnfinishedError(f"{output}: another build has ended there just now; give the command again.")
            staging = Staging(folder, in_place=in_place)
            try:
                yield staging
            except UnfinishedError:
                if not any(folder.glob("*.parquet")):
                    staging.remove()
                raise
            except (InputError, UsageError):
                staging.remove()
                raise
    finally:
        # Once the lock is closed: network file systems keep the name of a file that is open.
        if not in_place:
            with suppress(OSError):  # shards stay in it, for the next run
                folder.rmdir()


def _of_a_build(names: Sequence[str]) -> bool:
    """Whether a folder that holds ``names`` is empty or one that a build works in."""
    # A stamp is hidden, so that who empties the folder leaves it.
    names = [name for name in names if not name.startswith(STAMP_PREFIX)]
    return not names or (all(map(_OWN.fullmatch, names)) and not {PLAN_NAME, LOCK_NAME}.isdisjoint(names))


def _is_there(path: Path, descriptor: int) -> bool:
    """Whether ``path`` still is the open file: who held it before may have removed it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
