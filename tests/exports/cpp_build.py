"""Compiling C++ for tests: headers fetched as a user would, each program built once a session, whatever the worker."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.made_once import made_once

ROOT = Path(__file__).parents[2]
CPP = ROOT / "exports" / "cpp"
SCRIPT = ROOT / "scripts" / "cpp_dependencies.sh"

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
SANITIZERS = ["-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def fetch_dependencies(factory: pytest.TempPathFactory) -> Path:
    """Headers and library to build against; skips the test, with the script's own words, when there is no download.

    E2EGRAPH_CPP_DEPENDENCIES: a folder that the script has filled before.
    """
    given = os.environ.get("E2EGRAPH_CPP_DEPENDENCIES")

    def fetch(folder: Path) -> None:
        words = ["bash", str(SCRIPT), str(folder)]
        result = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "PYTHON": sys.executable})
        if result.returncode:
            pytest.skip(f"no C++ headers: {result.stderr.strip()}")

    return Path(given) if given else made_once(factory, "dependencies", fetch)


def readme_command() -> list[str]:
    """The g++ line of exports/cpp/README.md."""
    text = (CPP / "README.md").read_text().replace("\\\n", " ")
    (line,) = [line for line in text.splitlines() if line.startswith("g++ ")]
    return shlex.split(line)


def build_runner(dependencies: Path, output: Path) -> None:
    """Build e2e_infer by the README's line, with every warning an error."""
    words = [word.replace("$PWD/", "").replace("build/cpp", str(dependencies)) for word in readme_command()]
    words[words.index("-o") + 1] = str(output)
    _compile([*words, *WARNINGS])


def build_program(source: Path, output: Path, dependencies: Path | None, *flags: str) -> None:
    """Build a test's own C++ program against the headers, and ONNX Runtime where ``dependencies`` are given."""
    words = ["g++", "-std=c++17", "-O0", "-ffp-contract=off", f"-I{CPP / 'include'}", f"-I{CPP / 'runner'}", *flags]
    if dependencies is not None:
        lib = dependencies / "lib"
        words += ["-isystem", str(dependencies / "include"), f"-L{lib}", "-lonnxruntime", f"-Wl,-rpath,{lib}"]
    _compile([*words, "-pthread", str(source), "-o", str(output), *WARNINGS])


def _compile(words: list[str]) -> None:
    # The library must come after what uses it.
    libraries = [word for word in words if word == "-lonnxruntime"]
    words = [word for word in words if word != "-lonnxruntime"] + libraries
    result = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
