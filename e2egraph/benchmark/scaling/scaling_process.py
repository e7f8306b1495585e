"""One timed turn of ``benchmark scaling``: run by ``torchrun`` in each of its processes, with a turn's JSON file.

It is the loop that ``e2egraph train`` runs (``e2egraph.training.steps.loop``), stopped after some steps as a batch
system would stop it.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from lightning_fabric import Fabric

from e2egraph.benchmark.scaling.communication import AllReduceTimer, busy_seconds, exposed_seconds
from e2egraph.benchmark.scaling.scaling_turn import ERROR_SUFFIX, RESULT_SUFFIX, WARM_UP_STEPS, Timing, Turn, read_turn
from e2egraph.errors import InputError, Stopped, UsageError
from e2egraph.models.layers.batchnorm import join_batch_norms
from e2egraph.models.registry import build_model, load_model_config
from e2egraph.training.datamodule import JetDataModule
from e2egraph.training.processes import make_fabric
from e2egraph.training.recipe import load_recipe, split_settings
from e2egraph.training.runs.random_state import seed_all
from e2egraph.training.steps.failures import explained
from e2egraph.training.steps.interruption import StopRequests
from e2egraph.training.steps.loop import Training
from e2egraph.training.steps.watchers import StepReport, Watcher
from e2egraph.training.train import quiet_lightning, torch_settings


@dataclass(frozen=True)
class _Reading:
    seconds: float
    step: int
    jets: int
    waited: float


class Stopwatch(Watcher):
    """Times ``steps`` steps after the warm-up, then asks the loop to stop; tells of the first process."""

    def __init__(self, steps: int, stop: StopRequests, timer: AllReduceTimer, device: torch.device) -> None:
        self._last, self._stop, self._timer, self._device = WARM_UP_STEPS + steps, stop, timer, device
        self._start: _Reading | None = None
        self.timing: Timing | None = None

    def on_step(self, report: StepReport) -> None:
        if report.step == WARM_UP_STEPS:
            self._start = self._read(report)
            self._timer.reset()
        elif report.step == self._last and self._start is not None:
            start, end = self._start, self._read(report)
            spans = self._timer.spans()
            self.timing = Timing(
                device=str(self._device),
                steps=end.step - start.step,
                jets=end.jets - start.jets,
                seconds=end.seconds - start.seconds,
                waited=end.waited - start.waited,
                communicating=busy_seconds(spans),
                exposed=exposed_seconds(spans),
            )
            self._stop.received = signal.SIGTERM

    def _read(self, report: StepReport) -> _Reading:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return _Reading(time.perf_counter(), report.step, report.jets, report.waited)


def run(turn: Turn, folder: Path) -> Timing | None:
    """Train as ``turn`` says, with checkpoints in ``folder``; the timing in the first process, None in the others."""
    torch.set_num_threads(turn.threads)
    for_model, for_recipe = split_settings(turn.settings)
    config = load_model_config(turn.model, for_model)
    recipe = load_recipe(turn.recipe, [*for_recipe, f"training.batch_size={turn.batch_size}"])
    # A checkpoint in the middle of the few steps timed would count for more than in a training.
    options = replace(recipe.training, checkpoint_steps=WARM_UP_STEPS + turn.steps + 1)
    data = JetDataModule(Path(turn.data), recipe, turn.seed)
    seed_all(turn.seed)
    network = build_model(config, data.inputs, data.outputs)
    with quiet_lightning(), torch_settings(options.deterministic), explained(folder):
        fabric: Fabric = make_fabric(options)
        fabric.launch()
        if fabric.world_size > 1:
            network = join_batch_norms(network, fabric.device.type == "cuda")
        timer = AllReduceTimer(fabric.device)
        timer.watch(fabric)
        stop = StopRequests()
        watch = Stopwatch(turn.steps, stop, timer, fabric.device)
        training = Training(fabric, network, data, options, folder=folder, identity={}, stop=stop, watchers=[watch])
        with suppress(Stopped):
            training.run()
        if fabric.world_size > 1:
            torch.distributed.destroy_process_group()
    if fabric.is_global_zero and watch.timing is None:
        raise InputError(f"{turn.data}: too few training jets for {turn.steps} timed steps; lower --jets.")
    return watch.timing


def main(arguments: Sequence[str]) -> int:
    """Write what the turn in file ``arguments[0]`` took, or the error that stopped it, next to that file."""
    path = Path(arguments[0])
    try:
        with TemporaryDirectory() as folder:
            timing = run(read_turn(path), Path(folder))
    except (InputError, UsageError) as error:
        path.with_suffix(ERROR_SUFFIX).write_text(str(error), encoding="utf-8", errors="surrogateescape")
        return 1
    if timing is not None:
        path.with_suffix(RESULT_SUFFIX).write_text(json.dumps(asdict(timing)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
