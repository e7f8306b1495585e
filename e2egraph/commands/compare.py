"""``e2egraph compare``: runs side by side."""

from __future__ import annotations

from pathlib import Path

import click

from e2egraph.commands.console import FolderOrFile, done, example

# Jets of each class that a bundle is timed on.
JETS_TIMED = 64


@example("e2egraph compare runs/gravnet runs/resnet15 --bundles exports")
@click.command()
@click.argument("runs", nargs=-1, required=True, type=FolderOrFile)
@click.option("--data", type=FolderOrFile, help="Data set folder; the runs' own by default.")
@click.option("--bundles", type=FolderOrFile, help="Folder with a bundle NAME for each run NAME, to be timed.")
@click.option("--output", type=FolderOrFile, help="Write the table to this Markdown file as well.")
def compare(runs: tuple[Path, ...], data: Path | None, bundles: Path | None, output: Path | None) -> None:
    """Table of evaluated runs on the same jets, with jet mass and τ32 alone as the baseline."""
    from e2egraph.evaluation.comparison import compare as rows_of
    from e2egraph.evaluation.comparison import markdown_table
    from e2egraph.graphs.shards import first_jets
    from e2egraph.inference.latency import latency
    from e2egraph.training.run_folder import read_run

    times = {}
    if bundles is not None:
        jets = first_jets(data or Path(read_run(runs[0]).data.folder), JETS_TIMED)
        times = {
            run.name: latency(bundles / run.name, jets, batch_sizes=(1,), repeats=2 * JETS_TIMED)[1] for run in runs
        }
    table = markdown_table(rows_of(runs, data, times))
    click.echo(table)
    click.echo("ONNX Runtime: median over jets one at a time, one thread.")
    if output is not None:
        output.write_text(table + "\n")
    done(f"compared {len(runs)} runs" + (f", wrote {output}" if output else ""), "e2egraph train --help")
