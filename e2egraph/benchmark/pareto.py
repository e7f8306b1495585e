"""``benchmark pareto``: what each model reaches against what it costs, and which models no other beats in both."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from e2egraph.benchmark.report import Record
from e2egraph.errors import InputError
from e2egraph.evaluation.compare.evaluated_run import by_model, read_evaluated
from e2egraph.evaluation.metrics.figures import AUC, EFFICIENCY, LOW_EFFICIENCY
from e2egraph.evaluation.metrics.pareto_front import pareto_front

# Metric of another benchmark → unit. Latencies are of one thread, image-making included (it belongs to the network).
COSTS = {
    "forward_flops_per_jet": "",
    "train_jets_per_second": "1/s",
    "latency_ms_per_jet_p50": "ms",
}


# The cost that the picture shows: one jet at a time.
LATENCY = "latency_ms_per_jet_p50@1"


@dataclass(frozen=True)
class Contender:
    """A model with the mean over its runs: ``figures`` by name of metric, ``costs`` by name and size (``…@64``)."""

    model: str
    runs: int
    figures: dict[str, float]
    costs: dict[str, float]


def contenders(runs: Sequence[Path], costs: Sequence[Path]) -> list[Contender]:
    """Evaluated ``runs`` (those of one model together) with the ``costs`` of benchmark files (``train``, ``infer``).

    InputError: a run not evaluated, runs on different jets, a file that is no benchmark's, a model without its latency.
    """
    evaluated = read_evaluated(runs)
    found: dict[str, dict[str, float]] = {}
    for path in costs:
        for record in _records(path):
            if record["metric"] in COSTS:
                name = record["metric"] + (f"@{record['n']}" if record["metric"].startswith("latency") else "")
                found.setdefault(record["case"], {})[name] = float(record["value"])
    result = []
    for members in by_model(evaluated).values():
        reports = [evaluated[number].report for number in members]
        model = evaluated[members[0]].model
        if LATENCY not in found.get(model, {}):
            raise InputError(f"{model}: no latency in the benchmark files; run 'e2egraph benchmark infer' with it.")
        figures = {"parameters": float(reports[0]["parameters"])}
        for name in (AUC, EFFICIENCY, LOW_EFFICIENCY):
            values = [report.get(name) for report in reports]
            known = [float(value) for value in values if value is not None]
            if len(known) == len(values):
                figures[name] = float(np.mean(known))
        result.append(Contender(model, len(members), figures, found[model]))
    return result


def front(models: Sequence[Contender], cost: str, figure: str = AUC) -> list[Contender]:
    """Those that no other beats in ``figure`` at the same ``cost`` or less, by rising cost."""
    points = [(one.costs[cost], one.figures[figure]) for one in models]
    return [models[place] for place in pareto_front(points)]


def pareto_records(models: Sequence[Contender], cost: str = LATENCY) -> list[Record]:
    """Every figure of every model, and 1 for ``on_front`` where no model of lower latency has a higher AUC."""
    optimal = {one.model for one in front(models, cost)}
    records = []
    for one in models:
        seeds = "one run" if one.runs == 1 else f"mean of {one.runs} runs"
        records += [Record(one.model, one.runs, name, value, "", seeds) for name, value in one.figures.items()]
        for name, value in one.costs.items():
            metric, _, size = name.partition("@")
            records.append(Record(one.model, int(size or 1), metric, value, COSTS[metric]))
        records.append(Record(one.model, one.runs, "on_front", float(one.model in optimal), "", f"AUC against {cost}"))
    return records


def _records(path: Path) -> list[dict[str, Any]]:
    try:
        records: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["records"]
        for record in records:
            float(record["value"]), record["case"], record["metric"], int(record["n"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not what a benchmark writes; run 'e2egraph benchmark infer' again.") from error
    return records
