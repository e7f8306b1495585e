"""A timed turn of ``benchmark scaling``: what it is to do, what it took, and how it is started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from e2egraph.errors import InputError

# Steps before those timed: the first pool is read, DDP lays out its buckets after the first, memory finds its size.
WARM_UP_STEPS = 3

RESULT_SUFFIX, ERROR_SUFFIX = ".result", ".error"

_PROCESS = "e2egraph.benchmark.scaling.scaling_process"


@dataclass(frozen=True)
class Turn:
    """``ranks`` processes of ``threads`` threads train for ``steps`` timed steps of ``batch_size`` jets over all."""

    model: str
    data: str
    recipe: str
    settings: tuple[str, ...]
    seed: int
    ranks: int
    threads: int
    batch_size: int
    steps: int


@dataclass(frozen=True)
class Timing:
    """What ``steps`` steps on ``jets`` jets (over all ranks) took, in seconds, as the first rank saw it.

    ``waited``: for batches; ``communicating``: with a gradient all-reduce under way; ``exposed``: the part of it after
    the backward pass's last gradient.
    """

    device: str
    steps: int
    jets: int
    seconds: float
    waited: float
    communicating: float
    exposed: float

    @property
    def jets_per_second(self) -> float:
        return self.jets / self.seconds


def run_turn(turn: Turn) -> Timing:
    """Start the turn's processes with ``torchrun`` and wait for them; InputError when they fail."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(turn.ranks)]
    environment = os.environ | {"OMP_NUM_THREADS": str(turn.threads), "MKL_NUM_THREADS": str(turn.threads)}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "turn.json"
        path.write_text(json.dumps(asdict(turn)), encoding="utf-8")
        words = [sys.executable, *launcher, "-m", _PROCESS, str(path)]
        done = subprocess.run(
            words, env=environment, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False
        )
        error, result = path.with_suffix(ERROR_SUFFIX), path.with_suffix(RESULT_SUFFIX)
        if error.exists():
            raise InputError(f"ranks={turn.ranks}: {error.read_text(encoding='utf-8')}")
        if done.returncode or not result.exists():
            raise InputError(f"ranks={turn.ranks}: training failed ({_reason(done.stderr)}); try `e2egraph train`.")
        return Timing(**json.loads(result.read_text(encoding="utf-8")))


def read_turn(path: Path) -> Turn:
    """The turn in a JSON file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return Turn(**{**content, "settings": tuple(content["settings"])})


def _reason(text: str) -> str:
    """The last line that names an error, without torchrun's own table of failures."""
    named = [line.strip() for line in text.splitlines() if "Error: " in line and "ChildFailedError" not in line]
    return named[-1] if named else "killed"
