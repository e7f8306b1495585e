"""The books of a build: every shard's footer is read, the numbers must add up, and the manifest says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from e2egraph import __version__
from e2egraph.config import as_dict, digest
from e2egraph.errors import InputError
from e2egraph.graphs.building.cutflow import check, total
from e2egraph.graphs.building.inputs import Identified
from e2egraph.graphs.building.planning import BuildOptions
from e2egraph.graphs.building.working import check_selected
from e2egraph.graphs.making.chunk import Chunk
from e2egraph.graphs.storage.columns import SPLITS
from e2egraph.graphs.storage.manifest import SCHEMA_VERSION, InputFile, Manifest, Shard, SkippedFile
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.graphs.storage.verification import sha256_of
from e2egraph.tasks.task import TaskConfig


def account(
    task: TaskConfig,
    found: Sequence[Identified],
    inputs: Sequence[InputFile],
    chunks: Sequence[Chunk],
    skipped: Sequence[SkippedFile],
    duplicates: int,
    folder: Path,
    options: BuildOptions,
) -> Manifest:
    """Read every shard's footer in ``folder``, check that the numbers add up, drop empty shards: the manifest."""
    shards: list[Shard] = []
    footers: list[dict[str, Any]] = []
    for chunk in chunks:
        footer, shard = _checked(folder, chunk, task)
        footers.append(footer)
        if shard.jets:
            shards.append(shard)
    selected = [{name: sum(splits.values()) for name, splits in footer["counts"].items()} for footer in footers]
    check_selected(task, chunks, [footer["cutflow"] for footer in footers], selected)

    names = list(dict.fromkeys(entry.sample for entry in inputs))
    members = {
        name: [footer for footer, chunk in zip(footers, chunks, strict=True) if chunk.input.sample == name]
        for name in names
    }
    cutflow, removed, nodes, particles = (
        {name: total(footer.get(what, {}) for footer in own) for name, own in members.items()}
        for what in ("cutflow", "removed", "nodes", "particles")
    )
    counts = {name: total(footer["counts"][name] for footer in footers) for name in task.classes}
    for name in names:
        left = sum(sum(splits.values()) for footer in members[name] for splits in footer["counts"].values())
        check(str(folder), cutflow[name], removed[name], left)
        if cutflow[name]["events"] != sum(entry.events for entry in inputs if entry.sample == name):
            raise InputError(f"{folder}: sample '{name}' lost events; remove that folder and build again.")
    for chunk, footer in zip(chunks, footers, strict=True):
        if list(footer["cutflow"].values())[-1] == 0:
            (folder / chunk.shard).unlink()
    return Manifest(
        schema_version=SCHEMA_VERSION,
        software_version=__version__,
        task=task.name,
        classes=list(task.classes),
        configuration=as_dict(task),
        configuration_sha256=digest(task),
        network_inputs=task.network_inputs,
        inputs=list(inputs),
        shards=shards,
        cutflow=cutflow,
        removed=removed,
        counts={name: {split: counts[name].get(split, 0) for split in SPLITS} for name in task.classes},
        nodes=nodes,
        particles=particles if task.elements is not None else {},
        skipped=list(skipped),
        duplicates=duplicates,
        missing=sorted({f"{entry.file.path}: {branch}" for entry in found for branch in entry.lacks}),
        source=as_dict(options.source),
        remarks=sorted({f"{entry.file.path}: {remark}" for entry in found for remark in entry.remarks}),
    )


def _checked(folder: Path, chunk: Chunk, task: TaskConfig) -> tuple[dict[str, Any], Shard]:
    """A shard's footer and entry in the manifest; InputError when it is not what this build wrote."""
    path = folder / chunk.shard
    with open_shard(path) as file:
        footer, jets = file.footer, sum(file.sizes)
        nodes = int(np.sum(file.read(["n_nodes"]).jets["n_nodes"], dtype=np.int64))
    counted = sum(number for splits in footer["counts"].values() for number in splits.values())
    if footer["configuration_sha256"] != digest(task) or counted != jets:
        raise InputError(f"{path}: not what this build wrote; remove {folder} and build again.")
    if footer["cutflow"]["events"] != chunk.stop - chunk.start or footer["nodes"]["kept"] != nodes:
        raise InputError(f"{path}: holds another number of events or nodes than were read; remove {folder}.")
    check(str(folder), footer["cutflow"], footer["removed"], jets)
    return footer, Shard(chunk.shard, chunk.input.sample, jets, nodes, path.stat().st_size, sha256_of(path))
