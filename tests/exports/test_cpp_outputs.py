"""Where the C++ runner writes: never over what it reads, and in place of what was there when it is whole."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.exports.cpp_events import awkward_event, write_events


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("events") / "good.e2e"
    seeds = np.array([[28, 36], [30, 71]])
    return write_events(path, [awkward_event(np.random.default_rng(n), 30, seeds) for n in range(3)])


def test_no_output_takes_the_place_of_what_is_read_or_of_another(runner, jet_linear, events, tmp_path):
    bundle, given = Path(shutil.copytree(jet_linear, tmp_path / "bundle")), tmp_path / "events.e2e"
    shutil.copy(events, given)
    (tmp_path / "link").symlink_to(given)
    same = tmp_path / "same"
    for words in (
        ["--output", given],
        ["--output", tmp_path / "link"],
        ["--dump-nodes", bundle / "model.onnx"],
        ["--output", same, "--dump-nodes", same],
    ):
        result = subprocess.run([runner, bundle, given, *words], capture_output=True, text=True)
        assert result.returncode == 2
        assert "is read, or written for something else; choose another output." in result.stderr
    assert given.read_bytes() == events.read_bytes() and not same.exists()
    assert (bundle / "model.onnx").read_bytes() == (jet_linear / "model.onnx").read_bytes()


def test_an_output_stays_as_it_was_where_events_turn_out_to_be_damaged(runner, jet_linear, events, tmp_path):
    cut, output = tmp_path / "cut.e2e", tmp_path / "out.csv"
    cut.write_bytes(events.read_bytes()[:-5])
    output.write_text("before")
    assert subprocess.run([runner, jet_linear, cut, "--output", output], capture_output=True).returncode == 1
    assert output.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.e2e", "out.csv"]
    subprocess.run([runner, jet_linear, events, "--output", output], check=True, capture_output=True)
    assert output.read_text().startswith("run,lumi,event")
