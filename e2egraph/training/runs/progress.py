"""What a training tells on the terminal."""

from __future__ import annotations

import time
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from e2egraph.tasks.objectives.objective import Best
from e2egraph.tasks.objects.naming import ObjectName
from e2egraph.training.runs.history import EpochRow
from e2egraph.training.steps.epoch_metrics import LOSS
from e2egraph.training.steps.watchers import StepReport, Watcher

# Where there is no terminal, such as in a batch system's log: seconds between lines inside an epoch.
_LINE_SECONDS = 600.0


class ProgressLines(Watcher):
    """On a terminal a bar for the running epoch; everywhere a line for each epoch done. Standard error.

    ``best``: the figure that the lines give in addition to the losses; ``objects``: what is counted in a second.
    """

    def __init__(self, title: str, epochs: int, best: Best, objects: ObjectName) -> None:
        self._title, self._epochs, self._best, self._objects = title, epochs, best, objects
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._spoke = time.monotonic()

    def on_message(self, text: str) -> None:
        self._print(f"{self._title}: {text}")

    def on_epoch_start(self, epoch: int, batches: int, done: int) -> None:
        if not self._console.is_terminal:
            return
        if self._bar is None:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[how]}"),
            )
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._task = self._bar.add_task("", how="")
            self._bar.start()
        description = f"{self._title} epoch {epoch}/{self._epochs}"
        self._bar.reset(self._task, total=batches, completed=done, description=description, how="")

    def on_step(self, report: StepReport) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=report.batch, how=self._how(report))
        elif time.monotonic() - self._spoke > _LINE_SECONDS:
            self._print(
                f"{self._title}: epoch {report.epoch}/{self._epochs}, batch {report.batch}/{report.batches}, "
                f"{self._how(report)}"
            )

    def on_epoch_end(self, row: EpochRow, step: int) -> None:
        figure = self._best.words(row.validation[self._best.name])
        decides = "" if self._best.name == LOSS else f"validation {figure}, "
        self._print(
            f"{self._title}: epoch {row.epoch}/{self._epochs}, loss {row.training[LOSS]:.4f}, validation loss "
            f"{row.validation[LOSS]:.4f}, {decides}"
            f"{row.jets_per_second:.0f} {self._objects.many}/s, {row.data_wait_share:.1%} of it waiting for data"
        )

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _print(self, text: str) -> None:
        self._spoke = time.monotonic()
        self._console.print(text, highlight=False, soft_wrap=True)

    def _how(self, report: StepReport) -> str:
        """Rate, share of waiting, and time left of the whole run."""
        left = timedelta(seconds=round(report.remaining))
        rate = f"{report.jets_per_second:.0f} {self._objects.many}/s"
        return f"{rate}, {report.data_wait_share:.1%} waiting for data, run ends in {left}"
