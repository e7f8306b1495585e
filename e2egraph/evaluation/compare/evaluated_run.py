"""What an evaluation left in a run's folder: ``metrics.json`` and ``scores.parquet``."""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2egraph.data.scores import Scores, read_scores
from e2egraph.errors import InputError
from e2egraph.evaluation.evaluate import METRICS_NAME, SCORES_NAME
from e2egraph.evaluation.objectives.evaluation import evaluation_of
from e2egraph.graphs.storage.manifest import OTHER_FOLDERS
from e2egraph.tasks.objectives.objective import Objective, make_objective
from e2egraph.training.runs.run_folder import read_run

# What a comparison needs of ``metrics.json``.
_NEEDED = {"model", "objective", "split", "data_set", "parameters", "training_jets_per_second"}

# Numbers in it other than figures and their errors; each may be null or missing.
_NUMBERS = {"training_jets_per_second", "jets", "jets_without_nodes", "background_passing", "seed"}

# Runs of one model differ by the seed alone if these agree, and the digest of the data they were trained on.
_SAME = ("parameters", "node_selection", "training_jets", "objective")


@dataclass(frozen=True)
class EvaluatedRun:
    """``report``: the content of ``metrics.json``."""

    folder: Path
    report: dict[str, Any]

    @property
    def model(self) -> str:
        return str(self.report["model"])

    @property
    def name(self) -> str:
        """The run folder's own name."""
        return self.folder.resolve().name

    @property
    def objective(self) -> Objective:
        """What it was trained for; UsageError when it needs an extension that cannot be imported."""
        return make_objective(self.report["objective"], str(self.folder))

    @property
    def training_data(self) -> str | None:
        """Digest of the data set it was trained on, None where the metrics do not say."""
        digest: str | None = (self.report.get("trained_on") or {}).get("digest")
        return digest

    @property
    def jets(self) -> int | None:
        """Objects that its figures are of, None where the metrics do not say."""
        jets: int | None = self.report.get("jets")
        return jets

    @property
    def without_nodes(self) -> int | None:
        """Objects that no figure is of, as they have no nodes for its inputs; None where the metrics do not say."""
        unseen: int | None = self.report.get("jets_without_nodes")
        return unseen

    @property
    def has_scores(self) -> bool:
        return (self.folder / SCORES_NAME).is_file()

    def scores(self) -> Scores:
        """InputError when they are missing, damaged, or of other jets than the metrics."""
        path = self.folder / SCORES_NAME
        if not path.is_file():
            raise InputError(f"{path}: not there; run 'e2egraph evaluate {self.folder}' again.")
        scores = read_scores(path)
        expected = {"data_set": self.report["data_set"]["digest"], "split": self.report["split"]}
        if any(scores.about.get(name, value) != value for name, value in expected.items()):
            raise InputError(f"{path}: of other objects than {METRICS_NAME} next to it; evaluate the run again.")
        return scores


def read_evaluated(runs: Sequence[Path]) -> list[EvaluatedRun]:
    """InputError: no runs, one given twice, not evaluated or with damaged metrics, runs of different objectives or
    evaluated on different jets."""
    if not runs:
        raise InputError("there is nothing to compare; name at least one run.")
    evaluated = [EvaluatedRun(run, _read_report(run)) for run in runs]
    folders = [run.resolve() for run in runs]
    again = next((run for number, run in enumerate(runs) if folders[number] in folders[:number]), None)
    if again is not None:
        raise InputError(f"{again}: given twice; name each run once.")
    for run in evaluated[1:]:
        if run.report["objective"] != evaluated[0].report["objective"]:
            raise InputError(
                f"{run.folder}: trained for another objective ({_in_words(run)}) than {evaluated[0].folder} "
                f"({_in_words(evaluated[0])}); compare runs of one task."
            )
    if len({(run.report["data_set"]["digest"], run.report["split"]) for run in evaluated}) > 1:
        raise InputError(
            f"{', '.join(map(str, runs))}: evaluated on different objects; evaluate all on one data set and split."
        )
    return evaluated


