"""``tune``: a model, a data set and a search space → the best settings, ready to train with."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from optuna.trial import FrozenTrial, TrialState

from e2egraph.config import as_dict, digest, read_yaml
from e2egraph.errors import InputError, UsageError
from e2egraph.files import write_text
from e2egraph.folders import check_folder, make_folder, names_in
from e2egraph.models.registry import load_model_config
from e2egraph.tasks.objectives.objective import Best
from e2egraph.training.datamodule import JetDataModule
from e2egraph.training.objectives.learning import check_settings
from e2egraph.training.recipe import Recipe, load_recipe, split_settings, what_decides
from e2egraph.training.tuning.journal import JOURNAL, without_password
from e2egraph.training.tuning.results import STATES, best_of, importances, write_results
from e2egraph.training.tuning.space import Choices, Interval, Space, as_settings, check_space, read_space
from e2egraph.training.tuning.study import PrunerName, Search, Study
from e2egraph.training.tuning.workers import work, work_in_processes

DESCRIPTION = "search.yaml"

Say = Callable[[str], None]


@dataclass(frozen=True)
class TuneSummary:
    """A search as it stands. ``before``: trials that were recorded when the command began; ``states``: how many
    trials there are in each state; ``value``: the best trial's validation ``figure``; ``settings``: its settings, by
    key; ``values``: the figure of the finished trials by number; ``importances``: as ``results.importances`` gives
    them.
    """

    output: Path
    before: int
    states: dict[str, int]
    best: int
    figure: Best
    value: float
    settings: dict[str, Any]
    values: dict[int, float]
    importances: dict[str, float]


def tune(
    model: str,
    data: Path,
    output: Path,
    *,
    space: str,
    trials: int,
    recipe: str = "published",
    settings: Sequence[str] = (),
    seed: int = 1,
    workers: int = 1,
    storage: str | None = None,
    pruner: PrunerName = "median",
    timeout: float | None = None,
    say: Say = lambda line: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> TuneSummary:
    """Search ``space`` for the best validation figure until ``output`` holds ``trials`` trials in all.

    The same call goes on where it stopped; several, on machines that share ``output``, work on one search. Every
    trial trains with ``seed``, so that only settings differ. ``storage``: a database's URL instead of a journal in
    ``output``; ``timeout`` [minutes]: begin no trial after; ``say`` gets a line a trial. UsageError: unknown or wrong
    model, recipe, setting or space. InputError: unsuitable data set, ``output`` with other content or another search,
    or no trial that could be finished.
    """
    how = _check_usage(recipe, settings, workers, trials)
    for_model, _ = split_settings(settings)
    base_model = load_model_config(model, for_model)
    chosen = read_space(space)
    taken = sorted({setting.partition("=")[0] for setting in settings} & set(chosen.dimensions))
    if taken:
        raise UsageError(f"--set {taken[0]}: {chosen.origin} searches this setting; leave one of the two out.")

    def load(values: list[str]) -> None:
        model_values, recipe_values = split_settings([*settings, *values])
        load_model_config(model, model_values)
        load_recipe(recipe, recipe_values)

    check_space(chosen, load)
    jets = JetDataModule(data, how, seed)
    schedules = chosen.dimensions.get("training.schedule")
    check_settings(
        jets.learning, [*settings, *chosen.dimensions], schedules.choices if isinstance(schedules, Choices) else None
    )
    description = {
        "model": as_dict(base_model),
        "recipe": what_decides(how),
        "space": {key: as_dict(dimension) for key, dimension in chosen.dimensions.items()},
        "data_set": jets.table.manifest.digest,
        "seed": seed,
        "pruner": pruner,
        "storage": JOURNAL if storage is None else without_password(storage),
    }
    search = Search(
        model=model,
        data=data,
        output=output,
        recipe=recipe,
        settings=tuple(settings),
        space=chosen,
        best=jets.learning.objective.best,
        seed=seed,
        trials=trials,
        epochs=_most_epochs(chosen, how),
        pruner=pruner,
        name="",
        storage=storage or str(output / JOURNAL),
        deadline=None if timeout is None else time.time() + 60 * timeout,
    )
    study = Study(replace(search, name=_open_folder(search, description)))
    return _run(study, workers, say, progress)


def _run(study: Study, workers: int, say: Say, progress: Callable[[int, int], None]) -> TuneSummary:
    search = study.search
    told = {trial.number for trial in study.trials() if trial.state.is_finished()}
    before = len(told)
    if 0 < before < search.trials:
        say(f"{search.output} holds {before} trials of {search.trials}: the search goes on.")

    def report() -> None:
        for trial in study.trials():
            if trial.state.is_finished() and trial.number not in told:
                told.add(trial.number)
                say(f"trial {trial.number} ({len(told)}/{search.trials}): {outcome_in_words(search, trial)}")
        progress(len(told), search.trials)

    report()
    if workers == 1 or search.trials - before <= 1:
        work(study, report)
    else:
        work_in_processes(study, min(workers, search.trials - before), report)
    report()
    write_results(study)
    return _summarise(study, before)


def _summarise(study: Study, before: int) -> TuneSummary:
    trials, search = study.trials(), study.search
    best = best_of(trials, search.best)
    if best is None:
        reasons = [trial.user_attrs["reason"] for trial in trials if "reason" in trial.user_attrs]
        why = f"the first failed: {reasons[0].rstrip('.')}" if reasons else "none was begun in time"
        raise InputError(
            f"{search.output}: none of {len(trials)} trials could be finished ({why}); correct the space or the "
            "settings and give another --output, or raise --trials."
        )
    assert best.value is not None
    counts = [trial.state for trial in trials]
    return TuneSummary(
        output=search.output,
        before=before,
        states={name: counts.count(state) for state, name in STATES.items() if state in counts},
        best=best.number,
        figure=search.best,
        value=best.value,
        settings=search.space.values(best.params),
        values={trial.number: float(trial.value or 0) for trial in trials if trial.state is TrialState.COMPLETE},
        importances=importances(study),
    )


def outcome_in_words(search: Search, trial: FrozenTrial) -> str:
    """How a trial ended, and its settings."""
    values = ", ".join(as_settings(search.space.values(trial.params))) if trial.params else "no settings drawn"
    if trial.state is TrialState.FAIL:
        ended = f"failed ({trial.user_attrs.get('reason', 'no reason given').rstrip('.')})"
    elif trial.state is TrialState.PRUNED:
        # Without a value where the figure of its last epoch was not a number.
        figure = f"{search.best.title} not a number" if trial.value is None else search.best.words(trial.value)
        ended = f"pruned after epoch {trial.last_step}, validation {figure}"
    else:
        ended = f"validation {search.best.words(trial.value)}"
    return f"{ended}; {values}"


def _check_usage(recipe: str, settings: Sequence[str], workers: int, trials: int) -> Recipe:
    how = load_recipe(recipe, split_settings(settings)[1])
    options = as_dict(how)["training"]
    if options.get("devices", 1) * options.get("nodes", 1) > 1 or int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(
            "a trial trains on one device; use training.devices=1 without torchrun, and --workers (or the same command "
            "on more nodes) to train several trials at once."
        )
    if workers < 1:
        raise UsageError(f"--workers {workers}: give a number from 1.")
    if trials < 1:
        raise UsageError(f"--trials {trials}: give a number from 1.")
    return how


def _most_epochs(space: Space, recipe: Recipe) -> int:
    dimension = space.dimensions.get("training.epochs")
    if dimension is None:
        return recipe.training.epochs
    return int(dimension.high if isinstance(dimension, Interval) else max(dimension.choices))


def _open_folder(search: Search, description: dict[str, Any]) -> str:
    """Make the folder of a search, or find it again; returns the study's name, its own in the storage."""
    output = search.output
    check_folder(output)
    ours = {"trials", "trials.lock"}
    if output.is_dir() and not (output / DESCRIPTION).is_file() and set(names_in(output)) - ours:
        raise InputError(f"{output}: holds other files and is no search; choose another --output.")
    make_folder(output / "trials")
    with search.locked():
        path = output / DESCRIPTION
        if not path.is_file():
            # Hyperband's brackets hang on the name: the same search has the same, but databases hold more than one.
            name = f"e2egraph-{digest(description)[:16]}"
            if description["storage"] != JOURNAL:
                name += f"-{uuid.uuid4().hex[:16]}"
            content = yaml.safe_dump({"study": name, **description}, sort_keys=False, allow_unicode=True)
            write_text(path, content)
            return name
        found = read_yaml(path)
    for key, value in description.items():
        if found.get(key) != value:
            what = key.replace("_", " ")
            raise InputError(
                f"{output}: holds a search with another {what}; choose another --output, or give the same {what} again."
            )
    return str(found["study"])
