"""``e2egraph dump-elements``: a data set of events → a file of their elements, which the C++ runner e2e_flow reads."""

from __future__ import annotations

from pathlib import Path

import click

from e2egraph.commands.console import FolderOrFile, OutputFile, done, example, progress


@example("e2egraph dump-elements data/flow --split test --output elements.bin")
@click.command("dump-elements")
@click.argument("data", type=FolderOrFile)
@click.option("--output", required=True, type=OutputFile(), help="File to write.")
@click.option("--split", help="train, validation or test; all events by default.")
def dump_elements(data: Path, output: Path, split: str | None) -> None:
    """Write the nodes of the data set DATA as a binary file for C++ (exports/cpp/EVENTS.md): of particle flow the
    tracks and clusters of each event, which e2e_flow turns into particles.
    """
    from e2egraph.graphs.storage.elementfile import dump_elements as dump
    from e2egraph.graphs.storage.manifest import read_manifest

    with progress("Writing elements", None) as advance:
        events = dump(data, output, split, advance)
    manifest = read_manifest(data)
    if manifest.objective.node_targets:
        done(f"wrote the elements of {events} events to {output}", "e2e_flow", "BUNDLE", output)
    else:
        click.echo(f"wrote the nodes of {manifest.object_name.count(events)} to {output}")
