"""Weights & Biases and MLflow, through Lightning's loggers; imported where asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from e2egraph.errors import InputError, UsageError
from e2egraph.training.history import EpochRow
from e2egraph.training.run_folder import SERVICES, read_json, write_json
from e2egraph.training.tensorboard import EVERY, TensorBoardLog
from e2egraph.training.watchers import StepReport, Watcher

PROJECT = "e2egraph"

_PACKAGES = {"tensorboard": "tensorboardX", "wandb": "wandb", "mlflow": "mlflow"}


def check_loggers(names: Sequence[str]) -> None:
    """UsageError when a logger's package is not installed."""
    for name in names:
        if find_spec(_PACKAGES[name]) is None:
            raise UsageError(
                f"training.loggers: '{name}' needs the package {_PACKAGES[name]}; pip install {_PACKAGES[name]}, or "
                "leave it out."
            )


def make_loggers(names: Sequence[str], folder: Path, settings: dict[str, Any]) -> list[Watcher]:
    """A watcher for each name of ``training.loggers``; ``settings`` is the run's whole configuration."""
    return [TensorBoardLog(folder) if name == "tensorboard" else ServiceLog(name, folder, settings) for name in names]


class ServiceLog(Watcher):
    """Figures for an experiment tracking service. The service's own environment variables say where it is."""

    def __init__(self, name: str, folder: Path, settings: dict[str, Any]) -> None:
        self._name, self._folder, self._settings = name, folder, settings
        self._logger: Any = None

    def on_start(self, step: int) -> None:
        path = self._folder / SERVICES
        # Which run of the service this folder belongs to: a run that goes on keeps its curves.
        known = read_json(path)
        try:
            self._logger = self._make(known.get(self._name))
            self._logger.log_hyperparams(self._settings)
            identity = self._logger.version if self._name == "wandb" else self._logger.run_id
        except Exception as error:  # whatever a service answers
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"training.loggers: {self._name} cannot be used ({reason}); mend it, or leave it out."
            ) from error
        write_json(path, {**known, self._name: identity})

    def on_step(self, report: StepReport) -> None:
        if report.step % EVERY == 0 and report.loss is not None:
            figures = {"step/loss": report.loss, "step/learning_rate": report.learning_rate}
            self._logger.log_metrics(figures, step=report.step)

    def on_epoch_end(self, row: EpochRow, step: int) -> None:
        self._logger.log_metrics({f"epoch/{name}": value for name, value in asdict(row).items()}, step=step)

    def close(self) -> None:
        if self._logger is not None:
            self._logger.finalize("success")

    def _make(self, known: str | None) -> Any:
        name = self._folder.name
        if self._name == "wandb":
            from lightning.pytorch.loggers import WandbLogger

            return WandbLogger(name=name, project=PROJECT, id=known, resume="allow", save_dir=self._folder)
        from lightning.pytorch.loggers import MLFlowLogger

        return MLFlowLogger(experiment_name=PROJECT, run_name=name, run_id=known)
