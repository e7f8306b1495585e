"""``build-graphs``: input files → a data set folder, the same bytes wherever and however often interrupted it was made.

The work goes on in ``OUTPUT.partial`` beside the output and is renamed once complete, so that the output exists whole
or not at all. A killed build leaves that folder, and the same command goes on from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from e2egraph import __version__
from e2egraph.config import as_dict, digest
from e2egraph.errors import InputError
from e2egraph.events.samples import Sample
from e2egraph.events.sources.registry import SourceOptions
from e2egraph.graphs.attempt import Failure, attempt
from e2egraph.graphs.chunk import EVENTS_PER_SHARD, Chunk, Scan, build_shard, scan
from e2egraph.graphs.cutflow import check, total
from e2egraph.graphs.inputs import Identified, check_alike, check_classes, check_duplicates, identify, weighted
from e2egraph.graphs.manifest import (
    MANIFEST_NAME,
    SCHEMA_VERSION,
    InputFile,
    Manifest,
    Shard,
    SkippedFile,
    read_manifest,
    sha256_of,
    write_manifest,
)
from e2egraph.graphs.mapper import Mapper, open_mapper
from e2egraph.graphs.resampling import bin_factors
from e2egraph.graphs.shards import open_shard, read_footer, write_error
from e2egraph.graphs.staging import Staging, open_staging
from e2egraph.tasks.task import TaskConfig

# Called with (steps done, steps in all).
Progress = Callable[[int, int], None]
T = TypeVar("T")


@dataclass(frozen=True)
class BuildOptions:
    """How to build, apart from what. ``workers``: processes; ``dask``: scheduler to use instead; ``source``: what files
    cannot say of themselves; ``skip_bad_files``: leave unreadable and damaged inputs out, and list them;
    ``allow_duplicates``: take events that stand more than once."""

    workers: int = 1
    dask: str | None = None
    source: SourceOptions = field(default_factory=SourceOptions)
    skip_bad_files: bool = False
    allow_duplicates: bool = False


@dataclass(frozen=True)
class BuildSummary:
    """What a build left: the folder, its manifest, and whether it was there complete before."""

    output: Path
    manifest: Manifest
    already_complete: bool


def build(
    task: TaskConfig,
    samples: Sequence[Sample],
    output: Path,
    *,
    options: BuildOptions | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> BuildSummary:
    """Build the data set of ``task`` from ``samples`` (one or more a class) in folder ``output``.

    InputError, with nothing left behind: an unreadable or unsuitable input, events given twice, a class of which no jet
    is selected, or an output folder with other content. UnfinishedError, with finished shards left for the same command
    to go on from: a full disk, a dead worker. ``workers`` stands for ``BuildOptions(workers=…)``.
    """
    options = options or BuildOptions(workers=workers)
    with open_mapper(options.workers, options.dask) as run:
        found, skipped = identify(task, samples, options.source, run, skip_bad_files=options.skip_bad_files)
        if (manifest := _already_there(output, task, samples, found, skipped, options)) is not None:
            return BuildSummary(output, manifest, already_complete=True)
        check_alike(found)
        with open_staging(output) as staging:
            known = staging.skipped_before() if options.skip_bad_files else []
            found, skipped = _without(found, skipped, known)
            while True:
                # A file that turns out bad in the middle leaves no trace: all is planned anew as if it had not been
                # given.
                check_classes(task, found, skipped)
                inputs = weighted(samples, found)
                duplicates = check_duplicates(found, options.source, allow=options.allow_duplicates)
                chunks = plan(inputs, options.source)
                staging.begin(task, chunks, skipped)
                bad = _work(task, chunks, staging, run, progress, tolerant=options.skip_bad_files)
                if not bad:
                    break
                found, skipped = _without(found, skipped, bad)
            manifest = _account(task, found, inputs, chunks, skipped, duplicates, staging.folder, options)
            try:
                write_manifest(staging.folder, manifest)
                staging.finish(output)
            except OSError as error:
                raise write_error(output, error) from error
    return BuildSummary(output, manifest, already_complete=False)


def plan(inputs: Sequence[InputFile], source: SourceOptions) -> list[Chunk]:
    """Every input in chunks of ``EVENTS_PER_SHARD`` events, with the names of their shards."""
    chunks: list[Chunk] = []
    for entry in inputs:
        for start in range(0, entry.events, EVENTS_PER_SHARD):
            name = f"part-{len(chunks):05d}.parquet"
            chunks.append(Chunk(name, entry, start, min(start + EVENTS_PER_SHARD, entry.events), source))
    return chunks


def _without(
    found: list[Identified], skipped: list[SkippedFile], bad: Sequence[SkippedFile]
) -> tuple[list[Identified], list[SkippedFile]]:
    """The inputs without those of ``bad``, which join ``skipped``."""
    reasons = {(entry.sample, entry.path, entry.sha256): entry for entry in bad}
    taken = [entry for entry in found if (key := _key(entry.file)) not in reasons]
    return taken, [*skipped, *(reasons[key] for entry in found if (key := _key(entry.file)) in reasons)]


def _key(file: InputFile) -> tuple[str, str, str]:
    return file.sample, file.path, file.sha256


def _already_there(
    output: Path,
    task: TaskConfig,
    samples: Sequence[Sample],
    found: list[Identified],
    skipped: list[SkippedFile],
    options: BuildOptions,
) -> Manifest | None:
    """The manifest when ``output`` holds exactly this data set; InputError when it holds anything else."""
    if not output.exists():
        return None
    if not output.is_dir():
        raise InputError(f"{output}: is a file; choose another --output.")
    if not any(output.iterdir()):
        output.rmdir()
        return None
    if not (output / MANIFEST_NAME).is_file():
        raise InputError(f"{output}: the folder holds other things; choose a new or empty --output.")
    manifest = read_manifest(output)
    left, all_skipped = _without(found, skipped, manifest.skipped if options.skip_bad_files else [])
    same = manifest.configuration_sha256 == digest(task) and manifest.source == as_dict(options.source)
    same = same and {(entry.sample, entry.path) for entry in all_skipped} == {
        (entry.sample, entry.path) for entry in manifest.skipped
    }
    if not same or manifest.software_version != __version__ or manifest.inputs != weighted(samples, left):
        raise InputError(
            f"{output}: holds a data set of another configuration, version or input; choose another --output or "
            "remove that folder."
        )
    return manifest


def _work(
    task: TaskConfig, chunks: list[Chunk], staging: Staging, run: Mapper, progress: Progress | None, *, tolerant: bool
) -> list[SkippedFile]:
    """Write every shard that is not there yet; the bad files met, if ``tolerant``."""
    left = [chunk for chunk in chunks if not staging.is_finished(chunk, task)]
    scanned = len(chunks) if task.resampling is not None else 0
    steps, done = len(chunks) + scanned, len(chunks) - len(left)
    bad: dict[tuple[str, str, str], SkippedFile] = {}

    def follow(items: list[Chunk], results: Iterable[T | Failure]) -> list[T]:
        nonlocal done
        collected = []
        for chunk, result in zip(items, results, strict=True):
            if isinstance(result, Failure):
                bad.setdefault(
                    _key(chunk.input),
                    SkippedFile(chunk.input.sample, chunk.input.path, result.reason, chunk.input.sha256),
                )
            else:
                collected.append(result)
            done += 1
            if progress is not None:
                progress(done, steps)
        return collected

    factors: dict[str, NDArray[np.float64]] = {}
    if task.resampling is not None:
        scans: list[Scan] = follow(chunks, run(partial(attempt, partial(scan, task=task), tolerant=tolerant), chunks))
        if bad:
            return list(bad.values())
        _check_selected(task, chunks, [result.cutflow for result in scans])
        factors = bin_factors(_spectra(task, chunks, scans), task.resampling)
    make = partial(_build_one, task=task, factors=factors, folder=staging.folder.absolute())
    follow(left, run(partial(attempt, make, tolerant=tolerant), left))
    return list(bad.values())


def _spectra(task: TaskConfig, chunks: list[Chunk], scans: list[Scan]) -> dict[str, NDArray[np.float64]]:
    """Class → sum of event weights in each pT bin."""
    bins = len(task.resampling.pt_edges) - 1 if task.resampling is not None else 0
    spectra = {name: np.zeros(bins) for name in task.classes}
    for chunk, found in zip(chunks, scans, strict=True):
        if found.spectrum is not None:
            spectra[chunk.input.sample] += chunk.input.weight * found.spectrum
    return spectra


def _build_one(chunk: Chunk, task: TaskConfig, factors: dict[str, NDArray[np.float64]], folder: Path) -> None:
    build_shard(chunk, task, factors.get(chunk.input.sample), folder)


def _check_selected(task: TaskConfig, chunks: list[Chunk], cutflows: list[dict[str, int]]) -> None:
    for name in task.classes:
        flow = total(flow for flow, chunk in zip(cutflows, chunks, strict=True) if chunk.input.sample == name)
        if list(flow.values())[-1] == 0:
            steps = ", ".join(f"{step} {number}" for step, number in flow.items())
            raise InputError(
                f"class '{name}': no jet selected (left after each cut: {steps}); give more events, or loosen the "
                "selection with --set selection.…."
            )


def _account(
    task: TaskConfig,
    found: list[Identified],
    inputs: list[InputFile],
    chunks: list[Chunk],
    skipped: list[SkippedFile],
    duplicates: int,
    folder: Path,
    options: BuildOptions,
) -> Manifest:
    """Read every shard's footer, check that the numbers add up, drop empty shards: the manifest."""
    shards = []
    footers = []
    for chunk in chunks:
        path = folder / chunk.shard
        with open_shard(path) as file:
            footer = read_footer(file)
            jets = file.metadata.num_rows
            nodes = int(np.sum(file.read(columns=["n_nodes"])["n_nodes"].to_numpy(), dtype=np.int64))
        if footer["configuration_sha256"] != digest(task) or sum(footer["counts"].values()) != jets:
            raise InputError(f"{path}: not what this build wrote; remove {folder} and build again.")
        if footer["cutflow"]["events"] != chunk.stop - chunk.start or footer["nodes"]["kept"] != nodes:
            raise InputError(f"{path}: holds another number of events or nodes than were read; remove {folder}.")
        check(str(folder), footer["cutflow"], footer["removed"], jets)
        footers.append(footer)
        if jets:
            shards.append(Shard(chunk.shard, chunk.input.sample, jets, nodes, path.stat().st_size, sha256_of(path)))
    _check_selected(task, chunks, [footer["cutflow"] for footer in footers])

    def by_class(what: str) -> dict[str, dict[str, int]]:
        return {
            name: total(
                footer[what] for footer, chunk in zip(footers, chunks, strict=True) if chunk.input.sample == name
            )
            for name in task.classes
        }

    cutflow, removed, counts = (by_class(what) for what in ("cutflow", "removed", "counts"))
    for name in task.classes:
        check(str(folder), cutflow[name], removed[name], sum(counts[name].values()))
        if cutflow[name]["events"] != sum(entry.events for entry in inputs if entry.sample == name):
            raise InputError(f"{folder}: class '{name}' lost events; remove that folder and build again.")
    for chunk, footer in zip(chunks, footers, strict=True):
        if list(footer["cutflow"].values())[-1] == 0:
            (folder / chunk.shard).unlink()
    return Manifest(
        schema_version=SCHEMA_VERSION,
        software_version=__version__,
        task=task.name,
        classes=list(task.classes),
        signal=task.signal,
        targets=list(task.targets),
        configuration=as_dict(task),
        configuration_sha256=digest(task),
        inputs=inputs,
        shards=shards,
        cutflow=cutflow,
        removed=removed,
        counts=counts,
        nodes=by_class("nodes"),
        skipped=skipped,
        duplicates=duplicates,
        missing=sorted({f"{entry.file.path}: {branch}" for entry in found for branch in entry.lacks}),
        source=as_dict(options.source),
    )
