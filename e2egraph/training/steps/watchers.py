"""What may listen to a training: progress, log file, TensorBoard and others are each a ``Watcher``."""

from __future__ import annotations

from dataclasses import dataclass

from e2egraph.training.runs.history import EpochRow


@dataclass(frozen=True)
class StepReport:
    """After a step. ``epoch`` counts from 1; ``step``: steps made in all; ``batch``: batches of the epoch done.

    ``loss``: mean over the steps since the last time it was looked at, None where it was not. ``jets``, ``seconds``,
    ``waited`` (for batches): since this process began or went on with the epoch. ``remaining``: estimated seconds to
    the end of the run, validation included.
    """

    epoch: int
    batch: int
    batches: int
    step: int
    learning_rate: float
    loss: float | None
    jets: int
    seconds: float
    waited: float
    remaining: float

    @property
    def jets_per_second(self) -> float:
        return self.jets / max(self.seconds, 1e-9)

    @property
    def data_wait_share(self) -> float:
        return min(1.0, self.waited / max(self.seconds, 1e-9))


class LostWatcher(Exception):  # noqa: N818 (the training goes on)
    """What a watcher raises that can do no more; the others get the message, one sentence, and it is told no more."""


class Watcher:
    """Told what happens, in the first process only; a subclass overrides what it cares for."""

    def on_start(self, step: int) -> None:
        """The run begins (``step`` 0) or goes on after ``step`` steps."""

    def on_message(self, text: str) -> None:
        """Something the user should know, one sentence."""

    def on_epoch_start(self, epoch: int, batches: int, done: int) -> None:
        """Epoch ``epoch`` (from 1) of ``batches`` batches, ``done`` of which were done before."""

    def on_step(self, report: StepReport) -> None:
        """A step was made."""

    def on_epoch_end(self, row: EpochRow, step: int) -> None:
        """An epoch is over and validated, after ``step`` steps in all."""

    def on_end(self, done: bool) -> None:
        """The training is done, or stopped on request; not called when it failed."""

    def close(self) -> None:
        """Nothing more will be told; always called."""
