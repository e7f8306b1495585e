"""``e2egraph benchmark build``: building point clouds."""

from __future__ import annotations

from pathlib import Path

import click

from e2egraph.commands.benchmark.shared import finish
from e2egraph.commands.console import (
    FolderOrFile,
    OutputFile,
    example,
    given_options,
    keep_inputs,
    progress,
    settings_option,
)


@example("e2egraph benchmark build --task top --sample top='ttbar*.root' --sample qcd='qcd*.root' --output build.json")
@click.command()
@click.option("--task", "task_name", default="top", show_default=True, help="Name in configs/tasks, or a YAML file.")
@click.option("--sample", "samples", multiple=True, required=True, metavar="NAME=GLOB", help="Files of one class.")
@click.option(
    "--output", required=True, type=OutputFile(".md"), help="JSON file to write (a Markdown table next to it)."
)
@click.option("--against", type=FolderOrFile, help="Folder of another version: CPU per event of both, alternately.")
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(min=1), help="Turns of --against.")
@settings_option
def build(
    task_name: str,
    samples: tuple[str, ...],
    output: Path,
    against: Path | None,
    repeats: int,
    settings: tuple[str, ...],
) -> None:
    """Rate of build-graphs with one worker and with two, and peak memory at two file sizes.

    With --against, also CPU time per event next to that of another checkout of e2egraph.
    """
    from e2egraph.api.build import samples_for
    from e2egraph.benchmark.build import benchmark_against, benchmark_build
    from e2egraph.tasks.task import load_task

    if against is None and given_options("repeats"):
        raise click.UsageError("--repeats: turns of --against; give both or neither.")
    task = load_task(task_name, settings)
    given = samples_for(task, samples)
    keep_inputs(output, (task_name, *(path for sample in given for path in sample.paths)))
    with progress("benchmark build", None) as advance_to:
        records = benchmark_build(task, given, progress=advance_to)
    if against is not None:
        with progress("benchmark build", None) as advance_to:
            records += benchmark_against(task_name, settings, samples, against, repeats=repeats, progress=advance_to)
    finish(output, records)
