"""``e2egraph benchmark train``: training."""

from __future__ import annotations

from pathlib import Path

import click

from e2egraph.commands.benchmark.shared import finish
from e2egraph.commands.console import FolderOrFile, OutputFile, example, keep_inputs, progress


@example("e2egraph benchmark train --data data/top --output train.json")
@click.command()
@click.option("--data", required=True, type=FolderOrFile, help="Data set folder.")
@click.option(
    "--output", required=True, type=OutputFile(".md"), help="JSON file to write (a Markdown table next to it)."
)
@click.option("--model", "models", multiple=True, help="By name or YAML file.  [default: all shipped]")
@click.option("--steps", default=8, show_default=True, type=click.IntRange(min=1), help="Steps timed in each turn.")
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(min=1), help="Turns; the median counts.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads of torch.  [default: torch's own choice]")
def train(data: Path, output: Path, models: tuple[str, ...], steps: int, repeats: int, threads: int | None) -> None:
    """Jets per second in real training steps, parameters and FLOPs per jet."""
    from e2egraph.benchmark.train import benchmark_train

    keep_inputs(output, (data, *models))
    with progress("benchmark train", None) as advance_to:
        records = benchmark_train(data, models, steps=steps, repeats=repeats, threads=threads, progress=advance_to)
    finish(output, records)