def labels(runs: Sequence[EvaluatedRun]) -> list[str]:
    """A name for each run: its model's, with its folder's where that does not suffice, else with the whole path."""
    names = [run.model for run in runs]
    for attribute in ("name", "folder"):
        again = {name for name in names if names.count(name) > 1}
        names = [
            f"{run.model} ({getattr(run, attribute)})" if name in again else name
            for run, name in zip(runs, names, strict=True)
        ]
    return names


def by_model(runs: Sequence[EvaluatedRun], instead: str = "compare them without --group") -> dict[str, list[int]]:
    """Numbers of the runs of each model, in order: its seeds. ``instead``: what to do with runs that are no seeds.

    InputError when runs of one model have the same seed or differ by more than the seed (parameters, node selection,
    training jets, training data), as far as their metrics record it.
    """
    groups: dict[str, list[int]] = {}
    for number, run in enumerate(runs):
        groups.setdefault(run.model, []).append(number)
    for model, members in groups.items():
        first = runs[members[0]]
        for number in members[1:]:
            run = runs[number]
            recorded = [key for key in _SAME if key in run.report and key in first.report]
            other = [key for key in recorded if run.report[key] != first.report[key]]
            if run.training_data != first.training_data:
                other.append("training data")
            if other:
                raise InputError(
                    f"{first.folder}, {run.folder}: both '{model}', but of different {', '.join(other)}; {instead}, or "
                    "give one another model name."
                )
        seeds = [runs[number].report.get("seed") for number in members]
        if len(set(seeds)) < len(seeds):
            raise InputError(
                f"{', '.join(str(runs[number].folder) for number in members)}: runs of '{model}' with one seed "
                f"({', '.join(map(str, seeds))}), but a mean needs different seeds; {instead}."
            )
    return groups


def _in_words(run: EvaluatedRun) -> str:
    objective = run.objective
    learnt = objective.target_names or objective.class_names
    return f"{objective.kind} of {', '.join(learnt)}"


def _read_report(run: Path) -> dict[str, Any]:
    path = run / METRICS_NAME
    if not run.exists():
        raise InputError(f"{run}: no such run; give a folder made by 'e2egraph train' and evaluated.")
    if not path.is_file():
        what = next((what for name, what in OTHER_FOLDERS.items() if (run / name).is_file()), "no run")
        if what != "a run":
            raise InputError(f"{run}: is {what}; give folders that 'e2egraph train' made and 'e2egraph evaluate' read.")
        # Refused here where the objective has no scores to evaluate.
        evaluation_of(read_run(run).objective)
        raise InputError(f"{path}: not there; run 'e2egraph evaluate {run}' first.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: damaged; evaluate the run again.") from error
    if not isinstance(content, dict) or not content.keys() >= _NEEDED or not _as_written(content):
        raise InputError(f"{path}: not the metrics of an evaluation; evaluate the run again.")
    _check_numbers(path, content, make_objective(content["objective"], str(run)))
    return content


def _as_written(content: dict[str, Any]) -> bool:
    """Whether the values that are read by name are of their types."""
    kinds = {"model": str, "split": str, "objective": dict, "data_set": dict, "parameters": int}
    if not all(isinstance(content[name], kind) for name, kind in kinds.items()):
        return False
    trained_on = content.get("trained_on")
    known = content["data_set"]
    return all(isinstance(known.get(name), str) for name in ("digest", "folder")) and (
        trained_on is None or isinstance(trained_on, dict)
    )


def _check_numbers(path: Path, content: dict[str, Any], objective: Objective) -> None:
    """InputError naming the first figure, error or other number that is none (null is one), or a figure to compare
    that is not there."""
    compared = [figure.name for figure in evaluation_of(objective).figures]
    for name in compared:
        if name not in content:
            raise InputError(f"{path}: there is no {name}; evaluate the run again.")
    figures = {*compared, *(name.removesuffix("_error") for name in content if name.endswith("_error"))}
    for name in sorted(figures | {f"{name}_error" for name in figures} | _NUMBERS):
        value = content.get(name)
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if value is not None and not number:
            raise InputError(f"{path}: {name} is {reprlib.repr(value)}, not a number; evaluate the run again.")
