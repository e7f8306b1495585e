"""``e2egraph tune``: data set and search space → the best settings, as files to train with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from e2egraph.commands.console import FolderOrFile, OutputFolder, done, example, progress, settings_option

if TYPE_CHECKING:
    from e2egraph.training.tuning.study import PrunerName


@example("e2egraph tune --model gravnet --data data/top --output tune/gravnet --trials 20 --set training.epochs=5")
@click.command()
@click.option("--model", required=True, help="Name in configs/models, or a YAML file.")
@click.option("--data", required=True, type=FolderOrFile, help="Data set folder.")
@click.option("--space", help="Name in configs/search, or a YAML file; the model's name by default.")
@click.option("--output", required=True, type=OutputFolder(), help="Folder of the search; the same one goes on.")
@click.option("--trials", default=20, show_default=True, type=click.IntRange(min=1), help="Trials in all.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(min=1), help="Trials at a time.")
@click.option("--recipe", default="published", show_default=True, help="Name in configs/recipes, or a YAML file.")
@click.option(
    "--pruner",
    default="median",
    show_default=True,
    type=click.Choice(["median", "hyperband", "none"]),
    help="What ends poor trials early.",
)
@click.option("--timeout", type=click.FloatRange(min=0), metavar="MINUTES", help="Begin no trial after this time.")
@click.option("--storage", metavar="URL", help="Database of the study; a journal file in OUTPUT by default.")
@click.option(
    "--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Of the search and its trainings."
)
@settings_option
def tune(
    model: str,
    data: Path,
    space: str | None,
    output: Path,
    trials: int,
    workers: int,
    recipe: str,
    pruner: PrunerName,
    timeout: float | None,
    storage: str | None,
    seed: int,
    settings: tuple[str, ...],
) -> None:
    """Search a model's and a recipe's settings for the best validation figure, such as the highest AUC."""
    from e2egraph.api.tune import tune as run

    with progress("tune", trials) as advance_to:
        summary = run(
            model,
            data,
            output,
            space=space,
            trials=trials,
            recipe=recipe,
            settings=settings,
            seed=seed,
            workers=workers,
            storage=storage,
            pruner=pruner,
            timeout=timeout,
            say=lambda line: click.echo(line, err=True),
            progress=advance_to,
        )
    for key, value in summary.settings.items():
        click.echo(f"{key}: {value}")
    total = sum(summary.states.values())
    what = f"found {output} complete" if summary.before >= trials else f"wrote {output}"
    counts = ", ".join(f"{number} {state}" for state, number in summary.states.items())
    before = f", {summary.before} of them before" if summary.before else ""
    done(
        f"{what}: {total} trials ({counts}){before}, best validation {summary.figure.words(summary.value)} in trial "
        f"{summary.best}",
        *("e2egraph", "train", "--model", output / "model.yaml", "--recipe", output / "recipe.yaml"),
        *("--data", data, "--output", "runs/best"),
    )
