"""``e2egraph benchmark simulate``: simulation."""

from __future__ import annotations

from pathlib import Path

import click

from e2egraph.commands.benchmark.shared import finish
from e2egraph.commands.console import FolderOrFile, OutputFile, example, keep_inputs, progress


@example("e2egraph benchmark simulate --process ttbar --output simulate.json")
@click.command()
@click.option("--process", default="ttbar", show_default=True, help="Name in configs/processes, or a YAML file.")
@click.option(
    "--output", required=True, type=OutputFile(".md"), help="JSON file to write (a Markdown table next to it)."
)
@click.option("--events", default=100, show_default=True, type=click.IntRange(min=1), help="Events timed in a turn.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Of the first turn.")
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(min=1), help="Turns; the median counts.")
@click.option("--against", type=FolderOrFile, help="Folder of another version, which takes turns with this one.")
def simulate(process: str, output: Path, events: int, seed: int, repeats: int, against: Path | None) -> None:
    """Time until simulate begins, with an empty cache and in a second run, and CPU time per event."""
    from e2egraph.benchmark.simulate import benchmark_simulate

    keep_inputs(output, (process,))
    with progress("benchmark simulate", None) as advance_to:
        records = benchmark_simulate(
            process, events=events, seed=seed, repeats=repeats, against=against, progress=advance_to
        )
    finish(output, records)
