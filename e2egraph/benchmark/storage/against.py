"""``benchmark io --against``: batches in this version of e2egraph and in another, each from a data set of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from e2egraph.benchmark.report import Record
from e2egraph.benchmark.versions import OTHER, THIS, ratio_records, run_version, versions

Progress = Callable[[int, int], None]

# Run in a process of its own, by what both versions have; where there are no ragged batches, the padded ones stand for
# them. One epoch is read first, whose first batch counts; then one of each kind.
_CODE = """
import json, sys, time
from pathlib import Path
import torch
from e2egraph.data.options import DataOptions
from e2egraph.data.table import read_table
try:
    from e2egraph.data.loading.loader import training_loader
except ImportError:
    from e2egraph.data.loader import training_loader

torch.set_num_threads(1)
table = read_table(Path(sys.argv[1]))

def epoch(number, ragged):
    loader = training_loader(table, DataOptions(), 64, seed=1, epoch=number)
    if ragged and hasattr(loader, "ragged"):
        loader = loader.ragged()
    cpu, wall, first, jets = time.process_time(), time.perf_counter(), None, 0
    for batch in loader:
        first = first or time.perf_counter() - wall
        jets += len(batch)
    return first, 1e6 * (time.process_time() - cpu) / jets, jets / (time.perf_counter() - wall), jets

epoch(0, False)
found = {"jets": len(table), "bytes_per_jet": sum(shard.size for shard in table.manifest.shards) / len(table)}
for ragged in (False, True):
    first, cpu, rate, jets = epoch(1, ragged)
    kind = "ragged" if ragged else "padded"
    found |= {f"{kind}_cpu_us_per_jet": cpu, f"{kind}_jets_per_second": rate, f"{kind}_first_batch_seconds": first}
print(json.dumps(found))
"""

_UNITS = {
    "bytes_per_jet": "B",
    "padded_cpu_us_per_jet": "us",
    "padded_jets_per_second": "1/s",
    "padded_first_batch_seconds": "s",
    "ragged_cpu_us_per_jet": "us",
    "ragged_jets_per_second": "1/s",
    "ragged_first_batch_seconds": "s",
}


def io_against(
    data: Path, against: Path, against_data: Path, *, repeats: int = 3, progress: Progress | None = None
) -> list[Record]:
    """Bytes per jet, and an epoch of training batches: CPU time per jet, jets per second, seconds to the first batch,
    here with ``data`` and in folder ``against`` with ``against_data``, which it built from the same files.

    Turns in fresh processes, from a warm file cache. InputError when ``against`` holds no e2egraph, or its
    version cannot read the data set.
    """
    folders, sets = versions(against), {THIS: data, OTHER: against_data}
    values: dict[str, dict[str, list[float]]] = {metric: {case: [] for case in folders} for metric in _UNITS}
    jets = 0
    for turn in range(repeats):
        for place, (case, folder) in enumerate(folders.items()):
            with tempfile.TemporaryDirectory() as cache:
                found = run_version(folder, _CODE, [str(sets[case].absolute())], Path(cache))
            jets = found["jets"]
            for metric, turns in values.items():
                turns[case].append(found[metric])
            if progress is not None:
                progress(turn * len(folders) + place + 1, repeats * len(folders))
    return [
        record
        for metric, turns in values.items()
        for record in ratio_records(metric, turns, _UNITS[metric], jets, "batches of 64")
    ]
