"""One trial: a training with the trial's settings, which tells its validation figure each epoch and may be pruned."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass

import optuna
from optuna.trial import TrialState

from e2egraph.errors import InputError, Stopped, UsageError
from e2egraph.folders import real
from e2egraph.training.recipe import OF_SCHEDULE, load_recipe, split_settings
from e2egraph.training.runs.history import VALIDATION, EpochRow
from e2egraph.training.runs.run_folder import CHECKPOINTS, SUMMARY
from e2egraph.training.train import train
from e2egraph.training.tuning.ownership import alive
from e2egraph.training.tuning.space import as_settings
from e2egraph.training.tuning.study import Search, Study
from e2egraph.transient import causes


@dataclass(frozen=True)
class Outcome:
    """How a trial ended. ``value``: best validation figure of a finished one."""

    state: TrialState
    value: float | None = None
    reason: str = ""


def reporter(trial: optuna.Trial, reported: set[int], epochs: int, figure: str) -> Callable[[EpochRow], None]:
    """A function that reports an epoch's ``figure`` to the study, and raises TrialPruned when the pruner gives it up.

    ``reported``: epochs that a training interrupted before has told already. The last of ``epochs`` is never pruned.
    """

    def report(row: EpochRow) -> None:
        if row.epoch not in reported:
            trial.report(row.validation[figure], row.epoch)
        if row.epoch < epochs and trial.should_prune():
            raise optuna.TrialPruned

    return report


def run_trial(study: Study, trial: optuna.Trial) -> None:
    """Train the trial and record how it ended.

    What is the trial's own fault (settings that do not go together, divergence, memory) is recorded with its reason.
    An interruption or an error of the file system passes through, and the trial is left to be taken up again.
    """
    folder = study.search.folder(trial.number)
    with alive(folder):
        outcome = _train(study, trial)
        if outcome.state is TrialState.PRUNED:
            # The figures stay, weights that nobody will use do not.
            shutil.rmtree(real(folder / CHECKPOINTS), ignore_errors=True)
        study.record(trial.number, outcome.state, outcome.value, outcome.reason)


def _train(study: Study, trial: optuna.Trial) -> Outcome:
    search: Search = study.search
    folder = search.folder(trial.number)
    (frozen,) = (known for known in study.trials() if known.number == trial.number)
    settings = [*search.settings, *as_settings(search.space.values(trial.params))]
    try:
        if (folder / SUMMARY).is_file():  # its process died between training and recording
            value = float(json.loads((folder / SUMMARY).read_text(encoding="utf-8"))[VALIDATION + search.best.name])
        else:
            how = load_recipe(search.recipe, split_settings(settings)[1]).training
            # Where the schedule is searched, settings of another one than was drawn.
            settings = [
                each for each in settings if OF_SCHEDULE.get(each.partition("=")[0], how.schedule) == how.schedule
            ]
            value = train(
                search.model,
                search.data,
                folder,
                settings=settings,
                seed=search.seed,
                recipe=search.recipe,
                progress=False,
                on_epoch=reporter(trial, set(frozen.intermediate_values), how.epochs, search.best.name),
            ).value
    except optuna.TrialPruned:
        return Outcome(TrialState.PRUNED)
    except (InputError, UsageError) as error:
        if any(isinstance(cause, OSError) for cause in causes(error)):
            raise
        return Outcome(TrialState.FAIL, reason=str(error))
    except (OSError, Stopped):
        raise
    except Exception as error:  # a network of anybody's, with settings that nobody tried
        return Outcome(TrialState.FAIL, reason=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
    if not math.isfinite(value):
        return Outcome(TrialState.FAIL, reason=f"its validation {search.best.title} is not a number")
    return Outcome(TrialState.COMPLETE, value)
