"""What a build will do: its options, and the chunks that its inputs are cut into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from e2egraph.events.sources.registry import SourceOptions
from e2egraph.graphs.building.inputs import Identified
from e2egraph.graphs.making.chunk import EVENTS_PER_SHARD, NODES_PER_SHARD, Chunk
from e2egraph.graphs.storage.manifest import InputFile, SkippedFile
from e2egraph.tasks.task import TaskConfig


@dataclass(frozen=True)
class BuildOptions:
    """How to build, apart from what. ``workers``: processes; ``dask``: scheduler to use instead; ``source``: what files
    cannot say of themselves; ``skip_bad_files``: leave unreadable and damaged inputs out, and list them;
    ``allow_duplicates``: take events that occur more than once."""

    workers: int = 1
    dask: str | None = None
    source: SourceOptions = field(default_factory=SourceOptions)
    skip_bad_files: bool = False
    allow_duplicates: bool = False


def plan(inputs: Sequence[InputFile], task: TaskConfig, source: SourceOptions) -> list[Chunk]:
    """Every input in chunks of ``events_per_shard`` events, with the names of their shards."""
    chunks: list[Chunk] = []
    size = events_per_shard(task)
    for entry in inputs:
        for start in range(0, entry.events, size):
            name = f"part-{len(chunks):05d}.parquet"
            chunks.append(Chunk(name, entry, start, min(start + size, entry.events), source))
    return chunks


def events_per_shard(task: TaskConfig) -> int:
    """``EVENTS_PER_SHARD``, or fewer where every event is an object: ``NODES_PER_SHARD`` nodes at most."""
    if not task.object_kind.one_per_event:
        return EVENTS_PER_SHARD
    return max(1, min(EVENTS_PER_SHARD, NODES_PER_SHARD // task.inputs.cap))


def without(
    found: Sequence[Identified], skipped: Sequence[SkippedFile], bad: Sequence[SkippedFile]
) -> tuple[list[Identified], list[SkippedFile]]:
    """The inputs without those of ``bad``, which join ``skipped``."""
    reasons = {(entry.sample, entry.path, entry.sha256): entry for entry in bad}
    taken = [entry for entry in found if (key := key_of(entry.file)) not in reasons]
    return taken, [*skipped, *(reasons[key] for entry in found if (key := key_of(entry.file)) in reasons)]


def key_of(file: InputFile) -> tuple[str, str, str]:
    """What tells one input from another."""
    return file.sample, file.path, file.sha256
