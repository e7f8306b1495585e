"""Bits flipped, bytes cut, values swapped in event files and JSON: no crash under AddressSanitizer and UBSan."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.exports.cpp_events import awkward_event, write_events

SEEDS = np.array([[28, 36], [30, 71], [-1, -1]])

# What a value in JSON is replaced by.
VALUES: list[Any] = [None, True, -1, 0, 3, 2**31, 2**63, 2**64 - 1, -1e300, 1e39, 0.5, "", "TRACK", [], ["dz"], {}]

# To bytes of event files, where counts and integers stand.
WORDS = [b"\xff\xff\xff\xff", b"\x00\x00\x00\x80", b"\xff\xff\xff\x7f", b"\x00\x00\x80\x7f", b"\x00\x00\xc0\x7f"]


def run_all(program: Path, lines: list[list[object]]) -> list[tuple[int, str]]:
    """Exit code and words on standard error of each command line."""
    text = "".join("\t".join(map(str, words)) + "\n" for words in lines)
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=0"}
    result = subprocess.run([program], input=text, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr[-3000:]
    pairs = [line.split(" ", 1) for line in result.stdout.splitlines()]
    return [(int(code), words) for code, words in pairs]


def assert_told(results: list[tuple[int, str]], expected: int) -> None:
    """Every input was scored, or refused in one sentence."""
    assert len(results) == expected
    for code, words in results:
        assert code in (0, 1)
        if code:
            assert words.startswith("e2e_infer: ")
            assert words.count("|") == 1
            assert "a fault in" not in words
    assert {code for code, _ in results} == {0, 1}


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    copy = bytearray(content)
    kind = rng.integers(4)
    if kind == 0:
        return bytes(copy[: rng.integers(len(copy))])
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(copy) - 4))
        if kind == 1:
            copy[at] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            at -= at % 4
            copy[at : at + 4] = WORDS[rng.integers(len(WORDS))]
        else:
            del copy[at : at + int(rng.integers(1, 9))]
    return bytes(copy)


def places(content: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a JSON value."""
    pairs = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [place for key, value in pairs for place in ((content, key), *places(value))]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(1)
    events = [awkward_event(rng, size, SEEDS) for size in (6, 9)]
    return write_events(tmp_path_factory.mktemp("good") / "events.e2e", events)


def test_damaged_event_files_never_crash_the_reader(many_runs, jet_linear, good, tmp_path):
    rng = np.random.default_rng(11)
    content, lines = good.read_bytes(), []
    for number in range(400):
        path = tmp_path / f"{number}.e2e"
        path.write_bytes(damaged(content, rng))
        lines.append([jet_linear, path, "--output", "/dev/null", "--threads", 1 + number % 2])
    assert_told(run_all(many_runs, lines), 400)


@pytest.mark.parametrize("name", ["metadata.json", "preprocess.json"])
def test_damaged_json_never_crashes_the_bundle_s_reader(name, many_runs, jet_linear, good, tmp_path):
    rng = np.random.default_rng(12)
    text, lines = (jet_linear / name).read_bytes(), []
    for number in range(240):
        bundle = Path(shutil.copytree(jet_linear, tmp_path / str(number)))
        if number % 3 == 0:
            (bundle / name).write_bytes(damaged(text, rng))
        else:
            content = json.loads(text)
            container, key = (all_places := places(content))[rng.integers(len(all_places))]
            if number % 3 == 1 or isinstance(container, list):
                container[key] = VALUES[rng.integers(len(VALUES))]
            else:
                del container[key]
            (bundle / name).write_text(json.dumps(content))
        lines.append([bundle, good, "--output", "/dev/null"])
    assert_told(run_all(many_runs, lines), 240)


def test_sound_input_passes_under_the_sanitizers(many_runs, jet_linear, tmp_path):
    rng = np.random.default_rng(13)
    events = write_events(tmp_path / "events.e2e", [awkward_event(rng, size, SEEDS) for size in (4, 50, 2000)])
    lines: list[list[object]] = [
        [jet_linear, events, "--output", tmp_path / "a.csv", "--dump-nodes", tmp_path / "a.nodes", "--threads", 3],
        [jet_linear, events, "--output", tmp_path / "a.json", "--format", "json", "--batch", 2, "--repeat", 2],
    ]
    assert [code for code, _ in run_all(many_runs, lines)] == [0, 0]
