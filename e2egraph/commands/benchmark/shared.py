"""What the commands of ``e2egraph benchmark`` have in common: lists of numbers, and what is written at the end."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from e2egraph.benchmark.report import Record, write_report
from e2egraph.commands.console import command, done


def numbers(context: click.Context, option: click.Parameter, value: str | None) -> tuple[int, ...]:
    """``1,2,4`` as numbers, each once."""
    try:
        numbers = [int(word) for word in value.split(",")] if value is not None else []
    except ValueError:
        numbers = [0]
    if min(numbers, default=1) < 1:
        raise click.BadParameter("give whole numbers from 1 with commas between, such as 1,2,4.", context, option)
    return tuple(dict.fromkeys(numbers))


def finish(output: Path, records: list[Record]) -> None:
    """Write ``records`` with the command line and print their table."""
    written = write_report(output, command("e2egraph", *sys.argv[1:]), records)
    click.echo(written[1].read_text(encoding="utf-8"))
    done(f"wrote {', '.join(map(str, written))}", "e2egraph", "benchmark", "--help")
