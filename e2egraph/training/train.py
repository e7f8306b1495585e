"""``train``: a model and a data set → a run folder."""

from __future__ import annotations

import logging
import os
import statistics
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from e2egraph.errors import UsageError
from e2egraph.files import PARTIAL, write_json
from e2egraph.models.layers.batchnorm import join_batch_norms
from e2egraph.models.registry import ModelConfig, build_model, configured, load_model_config, parameter_count
from e2egraph.tasks.objectives.objective import Best
from e2egraph.training.datamodule import JetDataModule
from e2egraph.training.objectives.learning import check_settings
from e2egraph.training.processes import launch, make_fabric
from e2egraph.training.recipe import load_recipe, split_settings
from e2egraph.training.runs.checkpoint import PREVIOUS, SUFFIX
from e2egraph.training.runs.environment import record_environment
from e2egraph.training.runs.history import VALIDATION, EpochRow, best_row
from e2egraph.training.runs.loggers import check_loggers, make_loggers
from e2egraph.training.runs.progress import ProgressLines
from e2egraph.training.runs.random_state import seed_all
from e2egraph.training.runs.resume import Beginning, RunIdentity, does_not_fit, find_beginning
from e2egraph.training.runs.run_folder import CHECKPOINTS, SUMMARY, DataIdentity, clear, make_folder, write_config
from e2egraph.training.runs.run_log import RunLog
from e2egraph.training.steps.failures import explained, is_out_of_memory
from e2egraph.training.steps.interruption import StopRequests
from e2egraph.training.steps.loop import Training
from e2egraph.training.steps.watchers import Watcher


@dataclass(frozen=True)
class TrainSummary:
    """A finished training. ``best_epoch`` (from 1) is the one whose weights are kept, ``best`` the figure that decides.

    ``validation``: name → figure of that epoch, ``loss`` first. ``jets_per_second``: median over epochs,
    without the first where there are more; validation not counted. ``data_wait_share``: part of the training time spent
    waiting for batches. ``seconds``: the whole training, all the times it was started. ``processes``: how many trained
    together.
    """

    output: str
    model: str
    parameters: int
    training_jets: int
    validation_jets: int
    epochs: int
    best_epoch: int
    best: Best
    validation: dict[str, float]
    jets_per_second: float
    data_wait_share: float
    seconds: float
    device: str
    processes: int

    @property
    def value(self) -> float:
        """The best validation figure."""
        return self.validation[self.best.name]

    def content(self) -> dict[str, Any]:
        """As ``summary.json`` holds it: figures as ``validation_NAME``, the one that decides first."""
        found: dict[str, Any] = {}
        for entry in fields(self):
            if entry.name == "validation":
                names = sorted(self.validation, key=lambda name: name != self.best.name)
                found |= {VALIDATION + name: self.validation[name] for name in names}
            elif entry.name != "best":
                found[entry.name] = getattr(self, entry.name)
        return found


