"""``e2egraph train``: data set → run."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from e2egraph.commands.console import FolderOrFile, OutputFolder, done, example, settings_option
from e2egraph.errors import Stopped


@example("e2egraph train --model gravnet --data data/top --output runs/gravnet --set training.epochs=5")
@click.command()
@click.option("--model", required=True, help="Name in configs/models, or a YAML file.")
@click.option("--data", required=True, type=FolderOrFile, help="Data set folder.")
@click.option("--output", required=True, type=OutputFolder(), help="Run folder to make.")
@click.option("--recipe", default="published", show_default=True, help="Name in configs/recipes, or a YAML file.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Random seed.")
@click.option("--restart", is_flag=True, help="Begin an unfinished run again instead of going on with it.")
@settings_option
def train(
    model: str, data: Path, output: Path, recipe: str, seed: int, restart: bool, settings: tuple[str, ...]
) -> None:
    """Train a network on a data set.

    A run that was stopped or killed goes on when the same command is given again, and ends as if it had not been.
    """
    from e2egraph.api.train import train as run
    from e2egraph.data.share import current_share

    try:
        trained = run(model, data, output, settings=settings, seed=seed, recipe=recipe, restart=restart)
    except Stopped as stop:
        if current_share().rank > 0:
            sys.exit(stop.code)
        raise
    if current_share().rank > 0:
        return
    then: tuple[object, ...] = ("evaluate", output)
    if trained.info.outputs.level == "node":
        then = ("predict", output, "--data", data, "--output", "candidates.parquet")
    summary, best = trained.summary, trained.info.objective.best
    done(
        f"wrote {output}: {summary['model']} with {summary['parameters']} parameters, validation "
        f"{best.words(summary[f'validation_{best.name}'])} at epoch {summary['best_epoch']} of {summary['epochs']}, "
        f"{summary['jets_per_second']:.0f} training {trained.info.data.object_name.many}/s",
        "e2egraph",
        *then,
    )
