"""``e2egraph dump-jets``: a data set → Parquet files with a list column for each node variable, for other tools."""

from __future__ import annotations

from pathlib import Path

import click

from e2egraph.commands.console import FolderOrFile, OutputFolder, done, example, progress


@example("e2egraph dump-jets data/top --output data/top-lists")
@click.command("dump-jets")
@click.argument("data", type=FolderOrFile)
@click.option("--output", required=True, type=OutputFolder(), help="Folder to write, a file for each shard.")
def dump_jets(data: Path, output: Path) -> None:
    """Write the data set DATA as Parquet files that weaver-core, Awkward and pandas read: a row for each jet, each node
    variable a list.

    All columns, in the order of the data set. e2egraph itself reads DATA alone.
    """
    from e2egraph.graphs.storage.lists import dump_jets as dump

    with progress("Writing objects", None) as advance:
        files = dump(data, output, advance)
    show = f"import pyarrow.parquet as p; print(p.read_table({str(files[0])!r}).slice(0, 5))"
    done(f"wrote {len(files)} files to {output}", "python", "-c", show)
