"""``benchmark kernels``: time and memory of every graph network against the number of nodes, next to full attention.

Whole networks of equal width and depth without merging (embedding, pooling and head included) on artificial jets with
no padding. The number of nodes in a batch, B·N, is constant, so a cost that is linear in N is the same at every N. In
each turn every model runs once at every size, so that a busy machine slows all equally; medians over the turns count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import numpy as np
import torch

from e2egraph.benchmark.kernels.growth import growth_exponent
from e2egraph.benchmark.kernels.kernel_case import INPUTS, OUTPUTS, Inputs, KernelCase
from e2egraph.benchmark.report import Record
from e2egraph.benchmark.scaling.cores import torch_threads
from e2egraph.benchmark.settings import available_settings
from e2egraph.config import config_names
from e2egraph.errors import UsageError
from e2egraph.export.made_jets import made_jets
from e2egraph.models.graph_network import GraphNetwork
from e2egraph.models.registry import ModelConfig, load_model_config, network_class
from e2egraph.tasks.inputs import Inputs as NodeInputs
from e2egraph.tasks.outputs import Outputs
from e2egraph.tasks.task import load_task

NODES = (256, 1024, 4096, 16384)
TOTAL_NODES = 16384
WIDTH = 64
DEPTH = 3
REPEATS = 3

# Full attention, the denominator of the ratios.
REFERENCE = "transformer"

UNITS = {
    "forward_seconds": "s",
    "train_seconds": "s",
    "onnx_seconds": "s",
    "train_memory_bytes": "B",
    "kept_bytes": "B",
}

# Records of ratio and exponent → the metric they are made of.
RATIOS = {
    "forward_ratio_to_attention": "forward_seconds",
    "train_ratio_to_attention": "train_seconds",
    "train_memory_ratio_to_attention": "train_memory_bytes",
}
EXPONENTS = {
    "growth_exponent": "train_seconds",
    "forward_growth_exponent": "forward_seconds",
    "onnx_growth_exponent": "onnx_seconds",
    "memory_growth_exponent": "train_memory_bytes",
}

Progress = Callable[[int, int], None]


def benchmark_kernels(
    models: Sequence[str] = (), *, nodes: Sequence[int] = NODES, total_nodes: int = TOTAL_NODES, width: int = WIDTH,
    depth: int = DEPTH, repeats: int = REPEATS, threads: int = 1, task: str | None = None, attention: bool = True,
    onnx: bool = False, progress: Progress | None = None,
) -> list[Record]:  # fmt: skip
    """Measure graph networks (names or YAML files; none: all that are shipped) and ``transformer`` at each size.

    ``task``: what networks read and the region they see, such as all of φ, and whether they give numbers of nodes (as
    for particle flow); jets of the first tasks where not given. ``onnx``: ONNX Runtime on one thread is timed too.
    ``attention``: whether ``transformer``, whose time at large sizes is most of all, is measured too.
    Where there is a GPU, it is measured as well, in bfloat16, eager and compiled. UsageError: an unknown model, one
    that is no graph network, or a number of nodes that does not divide ``total_nodes``.
    """
    for n in nodes:
        if total_nodes % n:
            raise UsageError(f"--nodes {n}: does not divide --total-nodes {total_nodes}; choose one that does.")
    configs = kernel_configs(models, width, depth, attention)
    read, outputs = _form(task)
    sizes, settings = sorted(set(nodes)), available_settings()
    done, total = 0, len(sizes) * len(settings) * len(configs) * (repeats + 1)
    records: list[Record] = []
    with torch_threads(threads) as used:
        for setting in settings:
            exported = onnx and setting.device == "cpu"
            cases = [KernelCase.of(config, setting, read, outputs, exported) for config in configs]
            with setting.active():
                for repeat, n in product(range(repeats + 1), sizes):
                    inputs = tuple(tensor.to(setting.device) for tensor in full_jets(total_nodes // n, n, read))
                    for case in cases:
                        if repeat == 0:
                            case.measure_memory(inputs)
                        else:
                            case.measure_time(inputs)
                        done += 1
                        if progress is not None:
                            progress(done, total)
            how = setting.describe(used) + (", CPU time" if setting.device == "cpu" and used == 1 else "")
            records += records_of(cases, sizes, total_nodes, how)
    return records


def kernel_configs(models: Sequence[str], width: int, depth: int, attention: bool = True) -> list[ModelConfig]:
    """Full attention (with ``attention``) and the named graph networks (none: all shipped), in one width and depth and
    without merging.

    Configurations that differ in merging alone are one and the same here: the first stands for all.
    """
    settings = (f"options.width={width}", f"options.depth={depth}", "options.merge=[]")
    named = models or [name for name in config_names("models") if _is_graph_network(name)]
    configs: list[ModelConfig] = []
    for name in dict.fromkeys((REFERENCE, *named) if attention else named):
        if not _is_graph_network(name):
            raise UsageError(f"--model {name}: not a graph network; this benchmark compares kernels, choose another.")
        config = load_model_config(name, settings)
        if all((config.network, config.options) != (other.network, other.options) for other in configs):
            configs.append(config)
    return configs


def full_jets(n_jets: int, n: int, read: NodeInputs = INPUTS) -> Inputs:
    """A network's inputs for ``n_jets`` artificial jets of ``n`` nodes each, no padding; the same at every call."""
    jets = made_jets("random", 1, n_jets * n, np.random.default_rng(1), read)
    per_node = (array.reshape(n_jets, n, *array.shape[2:]) for array in (jets.points, jets.features, jets.mask))
    return tuple(torch.from_numpy(array) for array in (*per_node, np.repeat(jets.jet, n_jets, axis=0)))


