"""``benchmark build``: rate of building point clouds with one and with two workers, peak memory by file size, and CPU
an event next to another version's."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from e2egraph.benchmark.report import Record, timed
from e2egraph.benchmark.versions import THIS, ratio_records, run_version, versions
from e2egraph.errors import InputError
from e2egraph.events import locations
from e2egraph.events.samples import Sample
from e2egraph.events.sources.registry import SourceOptions, opened
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


# Run in a process of its own. What is imported before the build is not counted.
_CODE = """
import inspect, json, resource, sys
from pathlib import Path
from e2egraph.events.samples import parse_samples
from e2egraph.graphs.building.build import build
from e2egraph.tasks.task import load_task

content = json.loads(sys.argv[1])
task = load_task(content["task"], content["settings"])
by_particle = task.truth.class_by == "particle"
how = {"by_particle": by_particle, "may_share": not by_particle}
how = {name: how[name] for name in how if name in inspect.signature(parse_samples).parameters}
before = resource.getrusage(resource.RUSAGE_SELF)
found = build(task, parse_samples(content["samples"], task.classes, **how), Path(content["output"])).manifest
after = resource.getrusage(resource.RUSAGE_SELF)
seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
events = sum(entry.events for entry in found.inputs)
print(json.dumps({"us": 1e6 * seconds / events, "events": events, "digest": found.digest}))
"""


def benchmark_against(
    task: str,
    settings: Sequence[str],
    samples: Sequence[str],
    against: Path,
    *,
    repeats: int = 3,
    progress: Progress | None = None,
) -> list[Record]:
    """CPU per event of this version and of that in folder ``against``, alternately, each in a process of its own.

    ``samples``: as ``--sample`` takes them. The last record says whether both wrote the same shards, byte for byte.
    """
    folders = versions(against)
    values: dict[str, list[float]] = {case: [] for case in folders}
    digests: set[str] = set()
    events = 0
    for turn in range(repeats):
        for place, (case, folder) in enumerate(folders.items()):
            with tempfile.TemporaryDirectory() as output:
                content = {"task": task, "settings": [*settings], "samples": [*samples], "output": f"{output}/data"}
                found = run_version(folder, _CODE, [json.dumps(content)], Path(output) / "cache")
            values[case].append(found["us"])
            digests.add(found["digest"])
            events = found["events"]
            if progress is not None:
                progress(turn * len(folders) + place + 1, repeats * len(folders))
    records = ratio_records("cpu_us_per_event", values, "us", events, "all steps but imports")
    return [*records, Record(THIS, events, "same_bytes", float(len(digests) == 1), "", "shards of both versions")]


def _build(task: TaskConfig, samples: Sequence[Sample], output: Path, workers: int) -> BuildSummary:
    return build(task, samples, output, workers=workers)


def peak_memory(task: TaskConfig, sample: Sample, path: str, folder: Path) -> int:
    """Largest resident size [bytes] of a fresh process that makes every shard of a file, one after the other."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_build_file, task, sample, path, folder).result()


def _build_file(task: TaskConfig, sample: Sample, path: str, folder: Path) -> int:
    options = SourceOptions()
    with opened(path, options) as source:
        entry = InputFile(sample.name, sample.of_class, path, _size(path), "", entries(source))
    for chunk in plan([entry], task, options):
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
