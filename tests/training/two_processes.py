"""Run by ``torchrun`` in each of two processes: a whole run, a run stopped and gone on with, one left stopped, and
one whose loss is not finite in process 1; what a process raised is in ``NAME-RANK.txt``.
"""

import os
import sys
from pathlib import Path

from e2egraph.errors import InputError, Stopped
from e2egraph.training.train import train
from tests.training.test_resume import SETTINGS


def main(folder: Path) -> None:
    def run(name: str, fault: str = "never:0:") -> None:
        os.environ["FRAGILE"] = fault
        try:
            train(
                str(folder / "fragile.yaml"), folder / "data", folder / name, settings=SETTINGS, seed=5, progress=False
            )
        except Stopped as stop:
            assert stop.code == 143, stop
        except InputError as error:
            (folder / f"{name}-{os.environ['RANK']}.txt").write_text(str(error))

    run("whole")
    run("stopped", "train:13:SIGTERM")
    run("stopped")
    run("left", "train:13:SIGTERM")
    run("spoilt", "train:11:nan:1")


main(Path(sys.argv[1]))
