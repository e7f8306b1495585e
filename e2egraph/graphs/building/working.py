"""The work of a build: scan the chunks where spectra are resampled, then write the shards that are not there yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from e2egraph.config import as_dict
from e2egraph.errors import InputError
from e2egraph.graphs.building.caught import Failure, caught, known_file
from e2egraph.graphs.building.cutflow import in_words, total
from e2egraph.graphs.building.mapper import Mapper
from e2egraph.graphs.building.planning import key_of
from e2egraph.graphs.building.staging import Staging
from e2egraph.graphs.making.chunk import Chunk, Scan, build_shard, scan
from e2egraph.graphs.making.resampling import bin_factors, check_spectra, number_of_bins
from e2egraph.graphs.storage.manifest import SkippedFile
from e2egraph.tasks.objects.naming import object_name
from e2egraph.tasks.task import Resampling, TaskConfig, import_extensions

# Called with (steps done, steps in all).
Progress = Callable[[int, int], None]
T = TypeVar("T")


def write_shards(
    task: TaskConfig, chunks: list[Chunk], staging: Staging, run: Mapper, progress: Progress | None, *, tolerant: bool
) -> list[SkippedFile]:
    """Write every shard that is not there yet; the bad files met, if ``tolerant``.

    InputError: a bad input (unless ``tolerant``), or a class of which no object is selected.
    """
    left = [chunk for chunk in chunks if not staging.is_finished(chunk, task)]
    scanned = len(chunks) if task.resampling is not None else 0
    steps, done = len(chunks) + scanned, len(chunks) - len(left)
    bad: dict[tuple[str, str, str], SkippedFile] = {}

    def follow(items: list[Chunk], results: Iterable[T | Failure]) -> list[T]:
        nonlocal done
        collected = []
        for chunk, result in zip(items, results, strict=True):
            if isinstance(result, Failure):
                file = chunk.input
                bad.setdefault(key_of(file), SkippedFile(file.sample, file.path, result.reason, file.sha256))
            else:
                collected.append(result)
            done += 1
            if progress is not None:
                progress(done, steps)
        return collected

    factors: dict[str, NDArray[np.float64]] = {}
    if task.resampling is not None:
        scans: list[Scan] = follow(
            chunks, run(partial(caught, partial(_scan_one, task=task), tolerant=tolerant), chunks)
        )
        if bad:
            return list(bad.values())
        check_selected(task, chunks, [found.cutflow for found in scans], [found.selected for found in scans])
        factors = bin_factors(_spectra(task, chunks, scans, task.resampling), task.resampling)
    make = partial(_build_one, task=task, factors=factors, folder=staging.folder.absolute())
    follow(left, run(partial(caught, make, tolerant=tolerant), left))
    return list(bad.values())


def check_selected(
    task: TaskConfig,
    chunks: Sequence[Chunk],
    cutflows: Sequence[Mapping[str, int]],
    selected: Sequence[Mapping[str, int]],
) -> None:
    """InputError when no object of a class was selected."""
    for name in task.classes:
        if sum(counts[name] for counts in selected):
            continue
        members = [flow for flow, chunk in zip(cutflows, chunks, strict=True) if chunk.input.of_class in (None, name)]
        steps = in_words(total(members), object_name(as_dict(task)))
        raise InputError(
            f"class '{name}': no object selected (left after each cut: {steps}); give more events, or loosen the "
            "selection with --set object.…."
        )


def _scan_one(chunk: Chunk, task: TaskConfig) -> Scan:
    import_extensions(task.extensions, f"task {task.name}")
    with known_file(chunk.input.path):
        return scan(chunk, task)


def _build_one(chunk: Chunk, task: TaskConfig, factors: dict[str, NDArray[np.float64]], folder: Path) -> None:
    import_extensions(task.extensions, f"task {task.name}")
    with known_file(chunk.input.path):
        build_shard(chunk, task, factors, folder)


def _spectra(
    task: TaskConfig, chunks: list[Chunk], scans: list[Scan], resampling: Resampling
) -> dict[str, NDArray[np.float64]]:
    """Class → sum of event weights in each bin; InputError where that is none though there are objects."""
    bins = number_of_bins(resampling)
    spectra = {name: np.zeros(bins) for name in task.classes}
    objects = {name: np.zeros(bins, np.int64) for name in task.classes}
    for chunk, found in zip(chunks, scans, strict=True):
        for name, spectrum in found.spectra.items():
            spectra[name] += chunk.input.weight * spectrum
            objects[name] += found.objects[name]
    check_spectra(spectra, objects, resampling)
    return spectra
