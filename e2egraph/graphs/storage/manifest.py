"""``manifest.json``: what a data set holds, from what and how it was made; reading refuses what does not match it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from e2egraph.errors import InputError, UsageError
from e2egraph.files import write_json
from e2egraph.graphs.storage.columns import object_types
from e2egraph.graphs.storage.verification import verify_shards
from e2egraph.tasks.inputs import Inputs, read_inputs
from e2egraph.tasks.objectives.objective import Objective, make_objective
from e2egraph.tasks.objects.naming import ObjectName, object_name
from e2egraph.tasks.objects.objects import ObjectKind
from e2egraph.tasks.objects.registry import kinds
from e2egraph.tasks.task import import_extensions

MANIFEST_NAME = "manifest.json"

# What folders are that hold these files, and no data sets.
OTHER_FOLDERS = {"config.yaml": "a run", "metadata.json": "a bundle"}
SCHEMA_VERSION = 3


@dataclass(frozen=True)
class InputFile:
    """One input: the ``sample`` it belongs to and the class that is given for (None: particles decide); ``size`` in
    bytes; ``weight`` of each of its events, next to what the generator gives them."""

    sample: str
    of_class: str | None
    path: str
    size: int
    sha256: str
    events: int = 0
    weight: float = 1.0


@dataclass(frozen=True)
class SkippedFile:
    """An input left out by ``--skip-bad-files`` and why; ``sha256`` is empty where the file was bad from the start."""

    sample: str
    path: str
    reason: str
    sha256: str = ""


@dataclass(frozen=True)
class Shard:
    """One Parquet file of the data set; ``size`` in bytes."""

    name: str
    sample: str
    jets: int
    nodes: int
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The content of ``manifest.json``.

    ``classes`` in label order; ``configuration``: the whole task; ``network_inputs``: what networks read;
    ``cutflow``: sample → step → objects left after it; ``removed``: sample → cut → objects it removed; ``counts``:
    class → split → objects; ``nodes``: sample → ``nodes.node_outcomes`` → deposits in the regions of its objects;
    ``particles``: sample → what became of true particles, in number and in GeV (particle flow alone);
    ``skipped``: inputs left out; ``duplicates``: events that occur more than once, where that was allowed;
    ``missing``: what inputs could not fill (such columns hold 0); ``source``: how inputs were read (``SourceOptions``).
    """

    schema_version: int
    software_version: str
    task: str
    classes: list[str]
    configuration: dict[str, Any]
    configuration_sha256: str
    network_inputs: Inputs
    inputs: list[InputFile]
    shards: list[Shard]
    cutflow: dict[str, dict[str, int]]
    counts: dict[str, dict[str, int]]
    skipped: list[SkippedFile]
    missing: list[str] = field(default_factory=list)
    removed: dict[str, dict[str, int]] = field(default_factory=dict)
    nodes: dict[str, dict[str, int]] = field(default_factory=dict)
    particles: dict[str, dict[str, float]] = field(default_factory=dict)
    duplicates: int = 0
    source: dict[str, Any] = field(default_factory=dict)

    @property
    def numbers(self) -> dict[str, int]:
        """Channel name → number in the shards."""
        return {channel.name: channel.number for channel in self.network_inputs.channels}

    @property
    def lacking(self) -> list[str]:
        """Fields of the event record that some of its input files could not fill (``missing`` without the files)."""
        return sorted({entry.rpartition(": ")[2] for entry in self.missing})

    @cached_property
    def objective(self) -> Objective:
        """What is learnt. UsageError when it needs an extension that cannot be imported."""
        origin = f"task {self.task}"
        import_extensions(self.configuration.get("extensions") or (), origin)
        return make_objective(self.configuration["objective"], origin)

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the targets stored, without their prefix."""
        return self.objective.target_names

    @property
    def object_columns(self) -> tuple[str, ...]:
        """Plain columns of the shards, in order."""
        return tuple(object_types(self.object_kind, self.targets))

    @property
    def object_kind(self) -> ObjectKind:
        """What its objects are."""
        return kinds()[self.configuration["object"]["kind"]]

    @property
    def object_name(self) -> ObjectName:
        """What its objects are called."""
        return object_name(self.configuration)

    @property
    def hashes(self) -> dict[str, str]:
        """Shard → its SHA-256."""
        return {shard.name: shard.sha256 for shard in self.shards}

    @property
    def digest(self) -> str:
        """SHA-256 over the shards' own hashes: identifies the data set's content."""
        return sha256("\n".join(f"{shard.name} {shard.sha256}" for shard in self.shards).encode()).hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> Path:
    """Write ``manifest.json`` next to its name and rename it, so that it is there whole or not at all."""
    path = folder / MANIFEST_NAME
    write_json(path, asdict(manifest))
    return path


def read_manifest(folder: Path, *, rehash: bool = False) -> Manifest:
    """Read and check a data set: its manifest, and presence, size and SHA-256 of its shards; else InputError.

    A shard is hashed once on a machine, as long as the file does not change (``verification``); ``rehash``: always.
    """
    path = folder / MANIFEST_NAME
    if folder.is_file():
        inside = (folder.parent / MANIFEST_NAME).is_file()
        instead = str(folder.parent) if inside else "one that 'e2egraph build-graphs' made"
        raise InputError(f"{folder}: is a file, and a data set is a folder; give {instead}.")
    if not folder.is_dir():
        raise InputError(f"{folder}: no such data set; make it with 'e2egraph build-graphs --output {folder}'.")
    if not path.is_file():
        others = sorted(str(found.parent) for found in folder.glob(f"*/{MANIFEST_NAME}"))
        instead = f"give one of those in it, such as {others[0]}" if others else "finish it with build-graphs"
        for name, what in OTHER_FOLDERS.items():
            if (folder / name).is_file():
                raise InputError(f"{folder}: is {what} and no data set; give a folder made by 'e2egraph build-graphs'.")
        raise InputError(f"{folder}: not a complete data set ({MANIFEST_NAME} is missing); {instead}.")
    try:
        written = path.read_bytes()
        content = json.loads(written.decode("utf-8"))
        version = content["schema_version"]
    except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: damaged manifest; build the data set again.") from error
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{path}: schema version {version}, but this e2egraph reads {SCHEMA_VERSION}; build the data set again in "
            "another folder, or use the e2egraph that made it."
        )
    try:
        inputs = [InputFile(**entry) for entry in content.pop("inputs")]
        shards = [Shard(**entry) for entry in content.pop("shards")]
        skipped = [SkippedFile(**entry) for entry in content.pop("skipped")]
        networks = read_inputs(content.pop("network_inputs"), str(path))
        manifest = Manifest(inputs=inputs, shards=shards, skipped=skipped, network_inputs=networks, **content)
    except (KeyError, TypeError, UsageError) as error:
        raise InputError(f"{path}: damaged manifest ({error}); build the data set again.") from error
    for shard in manifest.shards:
        file = folder / shard.name
        if not file.is_file():
            raise InputError(f"{file}: shard missing from the data set; build it again.")
        if file.stat().st_size != shard.size:
            raise InputError(f"{file}: shard altered after the build (size differs); build the data set again.")
    verify_shards(folder, manifest.hashes, sha256(written).hexdigest(), rehash=rehash)
    return manifest


def files_of(folder: Path, manifest: Manifest) -> list[Path]:
    """The files of a data set: the manifest and all shards."""
    return [folder / MANIFEST_NAME, *(folder / shard.name for shard in manifest.shards)]
