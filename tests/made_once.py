"""What takes long to make, made once a session, whichever of its workers comes first."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from e2egraph.cli import main


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A file or folder that ``make`` fills, shared by the workers of a test session."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made-once"
    folder.mkdir(exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        target, partial = folder / name, folder / f"{name}.partial"
        if not target.exists():
            make(partial)
            partial.rename(target)
    return target


def simulated_once(factory: pytest.TempPathFactory, *words: str) -> Path:
    """The file of ``e2egraph simulate`` with these words and an output; not to be changed."""

    def make(folder: Path) -> None:
        folder.mkdir()
        assert main(["simulate", *words, "--output", str(folder / "events.root")]) == 0

    return made_once(factory, "simulated" + "".join(words), make) / "events.root"
