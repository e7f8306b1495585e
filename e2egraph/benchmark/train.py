"""``benchmark train``: jets per second in real training steps on real shards, and what each network costs.

Every model trains on the same batches, read by the loader that training uses. The models take turns, so that a busy
machine slows them equally; medians over the turns count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from e2egraph.benchmark.report import Record
from e2egraph.benchmark.scaling.cores import torch_threads
from e2egraph.benchmark.scaling.steps import Steps, optimizer_of, time_steps
from e2egraph.benchmark.settings import Setting, available_settings
from e2egraph.config import config_names
from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.loading.loader import JetLoader, training_loader
from e2egraph.data.loading.pools import columns_for, read_jets
from e2egraph.data.options import DataOptions
from e2egraph.data.padding import pad
from e2egraph.data.scores import target_columns
from e2egraph.data.table import JetTable, read_table
from e2egraph.errors import InputError
from e2egraph.graphs.storage.manifest import Manifest, read_manifest
from e2egraph.models.cost import cost
from e2egraph.models.registry import ModelConfig, build_model, load_model_config
from e2egraph.training.objectives.learning import make_learning

BATCH_SIZE = 64
STEPS = 8
REPEATS = 3

# The published image network, the denominator of the ratio.
REFERENCE = "resnet15"

Progress = Callable[[int, int], None]


@dataclass
class _Case:
    """A network in training, and its turns."""

    name: str
    setting: Setting
    model: Any
    optimizer: torch.optim.Optimizer
    turns: list[Steps] = field(default_factory=list)

    def median(self, figure: Callable[[Steps], float]) -> float:
        return float(np.median([figure(turn) for turn in self.turns]))

    @property
    def rate(self) -> float:
        return self.median(lambda turn: turn.jets_per_second)


def benchmark_train(
    data: Path, models: Sequence[str] = (), *, steps: int = STEPS, repeats: int = REPEATS,
    threads: int | None = None, progress: Progress | None = None,
) -> list[Record]:  # fmt: skip
    """Train ``models`` (names or YAML files; none: all that are shipped) for ``steps`` timed steps, ``repeats`` times.

    ``threads``: torch's threads (None: as many as it takes by itself). Where there is a GPU, it is measured as well,
    in bfloat16, eager and compiled. InputError: not a data set, or too few training jets; UsageError: unknown model.
    """
    objective = read_manifest(data).objective
    table = read_table(data, target_columns(objective.target_names))
    _check_size(table, steps)
    learning = make_learning(objective)
    learning.reads(table.inputs)
    configs = [load_model_config(name) for name in dict.fromkeys(models or config_names("models"))]
    manifest = table.manifest
    settings = available_settings()
    done, total = 0, len(settings) * len(configs) * repeats
    records = _costs(configs, manifest, _median_jet(table))
    with torch_threads(threads) as used:
        for setting in settings:
            cases = [_case(config, manifest, setting) for config in configs]
            with setting.active():
                for repeat, case in product(range(repeats), cases):
                    loader = _loader(table, repeat).to(setting.device)
                    case.turns.append(time_steps(case.model, case.optimizer, loader, learning, steps, setting))
                    done += 1
                    if progress is not None:
                        progress(done, total)
            records += _rates(cases, setting.describe(used))
    return records


def _loader(table: JetTable, epoch: int) -> JetLoader:
    objective = table.manifest.objective
    targets, of_nodes = objective.target_names, objective.node_targets
    return training_loader(
        table, DataOptions(), BATCH_SIZE, targets=targets, node_targets=of_nodes, seed=1, epoch=epoch
    )


def _check_size(table: JetTable, steps: int) -> None:
    jets = len(table.jets_of("train"))
    if jets < (steps + 1) * BATCH_SIZE:
        raise InputError(
            f"{table.folder}: {jets} training jets, fewer than the {(steps + 1) * BATCH_SIZE} that {steps} timed steps "
            f"and one before need; lower --steps, or build the data set from more events."
        )


def _median_jet(table: JetTable) -> JetBatch:
    """The training jet whose number of nodes is the median (the larger of two)."""
    numbers, inputs = table.jets_of("train"), table.manifest.network_inputs
    middle = np.argsort(table.columns["n_nodes"][numbers], kind="stable")[len(numbers) // 2]
    wanted = numbers[middle : middle + 1]
    _, clouds = read_jets(table, table.group_of(wanted), wanted, columns_for(inputs))
    return JetBatch.from_arrays(pad(clouds, inputs))


def _costs(configs: Sequence[ModelConfig], manifest: Manifest, jet: JetBatch) -> list[Record]:
    n = jet.mask.shape[1]
    records = []
    for config in configs:
        found = cost(network_of(config, manifest), jet.inputs)
        note = f"forward pass of one jet of {n} nodes (the median); matrix products, convolutions and attention"
        records += [
            Record(config.name, n, "parameters", found.parameters, ""),
            Record(config.name, n, "forward_flops_per_jet", found.flops, "", note),
        ]
    return records


def _case(config: ModelConfig, manifest: Manifest, setting: Setting) -> _Case:
    torch.manual_seed(1)
    model = setting.prepare(network_of(config, manifest), dynamic=True)
    return _Case(setting.case(config.name), setting, model, optimizer_of(model))


def network_of(config: ModelConfig, manifest: Manifest) -> nn.Module:
    """A new network for the inputs and the objective of a data set."""
    return build_model(config, manifest.network_inputs, manifest.objective.outputs)


def _rates(cases: Sequence[_Case], how: str) -> list[Record]:
    records = []
    for case in cases:
        jets, steps = sum(turn.jets for turn in case.turns), sum(turn.steps for turn in case.turns)
        note = f"{steps} training steps of {BATCH_SIZE} jets, {how}"
        waiting = case.median(lambda turn: turn.wait_share)
        records += [
            Record(case.name, jets, "train_jets_per_second", case.rate, "1/s", note),
            Record(case.name, jets, "data_wait_share", waiting, "", note),
        ]
    for reference in (case for case in cases if case.name == case.setting.case(REFERENCE)):
        for case in cases:
            ratio = case.rate / reference.rate
            records.append(Record(case.name, BATCH_SIZE, f"train_rate_over_{REFERENCE}", ratio, "", how))
    return records
