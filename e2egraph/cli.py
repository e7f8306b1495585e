"""The command line: the group of commands, and how errors become exit codes."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

import click

from e2egraph import __version__
from e2egraph.commands.ablate import ablate
from e2egraph.commands.benchmark.group import benchmark
from e2egraph.commands.build_graphs import build_graphs
from e2egraph.commands.compare import compare
from e2egraph.commands.compare_particles import compare_particles
from e2egraph.commands.config import config
from e2egraph.commands.dump_elements import dump_elements
from e2egraph.commands.dump_events import dump_events
from e2egraph.commands.dump_jets import dump_jets
from e2egraph.commands.evaluate import evaluate
from e2egraph.commands.export import export
from e2egraph.commands.inspect import inspect
from e2egraph.commands.predict import predict
from e2egraph.commands.simulate import simulate
from e2egraph.commands.train import train
from e2egraph.commands.tune import tune
from e2egraph.errors import InputError, Stopped, UsageError
from e2egraph.transient import memory_full
from e2egraph.utf8 import use_utf8


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="e2egraph")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
def cli() -> None:
    """End-to-end jet tagging on point clouds of detector deposits.

    \b
    simulate → build-graphs → train → evaluate → export → predict
    """


for command in (
    simulate,
    build_graphs,
    inspect,
    train,
    tune,
    evaluate,
    compare,
    compare_particles,
    ablate,
    export,
    predict,
    dump_elements,
    dump_events,
    dump_jets,
    config,
    benchmark,
):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code: 0 done, 1 bad input or failed work, 2 wrong usage."""
    if arguments is None:
        use_utf8()
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
    except Stopped as stop:
        return _fail(str(stop), stop.code, debug)
    except InputError as error:
        return _fail(str(error), 1, debug)
    except MemoryError as error:
        return _fail(str(memory_full(given[0], error)), 1, debug)
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
