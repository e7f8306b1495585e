"""Two processes: a stopped run goes on to the same bits, and one process may go on with what two began."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from e2egraph.training.train import train
from tests.toy_dataset import write_toy_dataset
from tests.training.fragile_model import write_fragile_model
from tests.training.runs import assert_same_run, checkpoint, figures
from tests.training.test_resume import SETTINGS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    write_toy_dataset(folder / "data", 200, nodes=(0, 20))
    write_fragile_model(folder)
    root = Path(__file__).parents[2]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    words = [*launcher, "-m", "tests.training.two_processes", str(folder)]
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, env=environment, cwd=root, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder


def test_both_processes_go_on_with_their_own_random_numbers_and_scores(folder):
    assert_same_run(folder / "stopped", folder / "whole")
    states = checkpoint(folder / "whole")["resume"]["processes"]
    assert len(states) == 2
    assert not states[0]["random"]["torch"].equal(states[1]["random"]["torch"])


def test_one_process_goes_on_with_what_two_began_and_counts_every_jet(folder):
    place = checkpoint(folder / "left")["resume"]["position"]
    assert (place["epoch"], place["batch"]) == (1, 5)
    model = str(folder / "fragile.yaml")
    summary = train(model, folder / "data", folder / "left", settings=SETTINGS, seed=5, progress=False)
    assert summary.processes == 1
    assert len(figures(folder / "left")) == 3
    jets = []
    for run in ("left", "whole"):
        with (folder / run / "metrics.csv").open() as stream:
            rows = list(csv.DictReader(stream))
        jets.append([round(float(row["seconds"]) * float(row["jets_per_second"])) for row in rows])
    assert jets[0] == jets[1] == [summary.training_jets] * 3
