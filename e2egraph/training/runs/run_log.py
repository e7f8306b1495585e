"""``train.log``: what happened to a run and when, over all the times it was started. It also guards the folder."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from e2egraph.errors import InputError
from e2egraph.locks import lock
from e2egraph.tasks.objectives.objective import Best
from e2egraph.training.runs.history import EpochRow
from e2egraph.training.runs.run_folder import LOG
from e2egraph.training.steps.epoch_metrics import LOSS
from e2egraph.training.steps.watchers import Watcher


class RunLog(Watcher):
    """Appends to ``train.log`` of run folder ``folder`` and holds a lock on it, freed whenever the process ends.

    ``best``: the figure that is written in addition to the losses. ``remark``: for the user, where there are no locks.
    InputError when another training holds the lock.
    """

    def __init__(self, folder: Path, best: Best) -> None:
        self._best = best
        self._file = (folder / LOG).open("a", encoding="utf-8")
        try:
            self.remark = lock(self._file, folder, "training")
        except InputError:
            self._file.close()
            raise

    def on_start(self, step: int) -> None:
        self.on_message(f"goes on after step {step}" if step else "begins")

    def on_message(self, text: str) -> None:
        self._file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {text}\n")
        self._file.flush()

    def on_epoch_end(self, row: EpochRow, step: int) -> None:
        self.on_message(
            f"epoch {row.epoch} done after step {step}: loss {row.training[LOSS]:.6f}, validation loss "
            f"{row.validation[LOSS]:.6f}, validation {self._best.words(row.validation[self._best.name], 6)}, "
            f"{row.seconds:.1f} s"
        )

    def on_exit(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """For ``ExitStack.push``: write down what ended the training, if anything did."""
        if error is not None and not self._file.closed:
            with suppress(OSError):
                self.on_message(f"ended by {type(error).__name__}: {error}")
        self.close()

    def close(self) -> None:
        self._file.close()
