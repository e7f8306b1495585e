"""What a training tells while it runs: a row of figures an epoch (``metrics.csv``) and a progress bar."""

from __future__ import annotations

import csv
import io
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from e2egraph.data.batch import JetBatch
from e2egraph.training.module import MONITORED, TaggingModule
from e2egraph.training.run_folder import BEST, LAST, write_text


@dataclass(frozen=True)
class EpochRow:
    """One epoch, counted from 1. ``seconds``: training alone, without validation; ``jets_per_second`` goes with it.

    ``data_wait_share``: part of ``seconds`` spent waiting for batches.
    """

    epoch: int
    learning_rate: float
    training_loss: float
    training_auc: float
    validation_loss: float
    validation_auc: float
    seconds: float
    jets_per_second: float
    data_wait_share: float


class Recorder(Callback):
    """Times each epoch and keeps ``metrics.csv`` up to date, rewritten beside its name and renamed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rows: list[EpochRow] = []
        self._start = self._end = 0.0
        self._jets = 0
        self._rate = 0.0

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: TaggingModule) -> None:
        self._jets = 0
        self._rate = trainer.optimizers[0].param_groups[0]["lr"]
        self._start = time.perf_counter()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: TaggingModule, outputs: Any, batch: JetBatch, batch_idx: int
    ) -> None:
        self._jets += len(batch)
        if trainer.is_last_batch:
            # Only here does anything wait for the accelerator: the epoch ends when its work has.
            if pl_module.device.type == "cuda":
                torch.cuda.synchronize(pl_module.device)
            self._end = time.perf_counter()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: TaggingModule) -> None:
        train, validation = pl_module.train_metrics, pl_module.validation_metrics
        assert train is not None and validation is not None, "validation runs at the end of every epoch"
        seconds = self._end - self._start
        self.rows.append(
            EpochRow(
                epoch=trainer.current_epoch + 1,
                learning_rate=self._rate,
                training_loss=train.loss,
                training_auc=train.auc,
                validation_loss=validation.loss,
                validation_auc=validation.auc,
                seconds=seconds,
                jets_per_second=self._jets / seconds,
                data_wait_share=min(1.0, trainer.train_dataloader.wait_seconds / seconds),
            )
        )
        text = io.StringIO()
        writer = csv.DictWriter(text, [field.name for field in fields(EpochRow)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in self.rows)
        write_text(self._path, text.getvalue())


class ProgressLines(Callback):
    """On a terminal a bar for the running epoch; everywhere a line for each epoch done. Standard error."""

    def __init__(self, title: str, recorder: Recorder) -> None:
        self._title, self._recorder = title, recorder
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: TaggingModule) -> None:
        if not self._console.is_terminal:
            return
        if self._bar is None:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._task = self._bar.add_task("")
            self._bar.start()
        description = f"{self._title} epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        self._bar.reset(self._task, total=trainer.num_training_batches, description=description)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: TaggingModule, outputs: Any, batch: JetBatch, batch_idx: int
    ) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=batch_idx + 1)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: TaggingModule) -> None:
        row = self._recorder.rows[-1]
        self._console.print(
            f"{self._title}: epoch {row.epoch}/{trainer.max_epochs}, loss {row.training_loss:.4f}, validation loss "
            f"{row.validation_loss:.4f}, validation AUC {row.validation_auc:.4f}, {row.jets_per_second:.0f} jets/s",
            highlight=False,
            soft_wrap=True,
        )

    def teardown(self, trainer: lightning.Trainer, pl_module: TaggingModule, stage: str) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def checkpoints(folder: Path) -> tuple[ModelCheckpoint, ModelCheckpoint]:
    """``best.ckpt`` (highest validation AUC, the earlier of equals) and ``last.ckpt`` (after every epoch)."""
    common: dict[str, Any] = {"dirpath": folder, "auto_insert_metric_name": False, "enable_version_counter": False}
    best = ModelCheckpoint(filename=BEST, monitor=MONITORED, mode="max", save_top_k=1, **common)
    last = ModelCheckpoint(filename=LAST, save_top_k=1, save_on_train_epoch_end=True, **common)
    return best, last
