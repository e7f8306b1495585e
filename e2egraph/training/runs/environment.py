"""What a run was made with: versions, code state and machine."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import e2egraph
from e2egraph import __version__
from e2egraph.files import write_json, write_text
from e2egraph.training.runs.run_folder import ENVIRONMENT, read_json

# The folder that holds the package: the checkout, where it runs from one.
CHECKOUT = Path(e2egraph.__file__).parents[1]

PACKAGES = ("torch", "lightning-fabric", "torch-geometric", "numpy", "pyarrow", "scikit-learn", "onnx", "onnxruntime")


def describe_environment() -> dict[str, Any]:
    """JSON-ready; ``code.commit`` is None where the package is not in a Git checkout of its own."""
    return {
        "command": shlex.join(sys.argv),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "e2egraph": __version__,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "code": code_state(),
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cpus": os.cpu_count(),
            "torch_threads": torch.get_num_threads(),
            "host": platform.node(),
            "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        },
    }


def code_state() -> dict[str, Any]:
    """Commit of the checkout this package runs from, and whether files differ from it."""
    if not (CHECKOUT / ".git").exists():
        return {"commit": None, "modified": None}
    commit = _git("rev-parse", "HEAD")
    status = _git("status", "--porcelain")
    return {"commit": commit, "modified": None if status is None else bool(status)}


def record_environment(folder: Path, goes_on: bool) -> None:
    """Write ``environment.json``; a run that goes on adds what it now runs with under ``resumed``.

    Where the code differs from its commit, how it does goes into ``code-….patch`` (new files only by their names).
    """
    environment = describe_environment()
    patch = _changes() if environment["code"]["modified"] else None
    if patch is not None:
        name = f"code-{hashlib.sha256(patch.encode()).hexdigest()[:12]}.patch"
        write_text(folder / name, patch)
        environment["code"]["patch"] = name
    path = folder / ENVIRONMENT
    if goes_on and path.is_file():
        first = read_json(path)
        first["resumed"] = [*first.get("resumed", []), environment]
        environment = first
    write_json(path, environment)


def _changes() -> str:
    new = _git("ls-files", "--others", "--exclude-standard") or ""
    difference = _git("diff", "HEAD") or ""
    return "".join(f"# not in the commit: {name}\n" for name in new.splitlines()) + difference + "\n"


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=CHECKOUT, capture_output=True, check=True, timeout=20,
            encoding="utf-8", errors="surrogateescape",
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    """The processor's name: Linux tells it in /proc/cpuinfo only."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
