"""``e2egraph benchmark io``: loading batches."""

from __future__ import annotations

from pathlib import Path

import click

from e2egraph.commands.benchmark.shared import finish
from e2egraph.commands.console import FolderOrFile, OutputFile, example, given_options, keep_inputs, progress


@example("e2egraph benchmark io --data data/top --output io.json")
@click.command()
@click.option("--data", required=True, type=FolderOrFile, help="Data set folder.")
@click.option(
    "--output", required=True, type=OutputFile(".md"), help="JSON file to write (a Markdown table next to it)."
)
@click.option(
    "--jets",
    default=512,
    show_default=True,
    type=click.IntRange(min=64),
    help="Training jets, drawn at random, of image files and other formats.",
)
@click.option("--steps", default=12, show_default=True, type=click.IntRange(min=1), help="Training steps timed.")
@click.option(
    "--repeats", default=3, show_default=True, type=click.IntRange(min=1), help="Readings; the median counts."
)
@click.option(
    "--model",
    "models",
    multiple=True,
    default=("resnet15", "gravnet", "tracks-and-cells-small"),
    show_default=True,
    help="To train.",
)
@click.option("--against", type=FolderOrFile, help="Folder of another version: batches of both, alternately, alone.")
@click.option("--against-data", type=FolderOrFile, help="Data set that version built from the same files.")
def io(
    data: Path,
    output: Path,
    jets: int,
    steps: int,
    repeats: int,
    models: tuple[str, ...],
    against: Path | None,
    against_data: Path | None,
) -> None:
    """Bytes per jet, reading rate and waiting for data, against dense image files, HDF5, Parquet with lists and (where
    it is installed) weaver-core; or with --against, next to another version of e2egraph alone."""
    from e2egraph.benchmark.storage.against import io_against
    from e2egraph.benchmark.storage.io import benchmark_io

    if (against is None) != (against_data is None):
        raise click.UsageError("Give --against and --against-data (a data set that the other version built) together.")
    if against is not None and (ignored := given_options("jets", "steps", "models")):
        raise click.UsageError(f"{ignored[0]}: --against times batches of the two versions alone; leave one out.")
    keep_inputs(output, (data, against_data, *models))
    if against is not None and against_data is not None:
        with progress("benchmark io --against", None) as advance_to:
            records = io_against(data, against, against_data, repeats=repeats, progress=advance_to)
        finish(output, records)
        return
    with progress("benchmark io", None) as advance_to:
        records = benchmark_io(
            data, jets=jets, steps=steps, networks=models, repeats=repeats, progress=advance_to,
            say=lambda line: click.echo(line, err=True),
        )  # fmt: skip
    finish(output, records)
