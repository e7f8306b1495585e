"""Small searches: a space over the tiny model, and networks that fail in ways of their own."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from e2egraph.config import configuration
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Outputs
from tests.training.tiny_model import Tiny, TinyOptions

SPACE = """\
model.options.width: {choices: [4, 16]}
training.learning_rate: {low: 1e-4, high: 1e-2, log: true}
training.weight_decay: {low: 0.0, high: 0.1}
"""

FAST = ("--set", "training.epochs=2", "--set", "training.batch_size=32", "--set", "data.pool_jets=64")


class FailsWhenNarrow(Tiny):
    """Cannot be made with width 4."""

    def __init__(self, options: TinyOptions, inputs: Inputs, outputs: Outputs) -> None:
        if options.width == 4:
            raise ArithmeticError("width 4 goes with nothing")
        super().__init__(options, inputs, outputs)


@configuration
class MortalOptions(TinyOptions):
    """``marker``: the file whose making kills."""

    marker: str


class DiesOnce(Tiny):
    """Kills its process the first time that it is made, as a machine without memory does."""

    Options = MortalOptions

    def __init__(self, options: MortalOptions, inputs: Inputs, outputs: Outputs) -> None:
        super().__init__(options, inputs, outputs)
        try:
            Path(options.marker).touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


def write_model(folder: Path, network: type[Tiny], options: str = "{}") -> str:
    path = folder / f"{network.__name__}.yaml"
    path.write_text(f"name: {network.__name__}\nnetwork: {network.__module__}:{network.__name__}\noptions: {options}\n")
    return str(path)
