"""``e2egraph.tune``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from e2egraph.api.settings import Settings, as_texts, keywords_as_settings
from e2egraph.api.train import GROUPS
from e2egraph.errors import UsageError
from e2egraph.folders import user_path

if TYPE_CHECKING:
    from e2egraph.training.tuning.search import TuneSummary
    from e2egraph.training.tuning.study import PrunerName


def tune(
    model: str | Path,
    data: str | Path,
    output: str | Path,
    *,
    space: str | Path | None = None,
    trials: int = 20,
    workers: int = 1,
    recipe: str | Path = "published",
    pruner: PrunerName = "median",
    timeout: float | None = None,
    storage: str | None = None,
    seed: int = 1,
    settings: Settings | None = None,
    say: Callable[[str], None] = lambda line: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    **options: Any,
) -> TuneSummary:
    """Search a model's and a recipe's settings for the best validation figure, such as the highest AUC.

    The same call goes on where it stopped, until ``output`` holds ``trials`` trials. It writes ``model.yaml`` and
    ``recipe.yaml`` of the best trial, ``trials.csv``, and each trial as a run.

    Args:
        model: Name in ``configs/models``, or a YAML file.
        data: Folder of the data set.
        output: Folder of the search.
        space: Name in ``configs/search`` or a YAML file; the model's name by default.
        trials: Trials in all.
        workers: Trials at a time.
        recipe: Name in ``configs/recipes``, or a YAML file.
        pruner: What ends poor trials early: ``median``, ``hyperband`` or ``none``.
        timeout: Begin no trial after this many minutes.
        storage: URL of a database of the study; by default a journal file in ``output``.
        seed: Random seed of the search and of its trainings.
        settings: Other settings by their dotted names, such as ``{"model.options.width": 32}``.
        say: Gets a line for each trial.
        progress: Called with (trials done, trials in all).
        **options: Keys of the recipe's groups ``training`` and ``data``, such as ``epochs=5``.

    Returns:
        ``settings`` of the best trial by key, its number ``best`` and its ``value`` of ``figure``, ``values`` of all
        finished trials, ``states`` (how many trials are in each), ``importances`` and ``output``.

    Raises:
        UsageError: Optuna is missing (``pip install 'e2egraph[tune]'``), or an unknown model, recipe, setting, space or
            pruner.
        InputError: Unsuitable data set, another search in ``output``, or no trial that could be finished.

    Example:
        >>> found = e2e.tune("gravnet", data="data/top", output="tune/g", trials=1, epochs=1)
        >>> sorted(found.settings)[-1], found.states
        ('training.learning_rate', {'finished': 1})
    """
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise UsageError("tune needs Optuna; pip install 'e2egraph[tune]'.") from error
    from e2egraph.plots.tuning import plot_search
    from e2egraph.training.tuning import study
    from e2egraph.training.tuning.search import tune as run

    if pruner not in (known := get_args(study.PrunerName)):
        raise UsageError(f"unknown pruner '{pruner}'; choose one of {', '.join(known)}.")
    if timeout is not None and timeout < 0:
        raise UsageError(f"timeout={timeout:g}: give minutes from 0.")

    summary = run(
        str(model),
        user_path(data),
        user_path(output),
        space=str(model if space is None else space),
        trials=trials,
        recipe=str(recipe),
        settings=as_texts(keywords_as_settings(options, GROUPS)) + as_texts(settings),
        seed=seed,
        workers=workers,
        storage=storage,
        pruner=pruner,
        timeout=timeout,
        say=say,
        progress=progress,
    )
    if summary.importances:
        plot_search(summary.importances, summary.values, summary.figure, user_path(output) / "importance")
    else:
        say("no importance plot: it needs two finished trials of different validation figures")
    return summary
