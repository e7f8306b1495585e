"""What a benchmark writes: machine, command and records as JSON, and the same as a Markdown table next to it."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

from e2egraph.files import write_json, write_text
from e2egraph.folders import make_folder

T = TypeVar("T")

LIBRARIES = ("numpy", "awkward", "uproot", "pyarrow", "torch", "torch-geometric", "onnxruntime")


@dataclass(frozen=True)
class Record:
    """One figure. ``case``: a model or a way of doing it; ``n``: the size it was measured at; ``note``: how."""

    case: str
    n: int
    metric: str
    value: float
    unit: str
    note: str = ""


def write_report(output: Path, command: str, records: Sequence[Record]) -> list[Path]:
    """Write ``output`` (JSON) and the same name with ``.md``; each next to its name first, then renamed."""
    report = {"machine": machine(), "command": command, "records": [asdict(record) for record in records]}
    paths = report_paths(output)
    make_folder(output.parent)
    write_json(paths[0], report)
    write_text(paths[1], markdown(command, records))
    return paths


def report_paths(output: Path) -> list[Path]:
    """What ``write_report`` writes: the JSON and the table."""
    return [output, output.with_suffix(".md")]


def markdown(command: str, records: Sequence[Record]) -> str:
    """The records as a table under the machine and the command they were measured with."""
    about = machine()
    lines = [
        f"`{command}`",
        "",
        f"{about['processor']}, {about['cores']} cores, load {about['load']:.1f} when written; "
        f"Python {about['python']}; " + ", ".join(f"{name} {number}" for name, number in about["libraries"].items()),
        "",
        "| case | n | metric | value | unit | note |",
        "|---|---:|---|---:|---|---|",
    ]
    for record in records:
        value = f"{record.value:.4g}" if abs(record.value) < 10_000 else f"{record.value:.0f}"
        lines.append(f"| {record.case} | {record.n} | {record.metric} | {value} | {record.unit} | {record.note} |")
    return "\n".join(lines) + "\n"


def machine() -> dict:
    """Processor, cores this process may use, memory, load, and versions of what was measured."""
    pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": pages * page,
        "load": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
    }


def timed(function: Callable[[], T]) -> tuple[float, T]:
    """Seconds that a call took, and its result."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def cpu_timed(function: Callable[[], T]) -> tuple[float, T]:
    """Seconds of CPU time that a call took in all threads, and its result: what a busy machine hardly changes."""
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
