"""This version of e2egraph and another in turns, each in a fresh process: what a change of the code gains."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import e2egraph
from e2egraph.benchmark.report import Record
from e2egraph.errors import InputError

THIS, OTHER = "this version", "other version"


def versions(against: Path | None) -> dict[str, Path]:
    """Case → folder that holds the package; InputError when ``against`` holds none."""
    here = {THIS: Path(e2egraph.__file__).parents[1]}
    if against is None:
        return here
    if not (against / "e2egraph" / "__init__.py").is_file():
        raise InputError(f"{against}: no package e2egraph in it; give --against the folder of another checkout.")
    return {**here, OTHER: against.absolute()}


def run_version(folder: Path, code: str, arguments: Sequence[str], cache: Path) -> dict[str, Any]:
    """What ``code`` prints as JSON, run in a fresh interpreter on the package of ``folder`` and one thread.

    ``cache``: stands for the user's cache folder. InputError with the last line it wrote when it fails.
    """
    environment = {**os.environ, "PYTHONPATH": str(folder), "XDG_CACHE_HOME": str(cache), "OMP_NUM_THREADS": "1"}
    # -P: the package of the working folder would come first otherwise.
    command = [sys.executable, "-P", "-c", code, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise InputError(f"{folder}: the measured code failed ({last}); repair that version or leave --against out.")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def ratio_records(metric: str, values: Mapping[str, Sequence[float]], unit: str, n: int, note: str) -> list[Record]:
    """The median of each case's turns, and this version's over the other's."""
    middle = {case: median(turns) for case, turns in values.items()}
    records = []
    for case, turns in values.items():
        spread = f"{note}; median of {len(turns)}, {min(turns):.4g} to {max(turns):.4g}"
        records.append(Record(case, n, metric, middle[case], unit, spread))
    if OTHER in middle:
        over = f"{metric}_over_{OTHER.replace(' ', '_')}"
        records.append(Record(THIS, n, over, middle[THIS] / middle[OTHER], "", note))
    return records
