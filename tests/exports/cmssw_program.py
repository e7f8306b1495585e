"""The program of the CMSSW package and its stand-ins, and what the made-up event of cmssw_run.cc holds."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from tests.exports.cpp_build import ROOT

PACKAGE = ROOT / "exports" / "cmssw" / "E2EGraph" / "Tagger"
PLUGINS = PACKAGE / "plugins"
STANDINS = Path(__file__).with_name("cmssw_standins")


def execute(program: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(program), *map(str, words)], capture_output=True, text=True)


def lines(program: Path, *words: object) -> dict[str, list[list[str]]]:
    """First word of a line → the other words of all such lines."""
    result = execute(program, *words)
    assert result.returncode == 0, result.stderr
    found: dict[str, list[list[str]]] = {}
    for line in result.stdout.splitlines():
        kind, *others = line.split(" ")
        found.setdefault(kind, []).append(others)
    return found


def numbers(rows: list[list[str]]) -> np.ndarray:
    return np.array(rows, dtype=float)


# What the made-up event of cmssw_run.cc must become.
VERTEX = (0.1, -0.2, 3.0)

# Of its five jets the second has no pT, and around the fourth there is nothing.
SCORED = [0, 2, 4]


def at_the_end(
    without_nodes: int, unusable: int = 0, deposits: int = 0, instead: str = "score -1, prediction NaN"
) -> str:
    """What a job over this event says of it at its end."""
    return (
        f"E2EGraph: Of 5 jets {without_nodes} had no nodes and {unusable} were not finite ({instead}); {deposits} "
        "deposits held NaN or infinite values."
    )


def read_otherwise(bundle: Path, folder: Path, **reading: Any) -> Path:
    """A copy of ``bundle`` that says of its training files that they were read otherwise; None: says nothing."""
    shutil.copytree(bundle, folder)
    content = json.loads((folder / "metadata.json").read_text())
    content["info"] |= reading
    (folder / "metadata.json").write_text(json.dumps(content))
    return folder
