"""The commands: parse, call, print. Each ends with a line saying what it wrote and the next command to try."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from e2egraph import __version__
from e2egraph.errors import InputError, UsageError

FolderOrFile = click.Path(path_type=Path)
_settings = click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override one setting.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="e2egraph")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
def cli() -> None:
    """End-to-end jet tagging on point clouds of detector deposits.

    \b
    simulate → build-graphs → train → evaluate → export → predict
    """


def _example(text: str) -> Callable[[click.Command], click.Command]:
    def add(command: click.Command) -> click.Command:
        command.epilog = f"\b\nExample:\n  {text}"
        return command

    return add


@_example("e2egraph simulate --process ttbar --events 2000 --seed 1 --output ttbar.root")
@cli.command()
@click.option("--process", required=True, help="Name in configs/processes, or a YAML file.")
@click.option("--events", required=True, type=click.IntRange(min=1), help="Number of events.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(1, 900_000_000), help="Random seed.")
@click.option("--output", required=True, type=FolderOrFile, help="ROOT file to write.")
@click.option("--images/--no-images", default=True, show_default=True, help="Write the dense images as well.")
@_settings
def simulate(process: str, events: int, seed: int, output: Path, images: bool, settings: tuple[str, ...]) -> None:
    """Simulate events into an RHTree ROOT file (Pythia 8 and a parametric, CMS-like detector)."""
    from e2egraph.events.simulation.simulate import simulate as run

    with _progress(f"simulate {process}", events) as advance_to:
        done = 0

        def follow(number: int) -> None:
            nonlocal done
            done += number
            advance_to(done, events)

        summary = run(process, events, seed, output, images=images, settings=settings, progress=follow)
    _done(
        f"wrote {summary.events} events with {summary.jets} jets to {output} "
        f"({summary.events_per_second:.1f} events/s; parametric simulation, not CMS simulation)",
        f"e2egraph build-graphs --task top --sample top={output} --sample qcd=… --output data/top",
    )


@_example("e2egraph build-graphs --task top --sample top='ttbar*.root' --sample qcd='qcd*.root' --output data/top")
@cli.command("build-graphs")
@click.option("--task", "task_name", required=True, help="Name in configs/tasks, or a YAML file.")
@click.option("--sample", "samples", multiple=True, required=True, metavar="NAME=GLOB", help="Files of one class.")
@click.option("--output", required=True, type=FolderOrFile, help="Data set folder to make.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(min=1), help="Processes.")
@click.option("--trust-sample-names", is_flag=True, help="Label every jet by its sample, without truth matching.")
@_settings
def build_graphs(
    task_name: str,
    samples: tuple[str, ...],
    output: Path,
    workers: int,
    trust_sample_names: bool,
    settings: tuple[str, ...],
) -> None:
    """Turn ntuples into a data set of point clouds, one a jet."""
    from e2egraph.events.samples import parse_samples
    from e2egraph.graphs.build import build
    from e2egraph.graphs.task import load_task

    if trust_sample_names:
        settings = (*settings, "truth.source=sample_name")
    task = load_task(task_name, settings)
    with _progress("build-graphs", None) as advance_to:
        summary = build(task, parse_samples(samples, task.classes), output, workers=workers, progress=advance_to)
    manifest = summary.manifest
    for name, flow in manifest.cutflow.items():
        click.echo(f"{name}: " + " → ".join(f"{step} {number}" for step, number in flow.items()))
    jets = sum(shard.jets for shard in manifest.shards)
    size = sum(shard.size for shard in manifest.shards)
    nodes = sum(shard.nodes for shard in manifest.shards)
    _done(
        f"{'found complete' if summary.already_complete else 'wrote'}: {jets} jets in {len(manifest.shards)} shards, "
        f"{nodes / jets:.0f} nodes and {size / jets / 1000:.1f} kB a jet, to {output}",
        f"e2egraph train --model gravnet --data {output} --output runs/gravnet",
    )


@contextmanager
def _progress(title: str, total: int | None) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error; yields a function taking (done, total)."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def _done(what: str, then: str) -> None:
    click.echo(f"{what}; next: {then}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code: 0 done, 1 bad input or failed work, 2 wrong usage."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        cli.main([word for word in given if word != "--debug"], prog_name="e2egraph", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted; the same command goes on from here or begins again.", 130, debug)
    except (click.ClickException, UsageError) as error:
        message = error.format_message() if isinstance(error, click.ClickException) else str(error)
        return _fail(message, 2, debug)
    except InputError as error:
        return _fail(str(error), 1, debug)
    except OSError as error:
        return _fail(f"{error.filename or 'file system'}: {error.strerror or error}.", 1, debug)
    except Exception as error:
        return _fail(f"a fault in e2egraph ({type(error).__name__}: {error}); run again with --debug.", 1, debug)
    return 0


def _fail(message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    click.echo(f"e2egraph: {message}", err=True)
    return code