def records_of(cases: Sequence[KernelCase], sizes: Sequence[int], total_nodes: int, how: str) -> list[Record]:
    """Medians, then ratios to full attention at each size, then exponents; ``cases`` are of one setting."""
    return [
        *_medians(cases, sizes, total_nodes, how),
        *_ratios(cases, sizes, how),
        *_exponents(cases, sizes, total_nodes, how),
    ]


def _medians(cases: Sequence[KernelCase], sizes: Sequence[int], total_nodes: int, how: str) -> Iterator[Record]:
    for n in sizes:
        for case in cases:
            for metric, unit in UNITS.items():
                if (metric, n) in case.figures:
                    note = f"a batch of {total_nodes // n} × {n} nodes, {how}"
                    yield Record(case.name, n, metric, case.median(metric, n), unit, note)


def _ratios(cases: Sequence[KernelCase], sizes: Sequence[int], how: str) -> Iterator[Record]:
    reference = next((case for case in cases if case.name == case.setting.case(REFERENCE)), None)
    if reference is None:
        return
    for name, metric in RATIOS.items():
        for n in sizes:
            for case in cases:
                yield Record(case.name, n, name, case.median(metric, n) / reference.median(metric, n), "", how)


def _exponents(cases: Sequence[KernelCase], sizes: Sequence[int], total_nodes: int, how: str) -> Iterator[Record]:
    """Of the cost of one jet, between the two largest sizes."""
    if len(sizes) < 2:
        return
    small, large = sizes[-2:]
    for name, metric in EXPONENTS.items():
        for case in cases:
            if (metric, large) not in case.figures:
                continue
            costs = [case.median(metric, n) * n / total_nodes for n in (small, large)]
            note = f"{metric} of one jet, {how}"
            yield Record(case.name, large, f"{name}_{small}_{large}", growth_exponent((small, large), costs), "", note)


def _form(task: str | None) -> tuple[NodeInputs, Outputs]:
    """What networks read, and what they give: two classes, but for outputs of nodes those of the task."""
    if task is None:
        return INPUTS, OUTPUTS
    found = load_task(task)
    outputs: Outputs = found.objective.outputs
    return found.network_inputs, outputs if outputs.level == "node" else OUTPUTS


def _is_graph_network(name: str) -> bool:
    made = network_class(load_model_config(name), name)
    return isinstance(made, type) and issubclass(made, GraphNetwork)
