"""One study on disk and the trials in it: begin the next, take up an abandoned one, record how each ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import optuna
from optuna.trial import FrozenTrial, TrialState

from e2egraph.tasks.objectives.objective import Best
from e2egraph.training.tuning import journal, ownership
from e2egraph.training.tuning.space import Choices, Space

# How often a trial is begun before it is given up: one that kills its process would do so forever.
STARTS = 3

# Every trial's sampler has a seed of its own (a large odd stride keeps those of neighbouring studies apart).
SEED_STRIDE = 1_000_003

PrunerName = Literal["median", "hyperband", "none"]


@dataclass(frozen=True)
class Search:
    """All that a worker needs. ``trials``: how many in all; ``epochs``: the most that a trial may train.

    ``best``: the validation figure that is searched for. ``name`` and ``storage`` say where the study is; ``deadline``:
    the time (``time.time``) after which none begins.
    """

    model: str
    data: Path
    output: Path
    recipe: str
    settings: tuple[str, ...]
    space: Space
    best: Best
    seed: int
    trials: int
    epochs: int
    pruner: PrunerName
    name: str
    storage: str
    deadline: float | None = None

    def folder(self, number: int) -> Path:
        return self.output / "trials" / f"{number:04d}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else begins or records a trial, or writes results, meanwhile."""
        with journal.locked(self.output / "trials"):
            yield


class Study:
    """A search's study, in this process."""

    def __init__(self, search: Search) -> None:
        journal.quiet()
        self.search = search

    @cached_property
    def stored(self) -> optuna.Study:
        return optuna.create_study(
            storage=journal.open_storage(self.search.storage),
            study_name=self.search.name,
            direction="maximize" if self.search.best.highest else "minimize",
            pruner=_pruner(self.search.pruner, self.search.epochs),
            load_if_exists=True,
        )

    def trials(self) -> list[FrozenTrial]:
        """Every trial, in order of number."""
        return self.stored.get_trials(deepcopy=False)

    def claim(self) -> optuna.Trial | None:
        """The next trial to train, with its parameters: an abandoned one, else a new one; None when all are begun.

        The sampler (TPE: Bergstra et al., NeurIPS 24 (2011) 2546) is a function of the seed, the trial's number and
        the trials before it: interrupted or not, one worker makes the same search.
        """
        with self.search.locked():
            trials = self.trials()
            for frozen in trials:
                folder = self.search.folder(frozen.number)
                if frozen.state is not TrialState.RUNNING or not ownership.is_abandoned(folder):
                    continue
                owner = ownership.read_owner(folder)
                starts = owner.starts if owner is not None else 0
                if starts < STARTS:
                    return self._begin(optuna.Trial(self.stored, frozen._trial_id), starts + 1)
                why = f"its process was killed {STARTS} times, most often for lack of memory"
                self._record(frozen.number, TrialState.FAIL, None, why)
                ownership.release(folder)
            late = self.search.deadline is not None and time.time() > self.search.deadline
            if len(trials) >= self.search.trials or late:
                return None
            self.stored.sampler = self._sampler(len(trials))
            return self._begin(self.stored.ask(), 1)

    def record(self, number: int, state: TrialState, value: float | None, reason: str) -> None:
        """Record how a trial ended; ``value``: the best validation figure of a finished one, None of any other."""
        with self.search.locked():
            self._record(number, state, value, reason)

    def _begin(self, trial: optuna.Trial, starts: int) -> optuna.Trial:
        # A trial whose process died while its parameters were drawn has the rest drawn now.
        self.stored.sampler = self._sampler(trial.number)
        for key, dimension in self.search.space.dimensions.items():
            if isinstance(dimension, Choices):
                trial.suggest_categorical(key, dimension.labels)
            elif dimension.whole:
                step = int(dimension.step or 1)
                trial.suggest_int(key, int(dimension.low), int(dimension.high), step=step, log=dimension.log)
            else:
                trial.suggest_float(key, dimension.low, dimension.high, step=dimension.step, log=dimension.log)
        ownership.take(self.search.folder(trial.number), starts)
        return trial

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        return optuna.samplers.TPESampler(seed=(self.search.seed * SEED_STRIDE + number) % 2**32)

    def _record(self, number: int, state: TrialState, value: float | None, reason: str) -> None:
        if reason:
            (frozen,) = (trial for trial in self.trials() if trial.number == number)
            optuna.Trial(self.stored, frozen._trial_id).set_user_attr("reason", reason)
        self.stored.tell(number, value, state=state)


def _pruner(name: PrunerName, epochs: int) -> optuna.pruners.BasePruner:
    """Median: worse than the median of the trials before it at the same epoch, not in a fifth of the epochs and not
    among five trials. Hyperband: Li et al., J. Mach. Learn. Res. 18 (2018) 185, with a reduction factor of 3.
    """
    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1 + epochs // 5)
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=3)
    return optuna.pruners.NopPruner()
