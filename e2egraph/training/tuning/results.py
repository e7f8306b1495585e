"""What a search leaves: ``model.yaml`` and ``recipe.yaml`` of its best trial, ``best.yaml``, ``trials.csv``."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

import optuna
import yaml
from optuna.trial import FrozenTrial, TrialState

from e2egraph.config import as_dict
from e2egraph.files import write_text
from e2egraph.models.registry import load_model_config
from e2egraph.tasks.objectives.objective import Best
from e2egraph.training.recipe import load_recipe, split_settings
from e2egraph.training.runs.history import VALIDATION
from e2egraph.training.tuning.space import as_settings
from e2egraph.training.tuning.study import Search, Study

STATES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


def best_of(trials: Sequence[FrozenTrial], best: Best) -> FrozenTrial | None:
    """The finished trial of the best validation figure, the earlier of equals; None when none is finished."""
    finished = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    sign = 1 if best.highest else -1
    return max(finished, key=lambda trial: (sign * trial.value, -trial.number), default=None)


def write_results(study: Study) -> None:
    """Write the table, and the best trial's files once there is one; each whole, after every trial."""
    search = study.search
    with search.locked():
        trials = study.trials()
        write_text(search.output / "trials.csv", _table(search, trials))
        best = best_of(trials, search.best)
        if best is not None:
            _write_best(search, best)


def importances(study: Study) -> dict[str, float]:
    """Share of each setting in what the validation figure depends on, largest first; empty where that cannot be told.

    PED-ANOVA: Watanabe, Bansal, Hutter, IJCAI 2023, arXiv:2304.10255, over finished trials.
    """
    finished = [trial for trial in study.trials() if trial.state is TrialState.COMPLETE]
    if len({trial.value for trial in finished}) < 2:
        return {}
    return dict(optuna.importance.get_param_importances(study.stored))


def _write_best(search: Search, best: FrozenTrial) -> None:
    values = search.space.values(best.params)
    for_model, for_recipe = split_settings([*search.settings, *as_settings(values)])
    origin = f"# Best of a search: trial {best.number}, validation {search.best.words(best.value or 0.0)}.\n"
    for name, content in (
        ("model.yaml", as_dict(load_model_config(search.model, for_model))),
        ("recipe.yaml", as_dict(load_recipe(search.recipe, for_recipe))),
    ):
        write_text(search.output / name, origin + _yaml(content))
    chosen = {
        "trial": best.number,
        "run": f"trials/{best.number:04d}",
        VALIDATION + search.best.name: best.value,
        "seed": search.seed,
        "settings": values,
    }
    write_text(search.output / "best.yaml", _yaml(chosen))


def _table(search: Search, trials: Sequence[FrozenTrial]) -> str:
    text = io.StringIO()
    keys, choose = list(search.space.dimensions), max if search.best.highest else min
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "state", VALIDATION + search.best.name, "epochs", "seconds", *keys, "reason"])
    for trial in trials:
        # Of a trial that was pruned or that failed: the best so far.
        told = [*trial.intermediate_values.values(), *([trial.value] if trial.value is not None else [])]
        reported = [value for value in told if not math.isnan(value)]
        writer.writerow(
            [
                trial.number,
                STATES[trial.state],
                choose(reported, default=""),
                max(trial.intermediate_values, default=0),
                "" if trial.duration is None else f"{trial.duration.total_seconds():.1f}",
                *(trial.params.get(key, "") for key in keys),
                trial.user_attrs.get("reason", ""),
            ]
        )
    return text.getvalue()


def _yaml(content: dict[str, Any]) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
