"""For which task an input file was most likely made: the one whose objects it really holds."""

from __future__ import annotations

from pathlib import Path

from e2egraph.config import config_names
from e2egraph.errors import InputError
from e2egraph.events.schema import PointSource
from e2egraph.events.sources.registry import SourceOptions, opened
from e2egraph.graphs.building.checks import check_source
from e2egraph.graphs.making.chunk import Chunk, entries, scan
from e2egraph.graphs.storage.manifest import InputFile
from e2egraph.tasks.decays import Decay
from e2egraph.tasks.objectives.description import signal_name
from e2egraph.tasks.objectives.nodes import EVENT
from e2egraph.tasks.objectives.objective import stored
from e2egraph.tasks.task import TaskConfig, load_task

# Events that are looked through for an object.
EVENTS = 256


def likely_build(path: str, options: SourceOptions | None = None) -> list[str] | None:
    """``--task`` and ``--sample`` words of a build of this file, where its first events hold objects of a shipped task.

    Classes with a particle of their own, the one with most in its decay first; of classes without (as background is)
    those alone whose name is in the file's; of whole events the signal alone. Where a class needs another file, that
    stands as ``…``. None: no task.
    """
    options = options or SourceOptions()
    with opened(path, options) as source:
        stem = Path(path).stem.lower()
        candidates = []
        for task in (load_task(name) for name in config_names("tasks")):
            for name in task.classes:
                # Any file serves a task of whole events, so that there its name counts for the signal alone.
                meant = task.object.kind != EVENT or name == signal_name(stored(task.objective))
                named, decay = meant and name.lower() in stem, task.truth.decays.get(name)
                if named or decay is not None:
                    candidates.append((not named, -_depth(decay), task, name))
        for _, _, task, name in sorted(candidates, key=lambda found: found[:2]):
            by_particle = task.truth.class_by == "particle"
            of_class = None if by_particle else name
            try:
                check_source(source, task, of_class)
                entry = InputFile(name, of_class, path, size=0, sha256="", events=entries(source))
                found = scan(Chunk("", entry, 0, min(EVENTS, entry.events), options), task).selected
            except InputError:
                continue
            if found[name]:
                return _words(task, name, path, shared=isinstance(source, PointSource), by_particle=by_particle)
        return None


def _words(task: TaskConfig, name: str, path: str, *, shared: bool, by_particle: bool) -> list[str]:
    words = ["--task", task.name, "--sample", f"{name}={path}"]
    for other in () if by_particle else task.classes:
        if other != name:
            # Images say of each jet which class it is of.
            words += ["--sample", f"{other}={path if shared else '…'}"]
    return words


def _depth(decay: Decay | None) -> int:
    return 0 if decay is None else 1 + max((_depth(daughter) for daughter in decay.daughters), default=0)
