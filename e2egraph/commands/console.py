"""What the commands share: option types, examples in the help, progress bars and the closing line."""

from __future__ import annotations

import shlex
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from e2egraph.errors import UsageError
from e2egraph.files import check_file, check_format, check_not_read
from e2egraph.folders import check_folder, user_path

FolderOrFile = click.Path(path_type=Path)
PLOT_SUFFIXES = (".png", ".pdf")
# What is read of the folder of a data set, a run or a bundle.
OF_FOLDERS = (
    "manifest.json", "*.parquet", "config.yaml", "summary.json", "metrics.*", "checkpoints/*", "metadata.json",
    "*.onnx",
)  # fmt: skip
OTHER_PICTURES = (".jpg", ".jpeg", ".svg", ".eps", ".ps", ".gif", ".tif", ".tiff", ".webp")
settings_option = click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override one setting.")


class _Output(click.ParamType, ABC):
    """A path to write, looked at before any work is done."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Path:
        return self.checked(user_path(value), param.opts[0] if param is not None else "--output")

    @abstractmethod
    def checked(self, path: Path, option: str) -> Path:
        """The path as the command takes it; InputError or UsageError unless it can be written."""


class OutputFolder(_Output):
    """A folder to write, which can be written."""

    def checked(self, path: Path, option: str) -> Path:
        check_folder(path, option)
        return path


class OutputFile(_Output):
    """A file to write, which can be written, and so can those of the same stem with ``suffixes`` next to it.

    ``kind``: the suffix of its format; a name that ends like a file of another format is refused.
    """

    def __init__(self, *suffixes: str, kind: str = "") -> None:
        self._suffixes, self._kind = suffixes, kind

    def checked(self, path: Path, option: str) -> Path:
        check_file(path, option)
        if self._kind:
            check_format(path, self._kind, option)
        if path.suffix in self._suffixes:
            raise UsageError(f"{option} {path}: another file of that name is written next to it; give another name.")
        for suffix in self._suffixes:
            check_file(path.with_suffix(suffix), option)
        return path


class OutputPlot(_Output):
    """A plot to write as PNG and PDF; gives their path without the suffix."""

    def checked(self, path: Path, option: str) -> Path:
        check_file(path, option)
        if path.suffix.lower() in OTHER_PICTURES:
            raise UsageError(f"{option} {path}: plots are written as PNG and PDF; give a name that ends in .png.")
        stem = path.with_suffix("") if path.suffix in PLOT_SUFFIXES else path
        for suffix in PLOT_SUFFIXES:
            check_file(stem.with_name(stem.name + suffix), option)
        return stem


def keep_inputs(written: Path | None, read: Iterable[str | Path | None]) -> None:
    """InputError when ``written`` is one of the files that a command is given to read, or of a data set, run or bundle
    whose folder it is given. Names in ``read`` that are no path are passed over."""
    if written is None:
        return
    for path in (user_path(given) for given in read if given is not None):
        inside = (found for pattern in OF_FOLDERS for found in path.glob(pattern)) if path.is_dir() else (path,)
        check_not_read(written, inside)


Command = TypeVar("Command", bound=click.Command)


def example(text: str) -> Callable[[Command], Command]:
    """Decorator: an example at the end of a command's help."""

    def add(command: Command) -> Command:
        command.epilog = f"\b\nExample:\n  {text}"
        return command

    return add


def given_options(*names: str) -> list[str]:
    """Those of a command's parameters ``names`` that are given on its command line, as options."""
    source = click.get_current_context().get_parameter_source
    options = {parameter.name: parameter.opts[0] for parameter in click.get_current_context().command.params}
    return [options[name] for name in names if source(name) is ParameterSource.COMMANDLINE]


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


def command(*words: object) -> str:
    """A command line for people to copy: each word as a shell takes it, ``…`` for what is left to them."""
    return " ".join(_quoted(word.removesuffix("…")) + "…" * word.endswith("…") for word in map(str, words))


def _quoted(word: str) -> str:
    """As ``shlex.quote``, but in double quotes where single ones stand in the word, which people can read."""
    return f'"{word}"' if "'" in word and not set('"$`\\!') & set(word) else shlex.quote(word)


def first_training(objective: str, data: Path | str) -> tuple[Path | str, ...]:
    """The command that trains a first network on a data set whose objective is of this kind."""
    model, output, recipe = ("gnn-lsh", "runs/flow", ("--recipe", "particle-flow")) if objective == "nodes" else (
        "gravnet", "runs/gravnet", ()
    )  # fmt: skip
    return ("e2egraph", "train", "--model", model, "--data", data, *recipe, "--output", output)


def done(what: str, *then: object) -> None:
    """The closing line: what was done and where it is, and the words of the next command to try."""
    click.echo(f"{what}; next: {command(*then)}")