def train(
    model: str | ModelConfig,
    data: Path,
    output: Path,
    *,
    settings: Sequence[str] = (),
    seed: int = 1,
    recipe: str = "published",
    restart: bool = False,
    progress: bool = True,
    on_epoch: Callable[[EpochRow], None] | None = None,
) -> TrainSummary:
    """Train ``model`` (a name, a YAML file, or a configuration) on data set ``data`` and write the run to ``output``.

    ``settings``: ``--set`` values in the groups model, training and data. The same seed on the same machine gives the
    same weights. An unfinished run of the same settings in ``output`` goes on where it stopped and ends as if it had
    not; ``restart`` begins it again. ``on_epoch`` is called after each epoch, when its files are written; what it
    raises passes through. With several processes each returns the summary.

    Every check of what the user gave comes before ``output`` is touched. UsageError: unknown model, recipe or setting,
    one that the objective has no use for, or a seed out of range. InputError: unsuitable data set, an output folder
    with other content, a finished run or one of other settings, training that diverges, memory or disk that is full.
    Stopped: on SIGTERM, SIGUSR1 or Ctrl-C, after a checkpoint was written.
    """
    for_model, for_recipe = split_settings(settings)
    model_config = load_model_config(model, for_model) if isinstance(model, str) else configured(model, for_model)
    how = load_recipe(recipe, for_recipe)
    if not 0 <= seed < 2**31:
        raise UsageError(f"--seed {seed}: give a number from 0 to {2**31 - 1}.")
    check_loggers(how.training.loggers)
    jets = JetDataModule(data, how, seed)
    check_settings(jets.learning, for_recipe)
    identity = RunIdentity(model_config, how, seed, DataIdentity.of(data, jets.table.manifest))
    seed_all(seed)
    network = build_model(model_config, jets.inputs, jets.outputs)
    if parameter_count(network) == 0:
        raise UsageError(f"network {model_config.name} has no weights to train; unfreeze some, or score with it as is.")
    beginning = find_beginning(output, identity, restart)
    with quiet_lightning(), torch_settings(how.training.deterministic), explained(output), ExitStack() as closing:
        fabric = make_fabric(how.training)
        # Other processes begin here. Once all are met they have looked into the folder, and the first may change it.
        launch(fabric, how.training)
        fabric.barrier()
        if fabric.world_size > 1:
            network = join_batch_norms(network, fabric.device.type == "cuda")
        watchers: list[Watcher] = []
        if fabric.is_global_zero:
            beginning.remarks.extend(jets.remarks)
            watchers = _open(output, identity, beginning, jets.learning.objective.best, progress, closing)
        else:
            seed_all(seed + fabric.global_rank)
        stop = closing.enter_context(StopRequests())
        training = Training(
            fabric,
            network,
            jets,
            how.training,
            folder=output,
            identity=identity.recorded,
            stop=stop,
            watchers=watchers,
            on_epoch=on_epoch,
        )
        if beginning.checkpoint is not None:
            try:
                training.restore(beginning.checkpoint)
            except (RuntimeError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
                if is_out_of_memory(error):
                    raise
                raise does_not_fit(output) from error
        training.run()
        summary = _summarise(training, output, model_config.name, parameter_count(network), jets, fabric)
        if fabric.is_global_zero:
            write_json(output / SUMMARY, summary.content())
            _remove_unneeded(output / CHECKPOINTS)
        fabric.barrier()
    return summary


def _remove_unneeded(checkpoints: Path) -> None:
    """What a finished run has no use for: the checkpoint before the last, and what killed processes left half made."""
    for path in (checkpoints / f"{PREVIOUS}{SUFFIX}", *checkpoints.glob(f"*{PARTIAL}")):
        path.unlink(missing_ok=True)


def _open(
    output: Path, identity: RunIdentity, beginning: Beginning, best: Best, progress: bool, closing: ExitStack
) -> list[Watcher]:
    """Make or take over the run folder; who watches the run, to be closed by ``closing``."""
    make_folder(output)
    log = RunLog(output, best)
    closing.push(log.on_exit)
    goes_on = beginning.checkpoint is not None
    if not goes_on:
        clear(output)
    # Also of a run that goes on: some settings may be others from now on.
    write_config(output, identity.model, identity.recipe, identity.seed, identity.data)
    record_environment(output, goes_on)
    training = identity.recipe.training
    settings = {**identity.settings, "data": identity.data.folder}
    watchers: list[Watcher] = [log, *make_loggers(training.loggers, output, settings)]
    if progress:
        watchers.insert(0, ProgressLines(identity.model.name, training.epochs, best, identity.data.object_name))
    for watcher in watchers:
        if watcher is not log:
            closing.callback(watcher.close)
    remarks = [*([log.remark] if log.remark is not None else []), *beginning.remarks]
    if beginning.found and not goes_on:
        remarks.append(f"{output} holds an unfinished run: it begins again")
    for remark in remarks:
        for watcher in watchers:
            watcher.on_message(remark)
    return watchers


def _summarise(
    training: Training, output: Path, name: str, parameters: int, jets: JetDataModule, fabric: Fabric
) -> TrainSummary:
    rows = training.rows
    best = jets.learning.objective.best
    row = best_row(rows, best)
    steady = rows[1:] or rows
    return TrainSummary(
        output=str(output),
        model=name,
        parameters=parameters,
        training_jets=len(jets.training_jets),
        validation_jets=len(jets.table.jets_of("validation")),
        epochs=len(rows),
        best_epoch=row.epoch,
        best=best,
        validation=row.validation,
        jets_per_second=statistics.median(row.jets_per_second for row in steady),
        data_wait_share=sum(row.data_wait_share * row.seconds for row in steady) / sum(row.seconds for row in steady),
        seconds=training.position.total_seconds,
        device=str(fabric.device),
        processes=fabric.world_size,
    )


@contextmanager
def torch_settings(wanted: bool) -> Iterator[None]:
    """Deterministic algorithms where ``wanted``; torch's global settings are put back afterwards."""
    deterministic = torch.utils.deterministic
    fill = deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    algorithms = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    # Filling every new tensor finds reads of memory never written, and makes a deterministic training three times
    # slower; results are the same.
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        # Warn: some accelerator operations have no deterministic form; on the CPU all of ours have.
        torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
        torch.use_deterministic_algorithms(algorithms[0], warn_only=algorithms[1])


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Silence Lightning's notes on hardware and its advice, which are not ours."""
    loggers = [logging.getLogger(name) for name in ("lightning_fabric", "lightning.fabric", "lightning.pytorch")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning.*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
