"""``build-graphs``: input files → a data set folder, the same bytes however many workers made it.

The work goes on in ``OUTPUT.partial`` beside the output and is renamed once complete, so that the output exists whole
or not at all. A killed build leaves that folder, and the same command goes on from it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from e2egraph import __version__
from e2egraph.config import as_dict, digest
from e2egraph.errors import InputError
from e2egraph.events.samples import Sample
from e2egraph.graphs.chunk import EVENTS_PER_SHARD, Chunk, Scan, build_shard, check_source, open_source, scan
from e2egraph.graphs.manifest import (
    MANIFEST_NAME,
    SCHEMA_VERSION,
    InputFile,
    Manifest,
    Shard,
    read_manifest,
    sha256_of,
    write_manifest,
)
from e2egraph.graphs.resampling import keep_probabilities
from e2egraph.graphs.shards import open_shard, read_footer
from e2egraph.graphs.task import TaskConfig

PLAN_NAME = "plan.json"

# Called with (steps done, steps in all).
Progress = Callable[[int, int], None]
Mapper = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]
T = TypeVar("T")


@dataclass(frozen=True)
class BuildSummary:
    """What a build left: the folder, its manifest, and whether it was there complete before."""

    output: Path
    manifest: Manifest
    already_complete: bool


def build(
    task: TaskConfig, samples: Sequence[Sample], output: Path, *, workers: int = 1, progress: Progress | None = None
) -> BuildSummary:
    """Build the data set of ``task`` from ``samples`` (one a class) in folder ``output``.

    InputError, with nothing left behind: an unreadable or unsuitable input, a class of which no jet is selected, or an
    output folder with other content.
    """
    with _mapper(workers) as run:
        inputs = list(run(_identify, [(sample.name, path, task) for sample in samples for path in sample.paths]))
        if _already_there(output, task, [entry for entry, _ in inputs]):
            return BuildSummary(output, read_manifest(output), already_complete=True)
        chunks = _plan(inputs)
        staging = _staging(output, task, chunks)
        try:
            _work(task, chunks, staging, run, progress)
        except InputError:
            shutil.rmtree(staging)
            raise
    manifest = _finish(task, [entry for entry, _ in inputs], chunks, staging)
    staging.replace(output)
    return BuildSummary(output, manifest, already_complete=False)


def _identify(given: tuple[str, Path, TaskConfig]) -> tuple[InputFile, int]:
    """An input's identity and its number of events, once it is known to serve the task."""
    sample, path, task = given
    source = open_source(path)
    check_source(source, task, sample)
    return InputFile(sample, str(path), path.stat().st_size, sha256_of(path)), source.n_events


def _plan(inputs: list[tuple[InputFile, int]]) -> list[Chunk]:
    chunks: list[Chunk] = []
    for entry, events in inputs:
        for start in range(0, events, EVENTS_PER_SHARD):
            name = f"part-{len(chunks):05d}.parquet"
            chunks.append(Chunk(name, entry, start, min(start + EVENTS_PER_SHARD, events)))
    return chunks


def _already_there(output: Path, task: TaskConfig, inputs: list[InputFile]) -> bool:
    if not output.exists():
        return False
    if not output.is_dir():
        raise InputError(f"{output}: is a file; choose another --output.")
    if not any(output.iterdir()):
        output.rmdir()
        return False
    if not (output / MANIFEST_NAME).is_file():
        raise InputError(f"{output}: the folder holds other things; choose a new or empty --output.")
    manifest = read_manifest(output)
    same = manifest.configuration_sha256 == digest(task) and manifest.inputs == inputs
    if not same or manifest.software_version != __version__:
        raise InputError(
            f"{output}: holds a data set of another configuration, version or input; choose another --output or "
            "remove that folder."
        )
    return True


def _staging(output: Path, task: TaskConfig, chunks: list[Chunk]) -> Path:
    """The folder to work in: a new one, or that of an interrupted build of exactly the same plan."""
    staging = output.with_name(output.name + ".partial")
    plan = {
        "schema_version": SCHEMA_VERSION,
        "software_version": __version__,
        "configuration_sha256": digest(task),
        "chunks": [asdict(chunk) for chunk in chunks],
    }
    path = staging / PLAN_NAME
    if path.is_file() and json.loads(path.read_text()) == plan:
        for left in staging.glob("*.parquet.partial"):
            left.unlink()
        return staging
    if staging.exists():
        if any(staging.iterdir()) and not path.is_file():
            raise InputError(f"{staging}: in the way of the build and not its own; remove that folder.")
        shutil.rmtree(staging)
    try:
        staging.mkdir(parents=True)
        path.write_text(json.dumps(plan))
    except OSError as error:
        raise InputError(f"{staging}: cannot be written ({error.strerror}); choose another --output.") from error
    return staging


