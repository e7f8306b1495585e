"""What the commands share: option types, examples in the help, progress bars and the closing line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

FolderOrFile = click.Path(path_type=Path)
settings_option = click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override one setting.")


def example(text: str) -> Callable[[click.Command], click.Command]:
    """Decorator: an example at the end of a command's help."""

    def add(command: click.Command) -> click.Command:
        command.epilog = f"\b\nExample:\n  {text}"
        return command

    return add


@contextmanager
def progress(title: str, total: int | None) -> Iterator[Callable[[int, int], None]]:
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


def done(what: str, then: str) -> None:
    """The closing line: what was done and where it is, and the next command to try."""
    click.echo(f"{what}; next: {then}")
