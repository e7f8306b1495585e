"""``e2egraph benchmark …``: speed and size → JSON and Markdown."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from e2egraph.benchmark.report import Record, write_report
from e2egraph.commands.console import FolderOrFile, done, example, progress, settings_option


@click.group()
def benchmark() -> None:
    """Measure speed and size, both sides of each ratio in one run."""


@example("e2egraph benchmark build --task top --sample top='ttbar*.root' --sample qcd='qcd*.root' --output build.json")
@benchmark.command()
@click.option("--task", "task_name", default="top", show_default=True, help="Name in configs/tasks, or a YAML file.")
@click.option("--sample", "samples", multiple=True, required=True, metavar="NAME=GLOB", help="Files of one class.")
@click.option("--output", required=True, type=FolderOrFile, help="JSON file to write (a Markdown table beside it).")
@settings_option
def build(task_name: str, samples: tuple[str, ...], output: Path, settings: tuple[str, ...]) -> None:
    """Rate of build-graphs with one worker and with two, and peak memory at two file sizes."""
    from e2egraph.benchmark.build import benchmark_build
    from e2egraph.events.samples import parse_samples
    from e2egraph.graphs.task import load_task

    task = load_task(task_name, settings)
    with progress("benchmark build", None) as advance_to:
        records = benchmark_build(task, parse_samples(samples, task.classes), progress=advance_to)
    _finish(output, records)


@example("e2egraph benchmark io --data data/top --output io.json")
@benchmark.command()
@click.option("--data", required=True, type=FolderOrFile, help="Data set folder.")
@click.option("--output", required=True, type=FolderOrFile, help="JSON file to write (a Markdown table beside it).")
@click.option("--jets", default=512, show_default=True, type=click.IntRange(min=64), help="Jets of the image file.")
@click.option("--steps", default=12, show_default=True, type=click.IntRange(min=1), help="Training steps timed.")
@click.option(
    "--repeats", default=3, show_default=True, type=click.IntRange(min=1), help="Readings; the median counts."
)
@click.option("--model", "models", multiple=True, default=("resnet15", "gravnet"), show_default=True, help="To train.")
def io(data: Path, output: Path, jets: int, steps: int, repeats: int, models: tuple[str, ...]) -> None:
    """Bytes a jet, reading rate and waiting for data, against dense image files."""
    from e2egraph.benchmark.io import benchmark_io

    with progress("benchmark io", None) as advance_to:
        records = benchmark_io(data, jets=jets, steps=steps, networks=models, repeats=repeats, progress=advance_to)
    _finish(output, records)


def _finish(output: Path, records: list[Record]) -> None:
    command = " ".join(["e2egraph", *sys.argv[1:]])
    written = write_report(output, command, records)
    click.echo(written[1].read_text())
    done(f"wrote {', '.join(map(str, written))}", "e2egraph benchmark --help")
