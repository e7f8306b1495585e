"""Two processes: a stopped run goes on to the same bits, one may go on with what two began, and one may fail."""

import csv
import json
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


def test_a_loss_that_is_not_finite_in_one_process_stops_both(folder):
    told = [(folder / f"spoilt-{rank}.txt").read_text() for rank in (0, 1)]
    assert told[0] == told[1]
    assert told[0].startswith("training diverged: the loss at epoch 2, step 11 is not finite for 1 of 8 jets, first ")
    assert "lower training.learning_rate" in told[0]
    listed = folder / "spoilt" / "diverged-1.json"
    assert str(listed) in told[0]
    found = json.loads(listed.read_text())
    assert [jet["loss"] == "nan" for jet in found["jets"]] == [False, False, True, *[False] * 5]
    assert checkpoint(folder / "spoilt")["resume"]["position"]["step"] == 9


def test_a_run_whose_second_process_was_killed_says_so_and_goes_on(folder):
    """In a job of SLURM with one task, whose variables must not keep the training from starting its processes."""
    run = folder / "killed"
    settings = [word for setting in (*SETTINGS, "training.devices=2") for word in ("--set", setting)]
    words = ["train", "--model", str(folder / "fragile.yaml"), "--data", str(folder / "data"), "--output", str(run)]
    slurm = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"}
    root = Path(__file__).parents[2]

    def command(fault):
        return subprocess.run(
            [sys.executable, "-m", "e2egraph", *words, "--seed", "5", *settings],
            env=os.environ | slurm | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "FRAGILE": fault},
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    killed = command("train:13:SIGKILL:1")
    assert killed.returncode == 1, killed.stderr
    (sentence,) = [line for line in killed.stderr.splitlines() if not line.startswith("fragile: ")]
    assert sentence.startswith("e2egraph: another process of this training stopped")
    assert "give the same command again: it goes on from the last checkpoint" in sentence
    assert checkpoint(run)["resume"]["position"]["step"] == 12
    done = command("never:0:")
    assert done.returncode == 0, done.stderr
    assert json.loads((run / "summary.json").read_text())["processes"] == 2
    assert_same_run(run, folder / "whole")
