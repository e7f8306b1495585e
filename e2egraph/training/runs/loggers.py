"""Weights & Biases and MLflow, through Lightning's loggers; imported where asked for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from e2egraph.errors import InputError, UsageError
from e2egraph.files import write_json
from e2egraph.training.runs.history import EpochRow
from e2egraph.training.runs.run_folder import SERVICES, read_json
from e2egraph.training.runs.tensorboard import EVERY, TensorBoardLog
from e2egraph.training.steps.watchers import LostWatcher, StepReport, Watcher

PROJECT = "e2egraph"

# How a run ended, in the words of Lightning's loggers and of MLflow.
_DONE, _STOPPED, _FAILED = "success", "KILLED", "failed"

# The loggers of services come with the whole of Lightning, of which training itself needs Fabric alone.
_PACKAGES = {"tensorboard": ("tensorboardX",), "wandb": ("wandb", "lightning"), "mlflow": ("mlflow", "lightning")}


def check_loggers(names: Sequence[str]) -> None:
    """UsageError when a package that a logger needs is not installed."""
    for name in names:
        missing = [package for package in _PACKAGES[name] if find_spec(package) is None]
        if missing:
            raise UsageError(
                f"training.loggers: '{name}' needs {' and '.join(missing)}; pip install {' '.join(missing)}, or leave "
                "it out."
            )


def make_loggers(names: Sequence[str], folder: Path, settings: dict[str, Any]) -> list[Watcher]:
    """A watcher for each name of ``training.loggers``; ``settings`` is the run's whole configuration."""
    return [TensorBoardLog(folder) if name == "tensorboard" else ServiceLog(name, folder, settings) for name in names]


class ServiceLog(Watcher):
    """Figures for an experiment tracking service. The service's own environment variables say where it is.

    InputError when it cannot be used at the start; LostWatcher when it fails later, as a training is worth more.
    """

    def __init__(self, name: str, folder: Path, settings: dict[str, Any]) -> None:
        self._name, self._folder, self._settings = name, folder, settings
        self._logger: Any = None
        self._ended = _FAILED

    def on_start(self, step: int) -> None:
        path = self._folder / SERVICES
        # Which run of the service this folder belongs to: a run that goes on keeps its curves.
        known = read_json(path)
        try:
            self._logger = self._make(known.get(self._name))
            self._logger.log_hyperparams(self._settings)
            identity = self._logger.version if self._name == "wandb" else self._logger.run_id
        except Exception as error:  # whatever a service answers
            raise InputError(
                f"training.loggers: {self._name} cannot be used ({_reason(error)}); correct its setup, or leave it out."
            ) from error
        write_json(path, {**known, self._name: identity})

    def on_step(self, report: StepReport) -> None:
        if report.step % EVERY == 0 and report.loss is not None:
            self._log({"step/loss": report.loss, "step/learning_rate": report.learning_rate}, report.step)

    def on_epoch_end(self, row: EpochRow, step: int) -> None:
        self._log({f"epoch/{name}": value for name, value in row.columns().items()}, step)

    def on_end(self, done: bool) -> None:
        self._ended = _DONE if done else _STOPPED

    def close(self) -> None:
        if self._logger is None:
            return
        with suppress(Exception):  # whatever a service answers: the run has ended
            self._logger.finalize(self._ended)
            if self._name == "wandb":
                # Lightning leaves the run open; the next training of this process would go on writing to it.
                self._logger.experiment.finish(exit_code=0 if self._ended == _DONE else 1)

    def _log(self, figures: dict[str, float], step: int) -> None:
        try:
            self._logger.log_metrics(figures, step=step)
        except Exception as error:  # whatever a service answers
            raise LostWatcher(
                f"training.loggers: {self._name} failed after step {step} ({_reason(error)}); the training goes on "
                "without it"
            ) from error

    def _make(self, known: str | None) -> Any:
        name = self._folder.name
        if self._name == "wandb":
            from lightning.pytorch.loggers import WandbLogger

            return WandbLogger(name=name, project=PROJECT, id=known, resume="allow", save_dir=self._folder)
        from lightning.pytorch.loggers import MLFlowLogger

        return MLFlowLogger(experiment_name=PROJECT, run_name=name, run_id=known)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
