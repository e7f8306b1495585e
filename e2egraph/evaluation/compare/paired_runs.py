"""Evaluated runs, or their means over seeds, against a reference: ``paired`` from run folders, as table and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from e2egraph.errors import InputError, UsageError
from e2egraph.evaluation.compare.comparison import TOO_FEW
from e2egraph.evaluation.compare.evaluated_run import EvaluatedRun, by_model, labels, read_evaluated
from e2egraph.evaluation.compare.paired import RESAMPLES
from e2egraph.evaluation.compare.paired_result import Contender, Difference, PairedResult
from e2egraph.evaluation.markdown import aligned, with_error
from e2egraph.evaluation.objectives.evaluation import ComparedFigure, evaluation_of
from e2egraph.tasks.objects.naming import ANY_OBJECT, ObjectName


def compare_paired(
    runs: Sequence[Path],
    reference: str | None = None,
    *,
    group: bool = False,
    resamples: int = RESAMPLES,
    objects: ObjectName = ANY_OBJECT,
) -> tuple[PairedResult, tuple[ComparedFigure, ...]]:
    """Each run against the reference, on the same jets: ``metrics.json`` says which, ``scores.parquet`` the scores.
    Also the figures to show of it.

    ``reference``: a run's path or folder name, or a model's name; the first run by default. ``group``: contenders are
    models, each the mean over its runs. ``objects``: what limits call the jets. InputError as ``read_evaluated``,
    ``by_model`` and ``join``, or with a single contender; UsageError: the reference is none of the runs, or several.
    """
    evaluated = read_evaluated(runs)
    contenders, chosen = choose(evaluated, reference, group=group)
    judge = evaluation_of(evaluated[0].objective, objects=objects)
    scores, where = [run.scores() for run in evaluated], [str(run.folder) for run in evaluated]
    return judge.paired(scores, where, contenders, chosen, resamples=resamples), judge.figures


def choose(evaluated: Sequence[EvaluatedRun], reference: str | None, *, group: bool) -> tuple[list[Contender], int]:
    """What is compared, runs or models, and the number of the reference; errors as ``compare_paired``."""
    if group:
        contenders = [Contender(model, tuple(rows)) for model, rows in by_model(evaluated).items()]
    else:
        contenders = [Contender(name, (row,)) for row, name in enumerate(labels(evaluated))]
    if len(contenders) < 2:
        raise InputError(f"{contenders[0].name}: nothing to compare with; name a run of another model.")
    return contenders, 0 if reference is None else _find(reference, contenders, evaluated)


def paired_table(result: PairedResult, figures: Sequence[ComparedFigure]) -> str:
    """Differences and ratios to the reference as a Markdown table."""
    header = [f"minus {result.reference}"]
    for figure in figures:
        header += [f"Δ {figure.head}", "p"] + ["ratio"] * figure.ratio
    of = {(difference.name, difference.figure): difference for difference in result.differences}
    rows = []
    for name in dict.fromkeys(s.name for s in result.standings if s.name != result.reference):
        row = [name]
        for figure in figures:
            found = of.get((name, figure.name))
            row += [*_difference(found, figure.digits)] + [_ratio(found)] * figure.ratio
        rows.append(row)
    return aligned([header, *rows])


def paired_note(result: PairedResult, objects: ObjectName = ANY_OBJECT) -> str:
    """What the table's errors are, and what could not be said of ``objects``."""
    analytic = sorted({d.method for d in result.differences if d.method != "bootstrap"})
    by_seeds = any(difference.error_seeds is not None for difference in result.differences)
    approximation = (
        f"Student’s t, errors of {objects.many} and seeds"
        if by_seeds
        else f"normal approximation, errors of the {objects.many}"
    )
    errors = f"{result.resamples} paired resamples"
    if analytic:
        errors = f"{', '.join(analytic)} for ΔAUC, {errors} for all else"
    note = f"{result.jets} common {objects.many}; errors: {errors}; two-sided p-values: {approximation}."
    return "\n".join([note, *(f"Limit: {limit}." for limit in result.limits)])


def as_json(result: PairedResult) -> dict[str, Any]:
    """Everything, for ``json.dumps``: each p-value with its decimal logarithm."""
    content = asdict(result)
    for difference in content["differences"]:
        for name in ("p_value", "p_value_jets"):
            p_value: Mapping[str, float] | None = difference[name]
            difference[name] = None if p_value is None else p_value["value"]
            difference[f"log10_{name}"] = None if p_value is None else p_value["log10"]
    return content


def _find(reference: str, contenders: Sequence[Contender], runs: Sequence[EvaluatedRun]) -> int:
    """The contender that ``reference`` means: by path, else by name, folder name or model."""
    by_path = [
        number
        for number, contender in enumerate(contenders)
        if any(Path(reference).resolve() == runs[row].folder.resolve() for row in contender.rows)
    ]
    by_name = [
        number
        for number, contender in enumerate(contenders)
        if reference == contender.name or any(reference in (runs[row].name, runs[row].model) for row in contender.rows)
    ]
    for found in (by_path, by_name):
        if len(found) == 1:
            return found[0]
    fault = "several" if by_path or by_name else "none"
    raise UsageError(
        f"--reference {reference}: {fault} of the runs; give one of {', '.join(str(run.folder) for run in runs)}."
    )


def _difference(difference: Difference | None, digits: int) -> tuple[str, str]:
    if difference is None:
        return TOO_FEW, "–"
    value = with_error(difference.difference, difference.error, digits)
    return ("+" if difference.difference > 0 else "") + value, str(difference.p_value or "–")


def _ratio(difference: Difference | None) -> str:
    if difference is None or difference.ratio is None:
        return TOO_FEW if difference is None else "–"
    return with_error(difference.ratio, difference.ratio_error, 2)
