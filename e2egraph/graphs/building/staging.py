"""``OUTPUT.partial``: where a build works until all is there. A killed build leaves it, the same command goes on."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from e2egraph.errors import InputError, UnfinishedError
from e2egraph.files import PARTIAL
from e2egraph.graphs.making.chunk import Chunk, origin
from e2egraph.graphs.storage.manifest import SkippedFile
from e2egraph.graphs.storage.shards import open_shard, read_footer, write_error
from e2egraph.tasks.task import TaskConfig

PLAN_NAME = "plan.json"
LOCK_NAME = "build.lock"


class Staging:
    """The folder a build works in, held by this process alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, task: TaskConfig, chunks: Sequence[Chunk], skipped: Sequence[SkippedFile]) -> None:
        """Keep the shards of an interrupted build of exactly this plan; clear anything else."""
        plan = {
            "origins": [{"shard": chunk.shard, **origin(chunk, task)} for chunk in chunks],
            "skipped": [asdict(entry) for entry in skipped],
        }
        plan = json.loads(json.dumps(plan))
        same = self._plan() == plan
        for entry in self.folder.iterdir():
            if entry.name == LOCK_NAME or (same and (entry.name == PLAN_NAME or entry.suffix == ".parquet")):
                continue
            entry.unlink()
        if not same:
            try:
                (self.folder / PLAN_NAME).write_text(json.dumps(plan))
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
                footer = read_footer(file)
        except InputError:
            return False
        expected: dict[str, Any] = json.loads(json.dumps(origin(chunk, task)))
        return all(footer.get(name) == value for name, value in expected.items())

    def finish(self, output: Path) -> None:
        """Rename the complete data set to its place."""
        for entry in [self.folder / PLAN_NAME, self.folder / LOCK_NAME, *self.folder.glob(f"*{PARTIAL}")]:
            entry.unlink(missing_ok=True)
        self.folder.replace(output)

    def _plan(self) -> dict[str, Any]:
        try:
            plan = json.loads((self.folder / PLAN_NAME).read_text())
        except (OSError, ValueError):
            return {}
        return plan if isinstance(plan, dict) else {}


@contextmanager
def open_staging(output: Path) -> Iterator[Staging]:
    """Hold ``OUTPUT.partial``. An InputError inside removes it, so that nothing half-made stays; a UnfinishedError, an
    interruption or anything unforeseen leaves it for the next run.

    InputError: another build holds it, or it has other content; UnfinishedError: it cannot be made.
    """
    folder = output.with_name(output.name + PARTIAL)
    own = {PLAN_NAME, LOCK_NAME}
    try:
        if folder.exists() and not own & {entry.name for entry in folder.iterdir()} and any(folder.iterdir()):
            raise InputError(f"{folder}: in the way of the build and not its own; remove that folder.")
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK_NAME).open("w")
    except OSError as error:
        raise UnfinishedError(f"{folder}: cannot be written ({error.strerror}); choose another --output.") from error
    with lock:
        try:
            # The system frees the lock with the process, killed or not.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(f"{folder}: another build is at work there; wait for it or end it.") from error
        try:
            yield Staging(folder)
        except UnfinishedError:
            if not any(folder.glob("*.parquet")):
                shutil.rmtree(folder, ignore_errors=True)
            raise
        except InputError:
            shutil.rmtree(folder)
            raise
