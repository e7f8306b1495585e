"""``e2egraph config``: what configurations there are, and what each of their keys means."""

from __future__ import annotations

from collections.abc import Sequence

import click

from e2egraph.commands.console import done, example

# Characters that a column takes at most when it is not a terminal that is written to.
_WIDEST = 44


@example("e2egraph config show task top")
@click.group("config")
def config() -> None:
    """Show what can be configured: every key with its meaning, default and unit."""


@example("e2egraph config list model")
@config.command("list")
@click.argument("kind", required=False)
def list_configurations(kind: str | None) -> None:
    """List the configurations that are shipped, of one KIND or of all."""
    from e2egraph.api.configurations import kind_of, kinds

    chosen = kinds() if kind is None else {kind: kind_of(kind)}
    rows = [(name, each, found.about(each)) for name, found in chosen.items() for each in found.names]
    rows += [(name, "", f"your own file, for {found.used_by}") for name, found in chosen.items() if not found.names]
    _table(("kind", "name", "what it is"), rows)
    first = next(((name, each) for name, each, _ in rows if each), (rows[0][0],))
    done(f"{sum(bool(each) for _, each, _ in rows)} configurations", "e2egraph", "config", "show", *first)


@example("e2egraph config show recipe short")
@config.command("show")
@click.argument("kind")
@click.argument("name", required=False)
def show(kind: str, name: str | None) -> None:
    """List every key of a KIND of configuration: task, model, recipe, process, detector and others.

    With NAME, a shipped name or a YAML file, its values stand next to the defaults. Keys are as --set takes them; *
    stands for any name or number, [KIND] for the keys of one kind of object or objective.
    """
    from e2egraph.api.configurations import kind_of

    found = kind_of(kind)
    keys = list(found.keys(name))
    rows = [
        (
            key.name,
            *(() if name is None else ("" if key.value is None else key.value,)),
            "required" if key.default is None else key.default,
            key.description.unit,
            key.description.meaning,
        )
        for key in keys
    ]
    _table(("key", *(() if name is None else (name,)), "default", "unit", "meaning"), rows)
    following = ("config", "list", kind) if name is None and found.names else (found.used_by, "--help")
    done(f"{len(keys)} keys", "e2egraph", *following)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows under their titles, each on one line unless a terminal is narrower."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        # What is longer than most moves the rest of its own row alone.
        widths = [min(_WIDEST, max(len(text) for text in column)) for column in zip(titles, *rows, strict=True)]
        for row in (titles, *rows):
            click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
        return
    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold", no_wrap=title == titles[0])
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
