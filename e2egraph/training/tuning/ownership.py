"""Which process works on a trial, so that the trial of a dead one can be taken up again, and only that.

A file ``NNNN.owner`` next to each running trial's folder names host and process; its owner touches it while it works.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from e2egraph.files import write_text

# Seconds between two signs of life, and after how many without one a process of another machine counts as dead.
BEAT, PATIENCE = 30.0, 300.0


@dataclass(frozen=True)
class Owner:
    """``started`` tells two processes of the same number apart; ``starts``: how often the trial was started."""

    host: str
    process: int
    started: str
    starts: int = 1


def owner_file(folder: Path) -> Path:
    return folder.with_name(folder.name + ".owner")


def current_owner(starts: int = 1) -> Owner:
    return Owner(_host(), os.getpid(), _started(os.getpid()), starts)


def read_owner(folder: Path) -> Owner | None:
    """The owner of a trial's folder; None when nobody owns it."""
    try:
        return Owner(**json.loads(owner_file(folder).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def take(folder: Path, starts: int) -> None:
    write_text(owner_file(folder), json.dumps(asdict(current_owner(starts))) + "\n")


def release(folder: Path) -> None:
    owner_file(folder).unlink(missing_ok=True)


def is_abandoned(folder: Path) -> bool:
    """Whether nobody works on the trial: no owner, its process is gone, or it gave no sign of life for long.

    Processes of other machines (and of other containers) cannot be asked; the file system's clock judges them.
    """
    owner = read_owner(folder)
    if owner is None:
        return True
    if owner.host == _host():
        return not _started(owner.process) or _started(owner.process) != owner.started
    try:
        last = owner_file(folder).stat().st_mtime
    except FileNotFoundError:
        return True
    probe = folder.with_name(f".clock-{os.getpid()}")
    probe.touch()
    now = probe.stat().st_mtime
    probe.unlink(missing_ok=True)
    return now - last > PATIENCE


@contextmanager
def alive(folder: Path) -> Iterator[None]:
    """Give signs of life while the block runs, then release the trial."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(BEAT):
            with suppress(OSError):  # a file system that is away for a moment: the next beat will tell
                os.utime(owner_file(folder))

    thread = threading.Thread(target=beat, daemon=True, name="trial-alive")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        release(folder)


def _host() -> str:
    """This machine and, on Linux, this namespace of process numbers."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return socket.gethostname() + namespace


def _started(process: int) -> str:
    """When a process of this machine started, in the kernel's ticks (elsewhere only 'running'); '' when it is gone."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        # proc(5): field 3 is the state (Z: dead, not yet collected), field 22 the start time.
        return "" if status[0] in "ZX" else status[19]
    except (OSError, IndexError):
        pass
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "running"
