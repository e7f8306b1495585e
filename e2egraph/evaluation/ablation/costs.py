"""What each model costs with the inputs of each row: parameters, FLOPs, and milliseconds in ONNX Runtime.

All are timed on the same test jets one after the other, in turns, so that a busy machine slows them equally.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from e2egraph.config import as_dict, digest
from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.loading.pools import columns_for, read_jets
from e2egraph.data.padding import pad
from e2egraph.data.table import JetTable
from e2egraph.errors import InputError
from e2egraph.evaluation.ablation.results import Cost
from e2egraph.evaluation.ablation.runs import SPLIT, FinishedRun
from e2egraph.export.bundle import first_tensors
from e2egraph.export.feeds import feeds
from e2egraph.export.one_thread import one_thread_session
from e2egraph.export.onnx import to_onnx
from e2egraph.files import write_json
from e2egraph.graphs.making.nodeselection import select_nodes
from e2egraph.graphs.storage.columns import VALUE
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.models.cost import forward_flops
from e2egraph.models.registry import build_model, parameter_count
from e2egraph.training.runs.environment import describe_environment

COSTS_NAME = "costs.json"

JETS = 64
ROUNDS = 3

Feed = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class MeasuredCosts:
    """``machine``: where they were measured."""

    costs: tuple[Cost, ...]
    machine: dict[str, Any]


@dataclass
class _Case:
    """A network ready to be timed; ``content``: its ONNX file, None where there is none for the reason ``limit``."""

    cost: Cost
    content: bytes | None
    tensors: list[str]
    fed: list[Feed]
    seconds: list[float]


def costs_of(
    output: Path,
    runs: Sequence[FinishedRun],
    table: JetTable,
    *,
    again: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> MeasuredCosts:
    """The costs kept in ``output``; measured, all of them, where one is missing, of another network, or if ``again``.

    ``table``: the test data. Weights do not matter to a cost, so networks are built untrained.
    """
    first = {(run.plan.row.name, run.plan.name): run for run in reversed(runs)}
    asked = {f"{row}/{model}": _digest(run) for (row, model), run in sorted(first.items())}
    kept = None if again else _kept(output / COSTS_NAME, asked, table.manifest.digest)
    if kept is not None:
        return kept
    jets = _jets(table)
    done, total = 0, len(first) + ROUNDS

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    cases = []
    for run in first.values():
        cases.append(_case(run, jets))
        step()
    for _ in range(ROUNDS):
        for case in cases:
            _turn(case)
        step()
    environment = describe_environment()
    machine = {name: value for name, value in environment["machine"].items() if name != "host"}
    machine["packages"] = {name: environment["packages"][name] for name in ("torch", "onnxruntime")}
    found = MeasuredCosts(tuple(_timed(case) for case in cases), machine)
    write_json(output / COSTS_NAME, {"test_data": table.manifest.digest, "networks": asked, **asdict(found)})
    return found


def _digest(run: FinishedRun) -> str:
    """What a cost depends on other than the jets."""
    return digest({"model": as_dict(run.info.model), "nodes": as_dict(run.info.recipe.data.nodes)})


def _kept(path: Path, asked: dict[str, str], test_data: str) -> MeasuredCosts | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        networks = content["networks"]
        if content["test_data"] != test_data or any(networks.get(name) != of for name, of in asked.items()):
            return None
        costs = TypeAdapter(tuple[Cost, ...]).validate_python(content["costs"])
        return MeasuredCosts(costs, dict(content["machine"]))
    except (OSError, ValueError, KeyError, TypeError, ValidationError):
        return None  # it can always be measured again


def _jets(table: JetTable) -> PointClouds:
    """Test jets spread evenly over the data set, in an order that has nothing to do with their classes."""
    numbers = table.jets_of(SPLIT)
    wanted = numbers[np.unique(np.linspace(0, len(numbers) - 1, JETS).round().astype(np.int64))]
    # Runs may choose nodes by their value, whether or not networks read it.
    columns = [*columns_for(table.inputs), VALUE]
    _, clouds = read_jets(table, np.unique(table.group_of(wanted)), wanted, columns)
    return clouds.take(np.random.default_rng(1).permutation(len(clouds)))


def _case(run: FinishedRun, jets: PointClouds) -> _Case:
    inputs, outputs = run.info.inputs, run.info.outputs
    torch.manual_seed(1)
    network = build_model(run.info.model, inputs, outputs).eval()
    selected = select_nodes(jets, run.info.recipe.data.nodes, inputs.numbers)
    middle = np.argsort(selected.counts, kind="stable")[len(selected) // 2]
    median = JetBatch.from_arrays(pad(selected.take(np.array([middle])), inputs))
    uses_jet = bool(getattr(network, "uses_jet", False))
    content, limit = None, ""
    try:
        content = to_onnx(network, inputs, outputs).SerializeToString()
    except InputError as error:
        limit = str(error)
    fed = [feeds(pad(selected.take(np.array([number])), inputs), uses_jet) for number in range(len(selected))]
    cost = Cost(
        row=run.plan.row.name,
        model=run.plan.name,
        parameters=parameter_count(network),
        flops=float(forward_flops(network, median.inputs)),
        onnx_ms_per_jet=None,
        jets=len(selected),
        nodes=float(selected.counts[middle]),
        limit=limit,
    )
    return _Case(cost, content, first_tensors(outputs), fed, [])


def _turn(case: _Case) -> None:
    """All jets once untimed and once timed, in a session of its own: together they would keep much memory."""
    if case.content is None:
        return
    session = one_thread_session(case.content)
    for timed in (False, True):
        for feed in case.fed:
            start = time.perf_counter()
            session.run(case.tensors, feed)
            if timed:
                case.seconds.append(time.perf_counter() - start)


def _timed(case: _Case) -> Cost:
    milliseconds = 1e3 * float(np.median(case.seconds)) if case.seconds else None
    return Cost(**{**asdict(case.cost), "onnx_ms_per_jet": milliseconds})
