"""``e2egraph.ablate``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from e2egraph.api.settings import Settings, as_texts, check_resamples
from e2egraph.errors import UsageError
from e2egraph.evaluation.ablation.ablate import AblationSummary, Progress
from e2egraph.evaluation.ablation.ablate import ablate as run
from e2egraph.evaluation.ablation.plan import CurvePoint, Request
from e2egraph.evaluation.ablation.rows import load_rows
from e2egraph.evaluation.compare.paired import RESAMPLES
from e2egraph.folders import user_path

# A number of training jets (None: all), alone or with its seeds.
Point = int | Sequence[int | Sequence[int] | None] | None


def ablate(
    models: Sequence[str | Path],
    data: str | Path,
    output: str | Path,
    *,
    test_data: str | Path | None = None,
    rows: str = "published",
    reference: str | None = None,
    recipe: str | Path = "published",
    training_jets: int | None = None,
    seeds: Sequence[int] = (1,),
    full_seeds: Sequence[int] = (1, 2, 3),
    learning_curve: Sequence[Point] = (),
    report_only: bool = False,
    time_again: bool = False,
    resamples: int = RESAMPLES,
    settings: Settings | None = None,
    say: Callable[[str], None] = lambda line: None,
    progress: Progress = lambda title: nullcontext(lambda done, total: None),
) -> AblationSummary:
    """Train models on combinations of inputs and compare them all on the same jets.

    Runs that are there are kept; one that was stopped goes on when the same call is repeated.

    Args:
        models: Names in ``configs/models``, or YAML files.
        data: Folder of the data set to learn from.
        output: Folder for the runs, ``ablation.json``, tables, plots and ``report.html``.
        test_data: Data set whose test split is scored; ``data`` by default.
        rows: Combinations of inputs: a name in ``configs/ablations``, a YAML file, ``"ROW,ROW"`` of the published ones
            or ``"PRESET:ROW,ROW"``.
        reference: Model that differences are taken to; the first one by default.
        recipe: Name in ``configs/recipes``, or a YAML file.
        training_jets: Training jets of every row; all by default.
        seeds: Random seeds of every row.
        full_seeds: Random seeds of the row of all inputs.
        learning_curve: Train the row of all inputs with these numbers of jets as well (None: all), such as
            ``[2500, (5000, [1, 2])]``: a number, or a number with its seeds (``seeds`` where it has none).
        report_only: Train and evaluate nothing; write tables and plots of what is there.
        time_again: Measure what inference costs again.
        resamples: Paired bootstrap resamples, 100 or more.
        settings: Other settings, such as ``{"training.epochs": 5}``, or ``{"MODEL:training.learning_rate": 1e-3}`` for
            one model alone.
        say: Gets a line for each run.
        progress: Opens a display of progress: title → context of a function of (done, total).

    Returns:
        ``ablation`` (``runs``, ``cells`` with every figure and its error, ``model_differences``, ``layer_differences``,
        ``failures``) and ``written``, the files next to the runs.

    Raises:
        UsageError: Unknown model, row, recipe or setting, a learning curve of something else, or too few resamples.
        InputError: A data set that does not serve every run, other content in ``output``, or no run is finished.
        Stopped: On SIGTERM, SIGUSR1 or Ctrl-C, after the running training was saved.

    Example:
        >>> small = {"training.epochs": 1, "model.options.depth": 1}
        >>> found = e2e.ablate(["gravnet"], data="data/top", output="ablation", rows="pt", settings=small)
        >>> [run.row for run in found.ablation.runs]
        ['pt']
    """
    if isinstance(models, str) or not models:
        raise UsageError("models: give a list of names or YAML files.")
    check_resamples(resamples)
    points = [_point(point) for point in learning_curve]
    request = Request(
        models=tuple(map(str, models)),
        rows=load_rows(rows),
        rows_name=rows,
        reference=reference,
        recipe=str(recipe),
        settings=tuple(as_texts(settings)),
        training_jets=training_jets,
        seeds=tuple(seeds),
        full_seeds=tuple(full_seeds),
        curve=tuple(points),
    )
    return run(
        request,
        user_path(data),
        user_path(output),
        test_data=None if test_data is None else user_path(test_data),
        report_only=report_only,
        time_again=time_again,
        resamples=resamples,
        say=say,
        progress=progress,
    )


def _point(point: Point) -> CurvePoint:
    """UsageError unless it is a number of jets or None, alone or with a list of its seeds."""
    jets: Any = point
    seeds: Any = ()
    if isinstance(point, list | tuple):
        jets, seeds = point if len(point) == 2 else (point, None)
    whole = jets is None or (isinstance(jets, int) and not isinstance(jets, bool) and jets > 0)
    if not whole or not isinstance(seeds, list | tuple | range):
        raise UsageError(
            f"learning_curve: {point!r} is no point; give a number of jets from 1 (None: all), alone or with its seeds "
            "as (5000, [1, 2])."
        )
    return CurvePoint(jets, tuple(seeds))
