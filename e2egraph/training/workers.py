"""The other processes of a training on this machine: the same command once more for each, and what becomes of them.

Lightning starts processes the same way, but kills this one without a message within five seconds of another's end.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from lightning_fabric.plugins.environments import LightningEnvironment

from e2egraph.training.steps.failures import PEER_STOPPED

# How often is looked whether all are there, and how long this process may take to notice by itself, in seconds: it
# meets the others at every step, where it fails with a sentence and with its files closed.
_INTERVAL, _PATIENCE = 1.0, 30.0


def start_workers(environment: LightningEnvironment, devices: int, nodes: int) -> None:
    """Give this very command ``devices`` - 1 more times, unless this is one of those, and watch over them."""
    if environment.creates_processes_externally:
        return
    first = environment.node_rank() * devices
    os.environ |= {
        "MASTER_ADDR": environment.main_address,
        "MASTER_PORT": str(environment.main_port),
        "NODE_RANK": str(environment.node_rank()),
        "LOCAL_RANK": "0",
        "RANK": str(first),
        "WORLD_SIZE": str(devices * nodes),
    }
    workers = [
        subprocess.Popen(same_command(), env=os.environ | {"LOCAL_RANK": str(rank), "RANK": str(first + rank)})
        for rank in range(1, devices)
    ]
    threading.Thread(target=_watch, args=(workers,), daemon=True, name="workers").start()


def same_command() -> list[str]:
    """What starts the running program again: ``python -m package …`` or ``python script …``."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    program = [str(Path(sys.argv[0]).absolute())] if spec is None else ["-m", spec.name]
    return [sys.executable, *program, *sys.argv[1:]]


def _watch(workers: Sequence[subprocess.Popen[bytes]]) -> None:
    """End this process when another failed and it does not notice: it may wait for it on a GPU forever."""
    while not any(codes := [worker.poll() for worker in workers]):
        if all(code == 0 for code in codes):
            return
        time.sleep(_INTERVAL)
    time.sleep(_PATIENCE)
    for worker in workers:
        worker.kill()
    sys.stderr.write(f"e2egraph: {PEER_STOPPED}\n")
    sys.stderr.flush()
    os._exit(1)
