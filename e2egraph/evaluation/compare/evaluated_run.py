"""What an evaluation left in a run's folder: ``metrics.json`` and ``scores.parquet``."""

from __future__ import annotations

import json
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
    """InputError: no runs, a run not evaluated or with damaged metrics, runs of different objectives or evaluated on
    different jets."""
    if not runs:
        raise InputError("there is nothing to compare; name at least one run.")
    evaluated = [EvaluatedRun(run, _read_report(run)) for run in runs]
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


def by_model(runs: Sequence[EvaluatedRun]) -> dict[str, list[int]]:
    """Numbers of the runs of each model, in order: its seeds.

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
                    f"{first.folder}, {run.folder}: both '{model}', but of different {', '.join(other)}; compare them "
                    "without --group, or give one another model name."
                )
        seeds = [runs[number].report.get("seed") for number in members]
        if len(set(seeds)) < len(seeds):
            raise InputError(
                f"{', '.join(str(runs[number].folder) for number in members)}: runs of '{model}' with one seed "
                f"({', '.join(map(str, seeds))}); --group needs runs of different seeds."
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
    return content


def _as_written(content: dict[str, Any]) -> bool:
    """Whether the values that are read by name are of their types."""
    kinds = {"model": str, "split": str, "objective": dict, "data_set": dict, "parameters": int}
    return all(isinstance(content[name], kind) for name, kind in kinds.items()) and "digest" in content["data_set"]
