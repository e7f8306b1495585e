"""TensorBoard's event files.

tensorboardX brings the file format and its protocol buffers without TensorFlow's or TensorBoard's dependencies. Its
``SummaryWriter`` writes from a thread behind a queue, where a full disk would halt the training; its ``EventsWriter``
writes at once.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from e2egraph.folders import make_folder
from e2egraph.training.runs.history import EpochRow
from e2egraph.training.runs.run_folder import TENSORBOARD
from e2egraph.training.steps.watchers import StepReport, Watcher

# Steps between the points of the curves inside an epoch.
EVERY = 50


class TensorBoardLog(Watcher):
    """Writes an events file to ``folder/tensorboard`` each time a run is started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / TENSORBOARD
        self._writer: Any = None

    def on_start(self, step: int) -> None:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto import event_pb2

        make_folder(self._folder)
        self._writer = EventsWriter(str(self._folder / "events"), f".{step}")
        if step:
            # Tells TensorBoard to forget points after this one, written by a process that was killed.
            status = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._writer.write_event(event_pb2.Event(wall_time=time.time(), step=step + 1, session_log=status))

    def on_step(self, report: StepReport) -> None:
        if report.step % EVERY or report.loss is None:
            return
        figures = {
            "loss": report.loss,
            "learning_rate": report.learning_rate,
            "jets_per_second": report.jets_per_second,
            "data_wait_share": report.data_wait_share,
        }
        self._write(report.step, {f"step/{name}": value for name, value in figures.items()})

    def on_epoch_end(self, row: EpochRow, step: int) -> None:
        self._write(step, {f"epoch/{name}": float(value) for name, value in row.columns().items()})
        self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _write(self, step: int, figures: dict[str, float]) -> None:
        from tensorboardX.proto import event_pb2, summary_pb2

        values = [summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in figures.items()]
        summary = summary_pb2.Summary(value=values)
        self._writer.write_event(event_pb2.Event(wall_time=time.time(), step=step, summary=summary))