def _work(task: TaskConfig, chunks: list[Chunk], staging: Path, run: Mapper, progress: Progress | None) -> None:
    """Write every shard that is not there yet."""
    scanning = task.resampling is not None
    total = len(chunks) * (2 if scanning else 1)
    done = 0

    def follow(results: Iterable[T]) -> list[T]:
        nonlocal done
        collected = []
        for result in results:
            collected.append(result)
            done += 1
            if progress is not None:
                progress(done, total)
        return collected

    probabilities: dict[str, NDArray[np.float64]] = {}
    if task.resampling is not None:
        scans: list[Scan] = follow(run(partial(scan, task=task), chunks))
        _check_selected(task, chunks, [result.cutflow for result in scans])
        spectra = {
            name: np.sum(
                [
                    found.spectrum
                    for found, chunk in zip(scans, chunks, strict=True)
                    if chunk.input.sample == name and found.spectrum is not None
                ],
                axis=0,
            )
            for name in task.classes
        }
        probabilities = keep_probabilities(spectra, task.resampling)
    left = [chunk for chunk in chunks if not (staging / chunk.shard).is_file()]
    done += len(chunks) - len(left)
    follow(run(partial(_build_one, task=task, probabilities=probabilities, folder=staging), left))
    _check_selected(task, chunks, [read_footer(open_shard(staging / chunk.shard))["cutflow"] for chunk in chunks])


def _build_one(
    chunk: Chunk, task: TaskConfig, probabilities: dict[str, NDArray[np.float64]], folder: Path
) -> dict[str, dict[str, int]]:
    return build_shard(chunk, task, probabilities.get(chunk.input.sample), folder)


def _check_selected(task: TaskConfig, chunks: list[Chunk], cutflows: list[dict[str, int]]) -> None:
    for name in task.classes:
        total = _total([flow for flow, chunk in zip(cutflows, chunks, strict=True) if chunk.input.sample == name])
        if list(total.values())[-1] == 0:
            steps = ", ".join(f"{step} {number}" for step, number in total.items())
            raise InputError(
                f"class '{name}': no jet selected (left after each cut: {steps}); give more events, or loosen the "
                "selection with --set selection.…."
            )


def _total(cutflows: list[dict[str, int]]) -> dict[str, int]:
    return {step: sum(flow[step] for flow in cutflows) for step in cutflows[0]} if cutflows else {}


def _finish(task: TaskConfig, inputs: list[InputFile], chunks: list[Chunk], staging: Path) -> Manifest:
    """Read every shard's footer, check that the numbers add up, drop empty shards and write the manifest."""
    shards = []
    cutflows: dict[str, list[dict[str, int]]] = {name: [] for name in task.classes}
    counts = {name: dict.fromkeys(("train", "validation", "test"), 0) for name in task.classes}
    missing: set[str] = set()
    for chunk in chunks:
        path, sample = staging / chunk.shard, chunk.input.sample
        file = open_shard(path)
        footer = read_footer(file)
        jets = file.metadata.num_rows
        if sum(footer["counts"].values()) != jets or list(footer["cutflow"].values())[-1] != jets:
            raise InputError(f"{path}: cutflow and content differ; remove {staging} and build again.")
        cutflows[sample].append(footer["cutflow"])
        for name, number in footer["counts"].items():
            counts[sample][name] += number
        if jets == 0:
            path.unlink()
            continue
        nodes = int(np.sum(file.read(columns=["n_nodes"])["n_nodes"].to_numpy(), dtype=np.int64))
        shards.append(Shard(chunk.shard, sample, jets, nodes, path.stat().st_size, sha256_of(path)))
    for entry in inputs:
        missing |= {f"{entry.path}: {name}" for name in open_source(Path(entry.path)).missing.branches}
    manifest = Manifest(
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
        cutflow={name: _total(flows) for name, flows in cutflows.items()},
        counts=counts,
        skipped=[],
        missing=sorted(missing),
    )
    (staging / PLAN_NAME).unlink()
    write_manifest(staging, manifest)
    return manifest


@contextmanager
def _mapper(workers: int) -> Iterator[Mapper]:
    """``map`` in this process, or over a pool of fresh ones (forking a process with threads can hang)."""
    if workers <= 1:
        yield map
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            yield pool.map
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
