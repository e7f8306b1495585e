"""``train``: a model and a data set → a run folder."""

from __future__ import annotations

import logging
import signal
import statistics
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import lightning
import torch
from rich.console import Console

from e2egraph.errors import UsageError
from e2egraph.models.registry import build_model, load_model_config, parameter_count
from e2egraph.training.callbacks import EpochRow, ProgressLines, Recorder, checkpoints
from e2egraph.training.datamodule import JetDataModule
from e2egraph.training.environment import describe_environment
from e2egraph.training.module import TaggingModule
from e2egraph.training.recipe import load_recipe, split_settings
from e2egraph.training.run_folder import (
    CHECKPOINTS,
    ENVIRONMENT,
    METRICS,
    SUMMARY,
    DataIdentity,
    prepare,
    write_config,
    write_json,
)


@dataclass(frozen=True)
class TrainSummary:
    """A finished training. ``best_epoch`` (from 1) is the one of highest validation AUC, whose weights are kept.

    ``jets_per_second``: median over epochs, without the first where there are more; validation not counted.
    ``data_wait_share``: part of the training time spent waiting for batches. ``seconds``: the whole training.
    """

    output: str
    model: str
    parameters: int
    training_jets: int
    validation_jets: int
    epochs: int
    best_epoch: int
    validation_auc: float
    validation_loss: float
    jets_per_second: float
    data_wait_share: float
    seconds: float
    device: str


def train(
    model: str,
    data: Path,
    output: Path,
    *,
    settings: Sequence[str] = (),
    seed: int = 1,
    recipe: str = "published",
    progress: bool = True,
) -> TrainSummary:
    """Train ``model`` (a name, or a YAML file) on data set ``data`` and write the run to ``output``.

    ``settings``: ``--set`` values in the groups model, training and data. The same seed on the same machine gives the
    same weights. Every check of what the user gave comes before ``output`` is touched. UsageError: unknown model,
    recipe or setting, or a seed out of range. InputError: unsuitable data set, an output folder with other content or
    a finished run, or training that diverges.
    """
    start = time.perf_counter()
    for_model, for_recipe = split_settings(settings)
    model_config = load_model_config(model, for_model)
    how = load_recipe(recipe, for_recipe)
    if not 0 <= seed < 2**31:
        raise UsageError(f"--seed {seed}: give a number from 0 to {2**31 - 1}.")
    jets = JetDataModule(data, how, seed)
    lightning.seed_everything(seed, verbose=False)
    network = build_model(model_config, len(jets.table.manifest.classes))
    module = TaggingModule(network, how.training, signal=jets.signal, class_weights=jets.class_weights(), seed=seed)

    if prepare(output) and progress:
        Console(stderr=True).print(f"{output} holds an unfinished run: it begins again.", soft_wrap=True)
    write_config(output, model_config, how, seed, DataIdentity.of(data, jets.table.manifest))
    write_json(output / ENVIRONMENT, describe_environment())
    recorder = Recorder(output / METRICS)
    best, last = checkpoints(output / CHECKPOINTS)
    talk = [ProgressLines(model_config.name, recorder)] if progress else []
    with _quiet(), _torch_settings():
        trainer = lightning.Trainer(
            accelerator="auto",
            devices=1,
            max_epochs=how.training.epochs,
            precision=how.training.precision,
            gradient_clip_val=how.training.gradient_clip,
            # "warn": some accelerator operations have no deterministic form; on the CPU all of ours have.
            deterministic="warn" if how.training.deterministic else False,
            callbacks=[recorder, *talk, best, last],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            reload_dataloaders_every_n_epochs=1,
            use_distributed_sampler=False,
        )
        on_interrupt = signal.getsignal(signal.SIGINT)
        try:
            trainer.fit(module, datamodule=jets)
        except SystemExit as stop:
            # Lightning turns Ctrl-C into an exit of its own and ignores it from then on; give both back to the caller.
            signal.signal(signal.SIGINT, on_interrupt)
            raise KeyboardInterrupt from stop

    summary = _summarise(recorder.rows, output, model_config.name, parameter_count(network), jets, module, start)
    write_json(output / SUMMARY, asdict(summary))
    return summary


def _summarise(
    rows: list[EpochRow],
    output: Path,
    name: str,
    parameters: int,
    jets: JetDataModule,
    module: TaggingModule,
    start: float,
) -> TrainSummary:
    best = max(rows, key=lambda row: row.validation_auc)
    steady = rows[1:] or rows
    return TrainSummary(
        output=str(output),
        model=name,
        parameters=parameters,
        training_jets=len(jets.table.jets_of("train")),
        validation_jets=len(jets.table.jets_of("validation")),
        epochs=len(rows),
        best_epoch=best.epoch,
        validation_auc=best.validation_auc,
        validation_loss=best.validation_loss,
        jets_per_second=statistics.median(row.jets_per_second for row in steady),
        data_wait_share=sum(row.data_wait_share * row.seconds for row in steady) / sum(row.seconds for row in steady),
        seconds=time.perf_counter() - start,
        device=str(module.device),
    )


@contextmanager
def _torch_settings() -> Iterator[None]:
    """Put back what a deterministic training changes in torch's global settings."""
    deterministic = torch.utils.deterministic
    fill = deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    algorithms = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    # Filling every new tensor finds reads of memory never written, and makes a deterministic training three times
    # slower; results are the same.
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
        torch.use_deterministic_algorithms(algorithms[0], warn_only=algorithms[1])


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Lightning's notes on hardware and its advice on data loaders, which are not ours."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning.*")
            yield
    finally:
        logger.setLevel(level)
