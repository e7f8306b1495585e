"""The training loop: steps, epochs, validation, and a state that can be saved and restored between any two steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from e2egraph.data.share import Share
from e2egraph.errors import InputError, Stopped
from e2egraph.training.datamodule import JetDataModule
from e2egraph.training.processes import any_process, gather_states
from e2egraph.training.recipe import TrainingOptions
from e2egraph.training.runs.changes import changes_since
from e2egraph.training.runs.checkpoint import BEST, LAST, PREVIOUS, SUFFIX, network_state, write_checkpoint
from e2egraph.training.runs.history import VALIDATION, EpochRow, best_row, write_rows
from e2egraph.training.runs.random_state import random_state, restore_random_state
from e2egraph.training.runs.run_folder import CHECKPOINTS, METRICS
from e2egraph.training.steps.epoch_metrics import LOSS, EpochScores
from e2egraph.training.steps.interruption import StopRequests
from e2egraph.training.steps.learner import Learner
from e2egraph.training.steps.schedule import learning_rate
from e2egraph.training.steps.watch import REMEDY, LossWatch, describe
from e2egraph.training.steps.watchers import LostWatcher, StepReport, Watcher

# Steps between looks at whether all goes well: looking waits for a GPU, and for the other processes.
LOOK_STEPS_ON_GPU = 25


@dataclass
class Position:
    """How far a training is. ``epoch``: epochs done; ``batch``: batches of the next one done; ``step``: steps in all.

    ``jets``, ``seconds``, ``waited``: of the running epoch so far; ``total_seconds``: of the run.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    jets: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    total_seconds: float = 0.0


@dataclass
class Clock:
    """Wall time since this process began with the run, and how many steps it has made."""

    start: float = field(default_factory=time.perf_counter)
    steps: int = 0

    def remaining(self, steps: int) -> float:
        """Seconds that ``steps`` more steps will take, if they take as long as those so far."""
        return (time.perf_counter() - self.start) / max(self.steps, 1) * steps


