"""Runs → cells (means over seeds) and paired differences between cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from e2egraph.data.scores import Scores
from e2egraph.evaluation.ablation.plan import Plan, jets_name
from e2egraph.evaluation.ablation.results import Cell, Contrast, Cost, TrainingJets
from e2egraph.evaluation.ablation.rows import steps
from e2egraph.evaluation.ablation.runs import FinishedRun, by_cell
from e2egraph.evaluation.compare.joined import same_objects
from e2egraph.evaluation.compare.over_seeds import mean_figure
from e2egraph.evaluation.compare.paired_result import Contender, Difference, PairedResult, Standing
from e2egraph.evaluation.metrics.p_values import PValue
from e2egraph.evaluation.objectives.evaluation import Evaluation
from e2egraph.tasks.objects.naming import ObjectName

Key = tuple[str, str, TrainingJets]


@dataclass
class Comparisons:
    """What is found while cells are compared; ``limits``: what could not be said, each a sentence, once.

    ``same_jets``: whether the figures of all cells are of the same test jets, those with nodes for their inputs.
    """

    same_jets: bool = True
    cells: list[Cell] = field(default_factory=list)
    model_differences: list[Contrast] = field(default_factory=list)
    layer_differences: list[Contrast] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)


def compare_runs(
    runs: Sequence[FinishedRun],
    plan: Plan,
    costs: Sequence[Cost],
    judge: Evaluation,
    *,
    resamples: int,
    progress: Callable[[int, int], None] | None = None,
) -> Comparisons:
    """Cells, each model against the reference in every row, and what every addition of inputs gives each model.

    ``judge``: of the runs' objective. Every run must have been evaluated on the same jets: InputError as
    ``Evaluation.paired``.
    """
    members = by_cell(runs)
    order = [key for key in _order(plan) if key in members]
    by_row: dict[tuple[str, TrainingJets], list[Key]] = {}
    for key in order:
        by_row.setdefault((key[0], key[2]), []).append(key)
    additions: dict[Key, list[Key]] = {}
    for small, large in steps(plan.request.rows):
        for model in plan.models:
            first, second = ((row.name, model, plan.request.training_jets) for row in (small, large))
            if first in members and second in members:
                additions.setdefault(first, []).append(second)
    done, total = 0, len(by_row) + len(additions)
    result = Comparisons()

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    scores = {id(run): run.evaluated.scores() for run in runs}
    result.same_jets = same_objects([scores[id(run)] for run in runs])
    result.limits += _unseen(order, members, judge.objects, same=result.same_jets)
    cost_of = {(cost.row, cost.model): cost for cost in costs}
    for (row, jets), keys in by_row.items():
        keys = sorted(keys, key=lambda key: key[1] != plan.reference)
        # Where the reference has no run, nothing is compared, and each model stands alone.
        for group in [keys] if keys[0][1] == plan.reference else [[key] for key in keys]:
            found = _paired(group, members, scores, judge, resamples)
            same = same_objects([scores[id(run)] for key in group for run in members[key]])
            for key in group:
                # Figures are of all jets that a cell has seen, not of those alone that the others have seen too.
                own = found if same or len(members[key]) == 1 else _paired([key], members, scores, judge, resamples)
                result.cells.append(_cell(key, members[key], own.standings, cost_of.get(key[:2])))
            result.model_differences += _contrasts(group, members, found)
            _note(result.limits, found, f"{row}, {jets_name(jets)} objects")
        step()
    for reference, keys in additions.items():
        found = _paired([reference, *keys], members, scores, judge, resamples)
        result.layer_differences += _contrasts([reference, *keys], members, found)
        _note(result.limits, found, f"added to {reference[0]}")
        step()
    result.cells.sort(key=lambda cell: order.index((cell.row, cell.model, cell.training_jets)))
    return result


def _order(plan: Plan) -> list[Key]:
    """Every cell of the plan: rows as they are listed, with the common number of training jets first, then models."""
    rows = [row.name for row in plan.request.rows]
    jets = list(dict.fromkeys((plan.request.training_jets, *(run.training_jets for run in plan.runs))))
    keys = {(run.row.name, run.name, run.training_jets) for run in plan.runs}
    return sorted(keys, key=lambda key: (rows.index(key[0]), jets.index(key[2]), plan.models.index(key[1])))


def _name(key: Key) -> str:
    return f"{key[1]} ({key[0]})"


def _paired(
    keys: Sequence[Key],
    members: dict[Key, list[FinishedRun]],
    scores: dict[int, Scores],
    judge: Evaluation,
    resamples: int,
) -> PairedResult:
    """All cells against the first."""
    runs = [run for key in keys for run in members[key]]
    contenders, start = [], 0
    for key in keys:
        contenders.append(Contender(_name(key), tuple(range(start, start + len(members[key])))))
        start += len(members[key])
    names = [str(run.info.folder) for run in runs]
    return judge.paired([scores[id(run)] for run in runs], names, contenders, 0, resamples=resamples)


def _cell(key: Key, runs: Sequence[FinishedRun], standings: Sequence[Standing], cost: Cost | None) -> Cell:
    reports = [run.evaluated.report for run in runs]
    found = {standing.figure: standing for standing in standings if standing.name == _name(key)}
    return Cell(
        row=key[0],
        model=key[1],
        training_jets=key[2],
        jets_learnt=int(runs[0].info.summary["training_jets"]),
        seeds=tuple(run.plan.seed for run in runs),
        figures={name: mean_figure(standing, reports[0]) for name, standing in found.items()},
        parameters=int(reports[0]["parameters"]),
        training_jets_per_second=float(np.mean([report["training_jets_per_second"] for report in reports])),
        cost=cost,
        test_jets=runs[0].evaluated.jets,
    )


def _unseen(
    order: Sequence[Key], members: dict[Key, list[FinishedRun]], objects: ObjectName, *, same: bool
) -> list[str]:
    """Which jets figures are not of, as a limit; none where all have nodes for the inputs of every run."""
    of_row: dict[str, dict[str, int]] = {}
    for key in order:
        numbers = of_row.setdefault(key[0], {})
        numbers[key[1]] = max(numbers.get(key[1], 0), *(run.evaluated.without_nodes or 0 for run in members[key]))
    if same:
        unseen = max(number for row in of_row.values() for number in row.values())
        return [f"{objects.count(unseen)} without nodes: no figure is of them"] if unseen else []
    counts = []
    for row, numbers in of_row.items():
        if len(set(numbers.values())) == 1:
            counts.append(f"{row} {next(iter(numbers.values()))}")
        else:
            counts += [f"{row} {model} {number}" for model, number in numbers.items()]
    return [
        f"figures are of different test {objects.many}, those with nodes for a row's inputs (without nodes: "
        f"{', '.join(counts)}); differences are of the {objects.many} that have nodes for all networks compared"
    ]


def _contrasts(keys: Sequence[Key], members: dict[Key, list[FinishedRun]], found: PairedResult) -> list[Contrast]:
    key_of = {_name(key): key for key in keys}

    def seeds(key: Key) -> tuple[int, ...]:
        return tuple(run.plan.seed for run in members[key])

    def contrast(difference: Difference) -> Contrast:
        key, reference = key_of[difference.name], keys[0]
        (p_value, log10), (p_jets, log10_jets) = _p(difference.p_value), _p(difference.p_value_jets)
        return Contrast(
            *key,
            seeds(key),
            *reference,
            seeds(reference),
            figure=difference.figure,
            difference=difference.difference,
            error=difference.error,
            error_jets=difference.error_jets,
            error_seeds=difference.error_seeds,
            method=difference.method,
            p_value=p_value,
            log10_p_value=log10,
            p_value_jets=p_jets,
            log10_p_value_jets=log10_jets,
            ratio=difference.ratio,
            ratio_error=difference.ratio_error,
            test_jets=found.jets,
        )

    return [contrast(difference) for difference in found.differences]


def _p(value: PValue | None) -> tuple[float | None, float | None]:
    return (None, None) if value is None else (value.value, value.log10)


def _note(limits: list[str], found: PairedResult, where: str) -> None:
    limits += [f"{where}: {limit}" for limit in found.limits if f"{where}: {limit}" not in limits]
