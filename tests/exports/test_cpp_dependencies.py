"""scripts/cpp_dependencies.sh: what is there is used again, and what cannot be had is told in a sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import onnxruntime

from tests.exports.cpp_build import SCRIPT


def fetch(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The script with a mirror that nobody answers at."""
    settings = {**os.environ, "PYTHON": sys.executable, "DEBIAN_MIRROR": "http://127.0.0.1:9/debian", **environment}
    return subprocess.run(["bash", SCRIPT, folder], capture_output=True, text=True, env=settings)


def filled(folder: Path) -> Path:
    for header in ("onnxruntime/onnxruntime_cxx_api.h", "nlohmann/json.hpp"):
        (folder / "include" / header).parent.mkdir(parents=True)
        (folder / "include" / header).write_text("")
    return folder


def test_headers_that_are_there_are_used_again_and_the_wheel_s_library_linked(tmp_path):
    folder = filled(tmp_path / "a")
    assert fetch(folder).returncode == 0
    assert fetch(folder).returncode == 0
    for name in ("libonnxruntime.so", "libonnxruntime.so.1"):
        library = (folder / "lib" / name).resolve(strict=True)
        assert library.parent == Path(onnxruntime.__file__).parent / "capi"


def test_a_failed_download_is_one_sentence_and_leaves_no_headers(tmp_path):
    result = fetch(tmp_path / "b")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("cpp_dependencies: ")
    assert not (tmp_path / "b" / "include").exists()


def test_a_python_without_onnxruntime_is_named(tmp_path):
    result = fetch(filled(tmp_path / "c"), PYTHON=str(tmp_path / "none"))
    assert result.returncode == 1
    assert str(tmp_path / "none") in result.stderr
