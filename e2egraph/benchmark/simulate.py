"""``benchmark simulate``: how long it takes to begin, with an empty cache and with a kept start, and CPU per event."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from e2egraph.benchmark.report import Record
from e2egraph.benchmark.versions import ratio_records, run_version, versions

Progress = Callable[[int, int], None]

# Run in a process of its own, so that nothing is imported or begun before. Figures: seconds, and ms of CPU per event.
_CODE = """
import json, sys, time
from e2egraph.simulation import batch
from e2egraph.simulation.simulate import Simulation, read_settings

name, seed, events = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
jets, cluster = [0.0], batch.cluster

def timed(*given):
    start = time.process_time()
    found = cluster(*given)
    jets[0] += time.process_time() - start
    return found

batch.cluster = timed
config = read_settings(name)
wall, cpu = time.perf_counter(), time.process_time()
simulation = Simulation(config, seed, name)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
figures = {"startup_seconds": wall, "startup_cpu_seconds": cpu}
if events:
    simulation.batch(0, min(events, 10))
    jets[0], start = 0.0, time.process_time()
    simulation.batch(1, events)
    figures["cpu_ms_per_event"] = 1e3 * (time.process_time() - start) / events
    figures["jets_cpu_ms_per_event"] = 1e3 * jets[0] / events
print(json.dumps(figures))
"""

_NOTES = {
    "startup_seconds": "wall time until the first event can be generated",
    "startup_cpu_seconds": "CPU time until the first event can be generated",
    "cpu_ms_per_event": "generation and detector, without writing",
    "jets_cpu_ms_per_event": "clustering, grooming and N-subjettiness",
}
_UNITS = {"cpu_ms_per_event": "ms", "jets_cpu_ms_per_event": "ms"}


def benchmark_simulate(
    process: str,
    *,
    events: int,
    seed: int = 1,
    repeats: int = 3,
    against: Path | None = None,
    progress: Progress | None = None,
) -> list[Record]:
    """Start the simulation of ``process`` with an empty cache, and another seed of it with what that run has kept.

    ``against``: folder of another version, which takes turns with this one. Each of ``repeats`` turns begins with an
    empty cache and the next seed. InputError when one of them fails.
    """
    folders = versions(against)
    cold: dict[str, dict[str, list[float]]] = {}
    kept: dict[str, dict[str, list[float]]] = {}
    for turn in range(repeats):
        for place, (case, folder) in enumerate(folders.items()):
            with tempfile.TemporaryDirectory() as cache:
                for into, first, number in ((cold, seed, 0), (kept, seed + repeats, events)):
                    arguments = [process, str(first + turn), str(number)]
                    for metric, value in run_version(folder, _CODE, arguments, Path(cache)).items():
                        into.setdefault(metric, {}).setdefault(case, []).append(value)
            if progress is not None:
                progress(turn * len(folders) + place + 1, repeats * len(folders))
    records = []
    for name, found, what in (("cold", cold, "empty cache"), ("kept", kept, "second run, another seed")):
        for metric, values in found.items():
            starting = metric.startswith("startup")
            label, note = (f"{name}_{metric}", f"{_NOTES[metric]}, {what}") if starting else (metric, _NOTES[metric])
            records += ratio_records(label, values, _UNITS.get(metric, "s"), 1 if starting else events, note)
    return records
