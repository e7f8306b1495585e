"""``e2egraph train``: data set → run."""

from __future__ import annotations

from pathlib import Path

import click

from e2egraph.commands.console import FolderOrFile, done, example, settings_option


@example("e2egraph train --model gravnet --data data/top --output runs/gravnet --set training.epochs=5")
@click.command()
@click.option("--model", required=True, help="Name in configs/models, or a YAML file.")
@click.option("--data", required=True, type=FolderOrFile, help="Data set folder.")
@click.option("--output", required=True, type=FolderOrFile, help="Run folder to make.")
@click.option("--recipe", default="published", show_default=True, help="Name in configs/recipes, or a YAML file.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Random seed.")
@settings_option
def train(model: str, data: Path, output: Path, recipe: str, seed: int, settings: tuple[str, ...]) -> None:
    """Train a network on a data set."""
    from e2egraph.training.train import train as run

    summary = run(model, data, output, settings=settings, seed=seed, recipe=recipe)
    done(
        f"wrote {output}: {summary.model} with {summary.parameters} parameters, validation AUC "
        f"{summary.validation_auc:.4f} at epoch {summary.best_epoch} of {summary.epochs}, "
        f"{summary.jets_per_second:.0f} training jets/s",
        f"e2egraph evaluate {output}",
    )
