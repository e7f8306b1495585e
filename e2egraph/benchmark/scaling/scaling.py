"""``benchmark scaling``: strong and weak scaling of training over ranks on one machine.

Strong: the batch and the data stay, ranks grow; weak: jets per rank stay, so that batch and data grow with the ranks.
Ranks share the cores evenly. Cases take turns, so that a busy machine slows them equally; medians count.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import torch

from e2egraph.benchmark.report import Record
from e2egraph.benchmark.scaling.scaling_turn import WARM_UP_STEPS, Timing, Turn, run_turn
from e2egraph.errors import InputError, UsageError
from e2egraph.models.registry import build_model, load_model_config
from e2egraph.training.datamodule import JetDataModule
from e2egraph.training.recipe import load_recipe, split_settings

RANKS = (1, 2)
REPEATS = 3

# Batches timed in a turn where the number of jets is not given.
STEPS = 24

Progress = Callable[[int, int], None]


def efficiency(rate: float, reference: float, ranks: int) -> float:
    """Parallel efficiency: the speed-up over one rank, divided by the number of ranks.

    Strong scaling: T₁ / (R·T_R) at the same work (Amdahl 1967). Weak: T₁ / T_R at R times the work (Gustafson 1988,
    doi:10.1145/42411.42415). In jets per second both are rate / (R · rate of one rank).
    """
    return rate / reference / ranks


@dataclass
class _Case:
    """``ranks`` processes, and what their turns took; ``epoch_jets``: jets of an epoch, over all ranks."""

    name: str
    ranks: int
    threads: int
    batch_size: int
    steps: int
    epoch_jets: int
    turns: list[Timing] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return self.median(lambda turn: turn.jets_per_second)

    def median(self, figure: Callable[[Timing], float]) -> float:
        return float(np.median([figure(turn) for turn in self.turns]))

    def how(self) -> str:
        """Threads and device of a rank."""
        device = "" if self.turns[0].device == "cpu" else f", {self.turns[0].device.split(':')[0]}"
        return f"{self.ranks} × {_threads(self.threads)}{device}"


def benchmark_scaling(
    model: str,
    data: Path,
    ranks: Sequence[int] = RANKS,
    *,
    jets: int | None = None,
    recipe: str = "published",
    settings: Sequence[str] = (),
    repeats: int = REPEATS,
    progress: Progress | None = None,
) -> list[Record]:
    """Train ``model`` over each number of ``ranks`` and over one, ``jets`` jets per turn (weak: of each rank).

    ``settings``: as ``--set`` of ``train``; ``training.batch_size`` is the batch of strong scaling and of one rank.
    Each number of ranks is compared with one rank of as many threads as each of them has, and with one that has all
    cores. UsageError: unknown model, recipe or setting, more ranks than GPUs or than jets of a batch; InputError: not
    a data set, too few training jets, a training that fails.
    """
    for_model, for_recipe = split_settings(settings)
    how = load_recipe(recipe, for_recipe)
    check_one_process(how.training.devices * how.training.nodes)
    batch = how.training.batch_size
    counts = sorted({1, *ranks})
    gpus = torch.cuda.device_count()
    if counts[0] < 1 or counts[-1] > batch or 0 < gpus < counts[-1]:
        most = min(batch, gpus or batch)
        raise UsageError(f"--ranks {counts[-1] if counts[0] > 0 else counts[0]}: give numbers from 1 to {most}.")
    module = JetDataModule(data, how, seed=1)
    build_model(load_model_config(model, for_model), module.inputs, module.outputs)
    cases = _cases(counts, batch, max(1, (jets or STEPS * batch) // batch), module, share_threads=gpus > 0)
    for done, (repeat, case) in enumerate(product(range(repeats), cases), 1):
        turn = Turn(
            model=model,
            data=str(data),
            recipe=recipe,
            settings=tuple(settings),
            seed=repeat + 1,
            ranks=case.ranks,
            threads=case.threads,
            batch_size=case.batch_size,
            steps=case.steps,
        )
        case.turns.append(run_turn(turn))
        if progress is not None:
            progress(done, repeats * len(cases))
    return _records(load_model_config(model, for_model).name, cases)


def check_one_process(processes: int) -> None:
    """UsageError when the settings ask for processes of their own."""
    if processes > 1:
        raise UsageError("--set training.devices and training.nodes: leave them at 1; --ranks says how many processes.")


def _cases(counts: Sequence[int], batch: int, steps: int, module: JetDataModule, *, share_threads: bool) -> list[_Case]:
    """One rank at each number of threads that ranks have, then strong and weak scaling.

    ``share_threads``: on GPUs, every rank has the threads that it has in the largest number of ranks.
    """
    cores, most = len(os.sched_getaffinity(0)), counts[-1]
    available = len(module.table.jets_of("train"))

    def case(name: str, ranks: int, threads: int, size: int, jets: int) -> _Case:
        # The loop is stopped a step after the last one timed, before the epoch's end.
        room = available // size - WARM_UP_STEPS - 1
        if room < 1:
            raise InputError(
                f"{module.table.folder}: {available} training jets, fewer than {WARM_UP_STEPS + 2} batches of {size}; "
                "lower training.batch_size or --ranks, or build the data set from more events."
            )
        return _Case(name, ranks, threads, size, min(steps, room), jets)

    threads = {ranks: max(1, cores // (most if share_threads else ranks)) for ranks in counts}
    cases = [case("1 rank", 1, number, batch, available) for number in sorted({*threads.values()}, reverse=True)]
    for ranks in counts[1:]:
        cases.append(case("strong", ranks, threads[ranks], batch, available))
        cases.append(case("weak", ranks, threads[ranks], batch * ranks, available // most * ranks))
    return cases


def _records(model: str, cases: Sequence[_Case]) -> list[Record]:
    alone = {case.threads: case for case in cases if case.ranks == 1}
    whole = alone[max(alone)]
    cores = len(os.sched_getaffinity(0))
    records = []
    for case in cases:
        reference = alone[case.threads]
        name = f"{model}, {case.name}" + (f" of {_threads(case.threads)}" if case.ranks == 1 else "")
        steps, of = case.turns[0].steps, case.epoch_jets / case.batch_size
        timed = f"{case.how()}, batch {case.batch_size}, {steps} steps, median of {len(case.turns)}"
        if case.ranks > cores:
            timed += f"; more ranks than cores ({cores})"
        turns = ", ".join(f"{turn.jets_per_second:.4g}" for turn in case.turns)
        epoch = f"extrapolated from {steps} of {of:.0f} steps, {case.epoch_jets} jets; without reading the first pool"
        records += [
            Record(name, case.ranks, "epoch_seconds", case.epoch_jets / case.rate, "s", epoch),
            Record(name, case.ranks, "jets_per_second", case.rate, "1/s", f"{timed} ({turns})"),
            Record(
                name, case.ranks, "data_wait_share", case.median(lambda turn: turn.waited / turn.seconds), "", "rank 0"
            ),
        ]
        if case.ranks == 1:
            continue
        against = f"against 1 rank of {_threads(reference.threads)}, batch {reference.batch_size}"
        records += [
            Record(name, case.ranks, "speed_up", case.rate / reference.rate, "", against),
            Record(name, case.ranks, "efficiency", efficiency(case.rate, reference.rate, case.ranks), "", against),
        ]
        if whole is not reference:
            note = f"against 1 rank of {_threads(whole.threads)}, batch {whole.batch_size}"
            records.append(Record(name, case.ranks, "speed_up_over_all_cores", case.rate / whole.rate, "", note))
        busy = case.median(lambda turn: turn.communicating / turn.seconds)
        exposed = case.median(lambda turn: turn.exposed / turn.seconds)
        what = "gradients alone, rank 0's DDP hook: from a bucket ready to its all-reduce done, wait for slower ranks"
        records += [
            Record(name, case.ranks, "communication_share", busy, "", f"{what} included"),
            Record(name, case.ranks, "communication_exposed_share", exposed, "", "the part after the last gradient"),
        ]
    return records


def _threads(number: int) -> str:
    return f"{number} thread{'s' if number > 1 else ''}"
