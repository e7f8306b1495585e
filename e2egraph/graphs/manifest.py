"""``manifest.json``: what a data set holds, from what and how it was made; reading refuses what does not match it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from e2egraph.errors import InputError

MANIFEST_NAME = "manifest.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class InputFile:
    """One input: ``sample`` is the class it was given for; ``size`` in bytes."""

    sample: str
    path: str
    size: int
    sha256: str


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

    ``classes`` in label order; ``signal`` the class that counts as signal; ``configuration`` the whole task
    configuration; ``cutflow``: sample → step → jets left after it; ``counts``: class → split → jets;
    ``skipped``: inputs left out; ``missing``: what inputs could not fill (such columns hold 0).
    """

    schema_version: int
    software_version: str
    task: str
    classes: list[str]
    signal: str
    targets: list[str]
    configuration: dict[str, Any]
    configuration_sha256: str
    inputs: list[InputFile]
    shards: list[Shard]
    cutflow: dict[str, dict[str, int]]
    counts: dict[str, dict[str, int]]
    skipped: list[str]
    missing: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """SHA-256 over the shards' own hashes: identifies the data set's content."""
        return sha256("\n".join(f"{shard.name} {shard.sha256}" for shard in self.shards).encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read in blocks."""
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> Path:
    """Write ``manifest.json`` beside its name and rename it, so that it is there whole or not at all."""
    path = folder / MANIFEST_NAME
    beside = path.with_suffix(".json.partial")
    beside.write_text(json.dumps(asdict(manifest), indent=1) + "\n")
    beside.replace(path)
    return path


def read_manifest(folder: Path) -> Manifest:
    """Read and check a data set's manifest, the presence and the size of its shards; InputError says what is wrong."""
    path = folder / MANIFEST_NAME
    if not folder.is_dir():
        raise InputError(f"{folder}: no such data set; make it with 'e2egraph build-graphs --output {folder}'.")
    if not path.is_file():
        raise InputError(f"{folder}: not a complete data set ({MANIFEST_NAME} is missing); run build-graphs again.")
    try:
        content = json.loads(path.read_text())
        version = content["schema_version"]
    except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: damaged manifest; build the data set again.") from error
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{path}: schema version {version}, but this e2egraph reads {SCHEMA_VERSION}; "
            "use the e2egraph that made it, or build the data set again."
        )
    try:
        inputs = [InputFile(**entry) for entry in content.pop("inputs")]
        shards = [Shard(**entry) for entry in content.pop("shards")]
        manifest = Manifest(inputs=inputs, shards=shards, **content)
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: damaged manifest ({error}); build the data set again.") from error
    for shard in manifest.shards:
        file = folder / shard.name
        if not file.is_file():
            raise InputError(f"{file}: shard missing from the data set; build it again.")
        if file.stat().st_size != shard.size:
            raise InputError(f"{file}: shard altered after the build (size differs); build the data set again.")
    return manifest


def verify_shards(folder: Path, manifest: Manifest) -> None:
    """Compare every shard with its SHA-256; InputError names the first that was altered."""
    for shard in manifest.shards:
        if sha256_of(folder / shard.name) != shard.sha256:
            raise InputError(f"{folder / shard.name}: shard altered after the build (SHA-256 differs); build it again.")
