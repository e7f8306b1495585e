"""The command line gives the same weights each time: same seed, same bits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.toy_dataset import write_toy_dataset
from tests.training.fragile_model import write_fragile_model
from tests.training.runs import assert_same_run, checkpoint


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """Two runs of seed 7 and one of seed 8, of a network with dropout and other random numbers, each in a process."""
    folder = tmp_path_factory.mktemp("runs")
    data, model = write_toy_dataset(folder / "data", 150, nodes=(0, 20)), write_fragile_model(folder)
    root = Path(__file__).parents[2]
    for name, seed in (("one", "7"), ("two", "7"), ("other", "8")):
        words = ["train", "--model", model, "--data", str(data), "--output", str(folder / name), "--seed", seed]
        settings = ["--set", "training.epochs=2", "--set", "training.batch_size=16"]
        variables = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
        # Strings are hashed differently in each process, unless the user's environment forbids it.
        variables.pop("PYTHONHASHSEED", None)
        words = [sys.executable, "-m", "e2egraph", *words, "--recipe", "modern", *settings]
        done = subprocess.run(words, env=variables, cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return folder


def test_two_commands_of_one_seed_give_the_same_bits(runs):
    assert_same_run(runs / "one", runs / "two")


@pytest.mark.parametrize("name", ["best", "last"])
def test_another_seed_gives_other_weights(runs, name):
    one, other = (checkpoint(runs / run, name)["state_dict"] for run in ("one", "other"))
    assert one.keys() == other.keys()
    assert not any(torch.equal(one[key], other[key]) for key in one if key.endswith("weight"))