class Training:
    """Trains ``network`` until it is done, stopped, or fails; ``rows`` then holds a row for each epoch done.

    Every process of a training runs the same; the first one writes and tells ``watchers``. ``batch_size`` jets make a
    step whatever the number of processes: the gradient is that of the mean loss of them all. ``identity``: what
    checkpoints say of the run (``RunIdentity.recorded``). Raises Stopped when ``stop`` was requested, with a checkpoint
    written; InputError when the loss is not finite.
    """

    def __init__(
        self,
        fabric: Fabric,
        network: nn.Module,
        data: JetDataModule,
        options: TrainingOptions,
        *,
        folder: Path,
        identity: Mapping[str, Any],
        stop: StopRequests,
        watchers: Sequence[Watcher] = (),
        on_epoch: Callable[[EpochRow], None] | None = None,
    ) -> None:
        self.rows: list[EpochRow] = []
        self.position = Position()
        self._fabric, self._data, self._options = fabric, data, options
        self._folder, self._identity, self._stop, self._on_epoch = folder, identity, stop, on_epoch
        self._watchers = list(watchers) if fabric.is_global_zero else []
        self._share = Share(fabric.global_rank, fabric.world_size)
        self._best = data.learning.objective.best
        self._learner = Learner(
            fabric,
            network,
            options,
            learning=data.learning,
            class_weights=data.class_weights(),
            inputs=data.inputs,
            seed=data.seed,
        )
        self._train_scores, self._validation_scores = EpochScores(data.learning), EpochScores(data.learning)
        self._watch = LossWatch()
        self._look_steps = 1 if fabric.device.type == "cpu" else LOOK_STEPS_ON_GPU
        self._clock = Clock()
        self._before = 0.0

    def restore(self, content: dict[str, Any]) -> None:
        """Go on from a checkpoint that ``LAST`` held. RuntimeError when it does not fit the network; InputError when it
        lies within an epoch of other batches, as another number of processes made them.

        Watchers are told when it will not be to the bit, as something differs from the time before.
        """
        state = content["resume"]
        self._learner.load_state_dict(state["learner"])
        self.rows = [EpochRow(**row) for row in state["rows"]]
        self.position = Position(**state["position"])
        self._before = self.position.total_seconds
        own = state["processes"]
        self._check_same_batches(len(own))
        if self._watchers and (changed := changes_since(self._folder, len(own), self._fabric.world_size)):
            self._tell("on_message", f"goes on, but not to the same bits: {'; '.join(changed)}")
        if len(own) == self._fabric.world_size:
            restore_random_state(own[self._fabric.global_rank]["random"])
            self._train_scores.load_state_dict(own[self._fabric.global_rank]["scores"])
        elif self._fabric.is_global_zero:
            self._train_scores.load_state_dict(_joined([process["scores"] for process in own]))

    def _check_same_batches(self, processes: int) -> None:
        """InputError unless the batches of the running epoch that ``processes`` have learnt from hold the jets of as
        many batches now, since others would then be learnt from twice or not at all."""
        place, now = self.position, self._fabric.world_size
        if processes == now or place.batch == 0:
            return
        done = []
        for world in (processes, now):
            batches = self._data.training(place.epoch, Share(0, world)).plan.batches[: place.batch]
            done.append(np.sort(np.concatenate(batches)))
        if not np.array_equal(done[0], done[1]):
            raise InputError(
                f"{self._folder}: stopped within an epoch of {processes} processes, for whom data.batch_nodes splits "
                f"batches otherwise than for {now}; go on with {processes}, or begin again with --restart."
            )

    def run(self) -> None:
        """Train from ``position`` to the end."""
        self._clock = Clock()
        self._tell("on_start", self.position.step)
        try:
            while not self._done():
                self._train_epoch()
                self._finish_epoch()
        except Stopped:
            self._tell("on_end", False)
            raise
        self._tell("on_end", True)

    def _done(self) -> bool:
        patience = self._options.patience
        if patience is not None and self.rows and len(self.rows) - best_row(self.rows, self._best).epoch >= patience:
            return True
        return self.position.epoch >= self._options.epochs

    def _train_epoch(self) -> None:
        place = self.position
        loader = self._data.training(place.epoch, self._share, place.batch)
        batches = place.batch + len(loader)
        if loader.plan.dropped and place.step == 0:
            dropped = self._data.table.manifest.object_name.count(loader.plan.dropped)
            self._tell("on_message", f"each epoch leaves out {dropped} that do not fill a batch")
        self._tell("on_epoch_start", place.epoch + 1, batches, place.batch)
        self._learner.network.train()
        begun, jets, seconds, waited = time.perf_counter(), place.jets, place.seconds, place.waited
        loss: float | None = None
        for batch in loader if place.batch < batches else ():
            # By epochs done, not by steps: with batch_nodes the number of batches differs between epochs.
            rate = learning_rate(self._options, place.epoch * batches + place.batch, batches)
            done = self._learner.step(batch, rate, place.epoch, self._train_scores)
            self._watch.add(place.epoch + 1, place.step + 1, batch.number, done.loss, done.norm)
            place.batch, place.step, place.jets = place.batch + 1, place.step + 1, place.jets + batch.global_size
            self._clock.steps += 1
            last = place.batch == batches
            if last and self._fabric.device.type == "cuda":
                torch.cuda.synchronize(self._fabric.device)
            place.seconds, place.waited = seconds + time.perf_counter() - begun, waited + loader.wait_seconds
            due = last or place.step % self._options.checkpoint_steps == 0
            if due or place.step % self._look_steps == 0:
                loss, stop = self._look()
                if due or stop:
                    self._save()
                if stop:
                    self._raise_stopped()
            report = StepReport(
                epoch=place.epoch + 1,
                batch=place.batch,
                batches=batches,
                step=place.step,
                learning_rate=rate,
                loss=loss,
                jets=place.jets - jets,
                seconds=place.seconds - seconds,
                waited=loader.wait_seconds,
                remaining=self._clock.remaining(self._options.epochs * batches - place.step),
            )
            self._tell("on_step", report)
            loss = None

    def _look(self) -> tuple[float, bool]:
        """The mean loss of the latest steps, and whether to stop; raises when a loss is not finite."""
        fine, loss = self._watch.check()
        wrong, stop = any_process(self._fabric, not fine, bool(self._stop.received))
        if wrong:
            self._raise_diverged()
        return loss, stop

    def _raise_diverged(self) -> NoReturn:
        """Every process says the same: what the one that found it found."""
        own = self._watch.found(self._data.table, self._folder, self._fabric.global_rank)
        raise InputError(describe([state["found"] for state in gather_states(self._fabric, {"found": own})]))

    def _finish_epoch(self) -> None:
        """Validate, write the epoch's row, the best weights and a checkpoint."""
        place = self.position
        train, validation = self._train_scores.finish(), self._validate()
        steps = place.batch
        if not abs(validation[LOSS]) < float("inf"):
            # Each jet's loss is finite, or _validate had named it.
            raise InputError(
                f"training diverged: the sum of the validation losses of epoch {place.epoch + 1} is too large; "
                f"{REMEDY}."
            )
        row = EpochRow(
            epoch=place.epoch + 1,
            learning_rate=learning_rate(self._options, place.epoch * steps, steps),
            training=train,
            validation=validation,
            seconds=place.seconds,
            jets_per_second=place.jets / max(place.seconds, 1e-9),
            data_wait_share=min(1.0, place.waited / max(place.seconds, 1e-9)),
        )
        self.rows.append(row)
        self.position = Position(epoch=place.epoch + 1, step=place.step, total_seconds=place.total_seconds)
        if self._fabric.is_global_zero:
            if best_row(self.rows, self._best) is row:
                name = self._best.name
                self._write(BEST, {"epoch": row.epoch, VALIDATION + name: row.validation[name]})
            write_rows(self._folder / METRICS, self.rows)
        self._save()
        self._tell("on_epoch_end", row, self.position.step)
        if self._on_epoch is not None:
            self._on_epoch(row)

    def _validate(self) -> dict[str, float]:
        self._learner.result.eval()
        for batch in self._data.validation(self._share):
            loss = self._learner.score(batch, self._validation_scores)
            self._watch.add(self.position.epoch + 1, None, batch.number, loss)
            if self._stop.received and self._fabric.world_size == 1:
                # The checkpoint at the end of the epoch's last step is where the run goes on.
                self._raise_stopped()
        fine, _ = self._watch.check()
        if any_process(self._fabric, not fine)[0]:
            self._raise_diverged()
        return self._validation_scores.finish()

    def _save(self) -> None:
        """Write ``LAST``; what it held becomes ``PREVIOUS``. Every process takes part."""
        process = {"random": random_state(), "scores": self._train_scores.state_dict()}
        processes = gather_states(self._fabric, process)
        if self._fabric.is_global_zero:
            self.position.total_seconds = self._before + time.perf_counter() - self._clock.start
            resume = {
                "learner": self._learner.state_dict(),
                "rows": [asdict(row) for row in self.rows],
                "position": asdict(self.position),
                "processes": processes,
            }
            self._write(LAST, {"resume": resume}, keep=self._folder / CHECKPOINTS / f"{PREVIOUS}{SUFFIX}")
        self._fabric.barrier()

    def _write(self, name: str, content: dict[str, Any], keep: Path | None = None) -> None:
        whole = {**self._identity, "state_dict": network_state(self._learner.result), **content}
        write_checkpoint(self._folder / CHECKPOINTS / f"{name}{SUFFIX}", whole, keep)

    def _raise_stopped(self) -> NoReturn:
        place = self.position
        raise Stopped(
            f"stopped on request at epoch {place.epoch + 1}, batch {place.batch}, with everything saved: the same "
            "command goes on from there.",
            self._stop.exit_code,
        )

    def _tell(self, what: str, *values: Any) -> None:
        for watcher in list(self._watchers):
            try:
                getattr(watcher, what)(*values)
            except LostWatcher as lost:
                self._watchers.remove(watcher)
                self._tell("on_message", str(lost))


def _joined(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The scores of several processes as those of one."""
    names = {name for part in parts for name in part}
    return {name: torch.cat([part[name] for part in parts if name in part], dim=-1) for name in names}
