"""``benchmark kernels --against``: a step of graph networks in this version of e2egraph and in another, alternately."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from e2egraph.benchmark.kernels.kernels import DEPTH, NODES, REPEATS, TOTAL_NODES, WIDTH, kernel_configs
from e2egraph.benchmark.report import Record
from e2egraph.benchmark.versions import ratio_records, run_version, versions

Progress = Callable[[int, int], None]

# Run in a process of its own, by what both versions have. The first step of each size is not counted.
_CODE = """
import json, sys, time
import torch
from e2egraph.benchmark.kernels.kernel_case import INPUTS, OUTPUTS
from e2egraph.benchmark.kernels.kernels import full_jets
from e2egraph.models.registry import build_model, load_model_config

torch.set_num_threads(1)
content = json.loads(sys.argv[1])
found = {}
for name in content["models"]:
    torch.manual_seed(0)
    model = build_model(load_model_config(name, content["settings"]), INPUTS, OUTPUTS).train()
    for n in content["nodes"]:
        inputs = full_jets(content["total_nodes"] // n, n)
        for _ in range(2):
            model.zero_grad()
            start = time.process_time()
            scores = model(*inputs)
            forward = time.process_time() - start
            scores.square().sum().backward()
            found[f"{name} {n}"] = [forward, time.process_time() - start]
print(json.dumps(found))
"""
_METRICS = ("forward_cpu_seconds", "train_cpu_seconds")


def kernels_against(
    models: Sequence[str],
    against: Path,
    *,
    nodes: Sequence[int] = NODES,
    total_nodes: int = TOTAL_NODES,
    width: int = WIDTH,
    depth: int = DEPTH,
    repeats: int = REPEATS,
    progress: Progress | None = None,
) -> list[Record]:
    """CPU time of a forward pass and of a training step of networks (names or YAML files; none: all shipped) at each
    size, here and in folder ``against``: turns in fresh processes of one thread. Networks and batches are those of
    ``benchmark_kernels``.

    InputError when ``against`` holds no e2egraph, or one that does not have these networks; UsageError as there.
    """
    shipped = [config.name for config in kernel_configs(models, width, depth)]
    names = list(dict.fromkeys(models)) or shipped
    content = {
        "models": names,
        "settings": [f"options.width={width}", f"options.depth={depth}", "options.merge=[]"],
        "nodes": list(nodes),
        "total_nodes": total_nodes,
    }
    folders = versions(against)
    turns: dict[str, dict[str, list[list[float]]]] = {f"{name} {n}": {} for name in names for n in nodes}
    for turn in range(repeats):
        for place, (case, folder) in enumerate(folders.items()):
            with tempfile.TemporaryDirectory() as cache:
                found = run_version(folder, _CODE, [json.dumps(content)], Path(cache))
            for key, seconds in found.items():
                turns[key].setdefault(case, []).append(seconds)
            if progress is not None:
                progress(turn * len(folders) + place + 1, repeats * len(folders))
    records = []
    for name in names:
        for n in nodes:
            for column, metric in enumerate(_METRICS):
                values = {case: [found[column] for found in steps] for case, steps in turns[f"{name} {n}"].items()}
                note = f"{name}, a batch of {total_nodes // n} × {n} nodes"
                records += ratio_records(f"{name}_{metric}", values, "s", n, note)
    return records
