"""``e2egraph benchmark scaling``: training on several processes, and batch sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from e2egraph.commands.benchmark.shared import finish, numbers
from e2egraph.commands.console import FolderOrFile, OutputFile, example, keep_inputs, progress, settings_option


@example("e2egraph benchmark scaling --data data/top --model resnet15 --ranks 1,2,4 --output scaling.json")
@click.command()
@click.option("--data", required=True, type=FolderOrFile, help="Data set folder.")
@click.option("--model", required=True, help="Name in configs/models, or a YAML file.")
@click.option(
    "--output", required=True, type=OutputFile(".md"), help="JSON file to write (a Markdown table next to it)."
)
@click.option(
    "--ranks", callback=numbers, metavar="N,…", help="Numbers of processes; 1 is always there.  [default: 1,2]"
)
@click.option("--batch-sizes", callback=numbers, metavar="N,…", help="Train with each instead; AUC against size.")
@click.option("--jets", type=click.IntRange(min=1), help="Jets timed per turn; weak: per rank.  [default: 24 batches]")
@click.option("--learning-rate-rule", "rule", default="none", show_default=True,
              type=click.Choice(["none", "linear", "sqrt"]), help="How the rate follows --batch-sizes.")  # fmt: skip
@click.option("--recipe", default="published", show_default=True, help="Name in configs/recipes, or a YAML file.")
@click.option("--repeats", type=click.IntRange(min=1), help="Turns [default: 3], or seeds of --batch-sizes [1].")
@settings_option
def scaling(
    data: Path,
    model: str,
    output: Path,
    ranks: tuple[int, ...],
    batch_sizes: tuple[int, ...],
    jets: int | None,
    rule: Literal["none", "linear", "sqrt"],
    recipe: str,
    repeats: int | None,
    settings: tuple[str, ...],
) -> None:
    """Strong and weak scaling of training over processes of this machine, and AUC against batch size.

    With --batch-sizes, processes are measured only where --ranks is given too.
    """
    if rule != "none" and not batch_sizes:
        raise click.UsageError("--learning-rate-rule: only with --batch-sizes; give both or neither.")
    if jets is not None and batch_sizes and not ranks:
        raise click.UsageError("--jets: --batch-sizes trains whole epochs; leave it out, or give --ranks too.")
    from e2egraph.benchmark.scaling.batch_sizes import benchmark_batch_sizes
    from e2egraph.benchmark.scaling.scaling import RANKS, REPEATS, benchmark_scaling
    from e2egraph.benchmark.storage.pivot import pivot

    keep_inputs(output, (data, model, recipe))
    tables = []
    if ranks or not batch_sizes:
        with progress("benchmark scaling", None) as advance_to:
            tables.append(benchmark_scaling(
                model, data, ranks or RANKS, jets=jets, recipe=recipe, settings=settings, repeats=repeats or REPEATS,
                progress=advance_to,
            ))  # fmt: skip
    if batch_sizes:
        with progress("benchmark scaling", None) as advance_to:
            tables.append(benchmark_batch_sizes(
                model, data, batch_sizes, rule=rule, recipe=recipe, settings=settings, repeats=repeats or 1,
                progress=advance_to,
            ))  # fmt: skip
    for table in tables:
        click.echo(pivot(table))
    finish(output, [record for table in tables for record in table])
