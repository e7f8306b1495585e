"""Every script looks at its output before any work, as every command does (tests/e2e/test_outputs.py)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"

SINGLE_PARTICLES = ("photons", "kaons", "check-photons", "check-kaons", "check-pions")

# Script → the words before its output.
WORDS = {
    "boosted_tree": ["data", "--output"],
    "event_samples": ["events.root", "--output"],
    "execute_notebook": ["notebook.ipynb", "--output"],
    "filter_efficiency": ["rpv_gluinos=1", "--output"],
    "image_against_graph": ["results", "--output"],
    "jet_candidates": ["--top", "a.root", "--qcd", "b.root", "--output"],
    "jet_display": ["data", "--output"],
    "jet_energy_scale": ["--output"],
    "link_quality": ["data", "--output"],
    "link_truth": ["a.root", "--layers", "BPIX1,BPIX2,BPIX3", "--output"],
    "mass_spectrum": ["a=scores.parquet", "--output"],
    "onnxruntime_matrix": ["bundle", "--folder"],
    "particle_flow_calibration": [
        *(word for name in SINGLE_PARTICLES for word in (f"--{name}", "a.root")),
        *("--report", "b.json", "--output"),
    ],
    "particle_flow_cost": ["--output"],
    "particle_flow_scan": [
        *("--events", "a.root", "--pions", "b.root", "--constant", "c", "--values", "1", "--output"),
    ],
    "particle_flow_time": ["--events", "a.root", "--output"],
    "robustness": ["run", "--output"],
}

# What it finds is printed, or another script takes it.
WITHOUT_OUTPUT = {"check_compiled", "jet_variables", "cluster_variables", "event_variables", "tree_learners"}


def test_every_script_is_among_them():
    assert {path.stem for path in SCRIPTS.glob("*.py")} == {*WORDS, *WITHOUT_OUTPUT}


@pytest.mark.parametrize("script", WORDS)
def test_what_is_no_file_and_no_folder_is_refused_before_any_work_and_stays(script, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    words = [sys.executable, str(SCRIPTS / f"{script}.py"), *WORDS[script], "pipe"]
    # None of the inputs is there: the output is looked at first.
    ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"{script}.py: pipe: ")
    assert "pipe" in ended.stderr.splitlines()[-1]
    assert len(ended.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
    assert (tmp_path / "pipe").is_fifo()
