"""``benchmark pareto``: what each model reaches against what it costs, and which models no other beats in both."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2egraph.benchmark.report import Record
from e2egraph.errors import InputError
from e2egraph.evaluation.compare.evaluated_run import EvaluatedRun, by_model
from e2egraph.evaluation.compare.over_seeds import reported_figure
from e2egraph.evaluation.metrics.pareto_front import pareto_front
from e2egraph.evaluation.objectives.evaluation import ComparedFigure, evaluation_of

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
    """A model with the mean over its runs: ``figures`` by name of metric, ``costs`` by name and size (``…@64``).

    ``jets``: objects that the figures are of (those with nodes for its inputs), None where its metrics do not say.
    ``timed_in``: the file of costs that has its latency.
    """

    model: str
    runs: int
    figures: dict[str, float]
    costs: dict[str, float]
    jets: int | None = None
    timed_in: Path | None = None


def compared_figures(evaluated: Sequence[EvaluatedRun]) -> tuple[ComparedFigure, ...]:
    """The figures of the objective of runs, the main one first."""
    return evaluation_of(evaluated[0].objective).figures


def contenders(evaluated: Sequence[EvaluatedRun], costs: Sequence[Path]) -> list[Contender]:
    """Runs (those of one model together) with the ``costs`` of benchmark files (``train``, ``infer``).

    A figure that cannot be quoted of the mean over seeds is left out. InputError: a file that is no benchmark's, files
    with different costs of one model, a model without its latency or without the objective's main figure.
    """
    judge = evaluation_of(evaluated[0].objective)
    main = judge.figures[0]
    found, sources = _read_costs(costs)
    result = []
    for model, members in by_model(evaluated, "give one of them").items():
        reports = [evaluated[number].report for number in members]
        if LATENCY not in found.get(model, {}):
            raise InputError(f"{model}: no latency in the benchmark files; run 'e2egraph benchmark infer' with it.")
        figures = {"parameters": float(reports[0]["parameters"])}
        for figure in judge.figures:
            mean = reported_figure(figure.name, reports, judge).mean
            if mean is not None:
                figures[figure.name] = float(mean)
        if main.name not in figures:
            raise InputError(f"{model}: no {main.title} among its metrics; evaluate its runs on more objects.")
        jets = {evaluated[number].jets for number in members}
        number = jets.pop() if len(jets) == 1 else None
        result.append(Contender(model, len(members), figures, found[model], number, sources[model, LATENCY]))
    return result


def front(models: Sequence[Contender], cost: str, figure: ComparedFigure) -> list[Contender]:
    """Those that no other beats in ``figure`` at the same ``cost`` or less, by rising cost."""
    points = [(one.costs[cost], one.figures[figure.name]) for one in models]
    return [models[place] for place in pareto_front(points, highest=figure.highest)]


def pareto_records(
    models: Sequence[Contender], figures: Sequence[ComparedFigure], cost: str = LATENCY, *, same_objects: bool = True
) -> list[Record]:
    """Every one of ``figures`` of every model, the main one first, and 1 for ``on_front`` where no model of lower
    latency is better in that. Notes say how many objects figures are of, and where these are not the ``same_objects``
    for all, or latencies are of several files."""
    main, units = figures[0], {figure.name: figure.unit for figure in figures}
    optimal = {one.model for one in front(models, cost, main)}
    different = ", of different objects" if not same_objects or len({one.jets for one in models}) > 1 else ""
    several = ", timed in different runs of the benchmark" if timed_apart(models) else ""
    records = []
    for one in models:
        runs = "one run" if one.runs == 1 else f"mean of {one.runs} runs"
        of = "" if one.jets is None else f", of {one.jets} objects"
        for name, value in one.figures.items():
            note = runs + of if name in units else runs
            records.append(Record(one.model, one.runs, name, value, units.get(name, ""), note))
        for name, value in one.costs.items():
            metric, _, size = name.partition("@")
            records.append(Record(one.model, int(size or 1), metric, value, COSTS[metric]))
        against = f"{main.title} against {cost}{different}{several}"
        records.append(Record(one.model, one.runs, "on_front", float(one.model in optimal), "", against))
    return records


def timed_apart(models: Sequence[Contender]) -> bool:
    """Whether latencies are from several files, so of several runs of the benchmark, or of several machines."""
    return len({one.timed_in for one in models}) > 1


def _read_costs(costs: Sequence[Path]) -> tuple[dict[str, dict[str, float]], dict[tuple[str, str], Path]]:
    """Model → its costs by name, and the file that each is from. InputError where files disagree."""
    found: dict[str, dict[str, float]] = {}
    sources: dict[tuple[str, str], Path] = {}
    for path in costs:
        for record in _records(path):
            metric, case, value = record["metric"], record["case"], float(record["value"])
            if metric not in COSTS:
                continue
            name = metric + (f"@{record['n']}" if metric.startswith("latency") else "")
            first = sources.setdefault((case, name), path)
            if found.setdefault(case, {}).setdefault(name, value) != value:
                raise InputError(
                    f"{case}: its {metric} is {found[case][name]:g} in {first} and {value:g} in {path}; give the file "
                    "of one run of the benchmark."
                )
    return found, sources


def _records(path: Path) -> list[dict[str, Any]]:
    try:
        records: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["records"]
        for record in records:
            float(record["value"]), record["case"], record["metric"], int(record["n"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not what a benchmark writes; run 'e2egraph benchmark infer' again.") from error
    return records
