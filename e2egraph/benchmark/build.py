"""``benchmark build``: rate of building point clouds with one and with two workers, and peak memory by file size."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from e2egraph.benchmark.report import Record, timed
from e2egraph.errors import InputError
from e2egraph.events import locations
from e2egraph.events.samples import Sample
from e2egraph.events.sources.registry import SourceOptions, open_source
from e2egraph.graphs.building.build import BuildSummary, build, plan
from e2egraph.graphs.making.chunk import build_shard, entries
from e2egraph.graphs.storage.manifest import InputFile
from e2egraph.tasks.task import TaskConfig

WORKERS = (1, 2)

Progress = Callable[[int, int], None]


def benchmark_build(task: TaskConfig, samples: Sequence[Sample], *, progress: Progress | None = None) -> list[Record]:
    """Build the same inputs with one worker and with two, and one small and one large file in fresh processes.

    The inputs are read once before, so that all runs find them in the file cache.
    """
    paths = sorted((str(path) for sample in samples for path in sample.paths), key=_size)
    runs = len(WORKERS) + 2
    advance = progress or (lambda done, of: None)
    for path in paths:
        locations.size_and_sha256(path)
    records: list[Record] = []
    rates: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, workers in enumerate(WORKERS):
            seconds, summary = timed(partial(_build, task, samples, Path(folder) / str(workers), workers))
            events = sum(entry.events for entry in summary.manifest.inputs)
            jets = sum(shard.jets for shard in summary.manifest.shards)
            rates[workers] = events / seconds
            case = f"{workers} worker{'s' if workers > 1 else ''}"
            records += [
                Record(case, events, "events_per_second", events / seconds, "1/s", "all steps, process start included"),
                Record(case, jets, "jets_per_second", jets / seconds, "1/s", "selected jets"),
                Record(case, events, "seconds", seconds, "s"),
            ]
            advance(number + 1, runs)
        records.append(Record("2 workers", 2, "rate_over_1_worker", rates[2] / rates[1], ""))
        sample_of = {str(path): sample for sample in samples for path in sample.paths}
        for number, path in enumerate(dict.fromkeys((paths[0], paths[-1]))):
            peak = peak_memory(task, sample_of[path], path, Path(folder))
            note = f"{_size(path) / 1e6:.0f} MB file, all of its shards in a fresh process"
            records.append(Record("1 worker", _size(path), "peak_resident_bytes", peak, "B", note))
            advance(len(WORKERS) + number + 1, runs)
    return records


def _build(task: TaskConfig, samples: Sequence[Sample], output: Path, workers: int) -> BuildSummary:
    return build(task, samples, output, workers=workers)


def peak_memory(task: TaskConfig, sample: Sample, path: str, folder: Path) -> int:
    """Largest resident size [bytes] of a fresh process that makes every shard of a file, one after the other."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_build_file, task, sample, path, folder).result()


def _build_file(task: TaskConfig, sample: Sample, path: str, folder: Path) -> int:
    options = SourceOptions()
    entry = InputFile(sample.name, sample.of_class, path, _size(path), "", entries(open_source(path, options)))
    for chunk in plan([entry], options):
        build_shard(chunk, task, {}, folder)
        (folder / chunk.shard).unlink()
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise InputError("/proc/self/status: no VmHWM; peak memory is measured on Linux alone.")


def _size(path: str) -> int:
    if locations.is_remote(path):
        raise InputError(f"{path}: the build benchmark reads local files; copy it first.")
    return locations.local_path(path).stat().st_size
