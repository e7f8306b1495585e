"""A run that is stopped anywhere and started again ends with the bits of one that was not."""

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from e2egraph.cli import main
from e2egraph.data.table import read_table
from e2egraph.errors import InputError
from e2egraph.training.runs.checkpoint import write_checkpoint
from e2egraph.training.runs.load import load_run
from e2egraph.training.train import train
from tests.training.fragile_model import write_fragile_model
from tests.training.interrupted_runs import SETTINGS, interrupted, run, stopped, whole
from tests.training.runs import assert_same_run, checkpoint, figures

__all__ = ["interrupted", "run", "whole"]


def test_the_epochs_have_eight_batches_as_the_cases_below_suppose(data):
    assert -(-len(read_table(data).jets_of("train")) // 16) == 8


@pytest.mark.parametrize(
    ("fault", "position"),
    [
        ("train:1:SIGTERM", (0, 1)),  # the first step
        ("train:5:SIGUSR1", (0, 5)),  # the middle of an epoch, between two checkpoints
        ("train:8:SIGTERM", (0, 8)),  # the last step of an epoch: validation comes next
        ("eval:1:SIGTERM", (0, 8)),  # during validation
        ("train:12:SIGINT", (1, 4)),
        ("train:24:SIGTERM", (2, 8)),  # the last step of all
    ],
)
def test_a_run_stopped_by_a_signal_goes_on_to_the_same_bits(data, model, whole, tmp_path, monkeypatch, fault, position):
    run = tmp_path / "run"
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)]
    stop = stopped(monkeypatch, model, data, run, fault)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)] == before
    assert stop.code == 128 + getattr(signal, fault.split(":")[2])
    place = checkpoint(run)["resume"]["position"]
    assert (place["epoch"], place["batch"]) == position
    assert not (run / "summary.json").exists()
    train(model, data, run, settings=SETTINGS, seed=5, progress=False)
    assert_same_run(run, whole)


def test_a_run_stopped_again_and_again_ends_with_the_same_bits(data, model, whole, tmp_path, monkeypatch):
    run = tmp_path / "run"
    for call in (3, 2, 7, 1):
        stopped(monkeypatch, model, data, run, f"train:{call}:SIGTERM")
    train(model, data, run, settings=SETTINGS, seed=5, progress=False)
    assert_same_run(run, whole)
    environment = json.loads((run / "environment.json").read_text())
    assert len(environment["resumed"]) == 4
    log = (run / "train.log").read_text()
    assert log.count("ended by Stopped: stopped on request") == 4
    assert "goes on after step 13" in log


def test_the_scale_of_half_precision_is_part_of_the_state(data, model, tmp_path, monkeypatch):
    settings = (*SETTINGS, "training.precision=16-mixed", "training.accumulate=2")
    train(model, data, tmp_path / "whole", settings=settings, seed=5, progress=False)
    stopped(monkeypatch, model, data, tmp_path / "run", "train:21:SIGTERM", settings)
    train(model, data, tmp_path / "run", settings=settings, seed=5, progress=False)
    assert checkpoint(tmp_path / "run")["resume"]["learner"]["precision"]["scale"] > 0
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_batch_norms_and_early_stopping_go_on_too(data, tmp_path, monkeypatch):
    model = write_fragile_model(tmp_path, "FragileNorms")
    settings = (*SETTINGS, "training.epochs=30", "training.patience=1", "training.learning_rate=0.001")
    train(model, data, tmp_path / "whole", settings=settings, seed=5, progress=False)
    epochs = len(figures(tmp_path / "whole"))
    assert 2 <= epochs < 30  # it was stopped early, and the case below stops it in its last epoch
    stopped(monkeypatch, model, data, tmp_path / "run", f"train:{8 * epochs - 3}:SIGTERM", settings)
    train(model, data, tmp_path / "run", settings=settings, seed=5, progress=False)
    assert_same_run(tmp_path / "run", tmp_path / "whole")
    assert "network.head.0.running_mean" in checkpoint(tmp_path / "run")["state_dict"]


class KilledError(Exception):
    """Stands for a process that ends without doing anything more."""


def test_a_run_killed_between_its_last_checkpoint_and_its_summary_ends_with_the_same_bits(data, model, whole, tmp_path):
    run = tmp_path / "run"

    def kill(row):
        if row.epoch == 3:
            raise KilledError

    with pytest.raises(KilledError):
        train(model, data, run, settings=SETTINGS, seed=5, progress=False, on_epoch=kill)
    assert checkpoint(run)["resume"]["position"]["epoch"] == 3
    assert not (run / "summary.json").exists()
    summary = train(model, data, run, settings=SETTINGS, seed=5, progress=False)
    assert summary.epochs == 3
    assert (run / "summary.json").is_file()
    assert_same_run(run, whole)


def test_a_run_killed_between_the_best_weights_and_the_checkpoint_ends_with_the_same_bits(
    data, model, whole, tmp_path, monkeypatch
):
    run, written = tmp_path / "run", []

    def kill(path, content, keep=None):
        write_checkpoint(path, content, keep)
        written.append(path.stem)
        if path.stem == "best" and "epoch" in content:
            raise KilledError

    monkeypatch.setattr("e2egraph.training.steps.loop.write_checkpoint", kill)
    with pytest.raises(KilledError):
        train(model, data, run, settings=SETTINGS, seed=5, progress=False)
    monkeypatch.undo()
    assert written[-2:] == ["last", "best"]
    assert checkpoint(run)["resume"]["rows"] == []
    train(model, data, run, settings=SETTINGS, seed=5, progress=False)
    assert_same_run(run, whole)


def test_a_run_killed_between_the_renamings_of_a_checkpoint_goes_on_from_the_one_before(data, model, whole, run):
    (run / "checkpoints" / "last.ckpt").unlink()
    train(model, data, run, settings=SETTINGS, seed=5, progress=False)
    assert_same_run(run, whole)


def command(model, data, run):
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    words = ["train", "--model", model, "--data", data, "--output", run, "--seed", 5, *settings]
    return [sys.executable, "-m", "e2egraph", *map(str, words)]


def in_a_process(words, **environment):
    root = Path(__file__).parents[2]
    variables = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"} | environment
    return subprocess.run(words, env=variables, cwd=root, capture_output=True, text=True, check=False)


def test_the_command_that_was_killed_goes_on_from_its_last_checkpoint(data, model, whole, tmp_path, capsys):
    run = tmp_path / "run"
    killed = in_a_process(command(model, data, run), FRAGILE="train:14:SIGKILL")
    assert killed.returncode == -signal.SIGKILL
    place = checkpoint(run)["resume"]["position"]
    assert place["step"] == 12  # the 14th step was never finished; checkpoints stand every three
    stop = in_a_process(command(model, data, run), FRAGILE="train:6:SIGTERM")
    assert stop.returncode == 143
    (sentence,) = [line for line in stop.stderr.splitlines() if line.startswith("e2egraph:")]
    assert "the same command goes on from there" in sentence
    assert "Traceback" not in stop.stderr
    assert main(command(model, data, run)[3:]) == 0
    assert "next: e2egraph evaluate" in capsys.readouterr().out
    assert_same_run(run, whole)


@pytest.mark.parametrize("damage", ["torn", "altered", "empty"])
def test_a_damaged_checkpoint_is_recognised_and_the_one_before_is_used(data, model, whole, run, capfd, damage):
    last = run / "checkpoints" / "last.ckpt"
    content = bytearray(last.read_bytes())
    place = len(content) // 2
    changed = bytes(content[:place]) + bytes([content[place] ^ 1]) + bytes(content[place + 1 :])
    last.write_bytes({"torn": content[:place], "altered": changed, "empty": b""}[damage])
    train(model, data, run, settings=SETTINGS, seed=5, progress=True)
    error = capfd.readouterr().err.replace("\n", " ")
    assert "last.ckpt is damaged" in error
    assert "goes on at epoch 2, batch 4" in error
    assert_same_run(run, whole)


def test_two_damaged_checkpoints_are_an_error_that_says_what_to_do(data, model, whole, run):
    for name in ("last", "previous"):
        (run / "checkpoints" / f"{name}.ckpt").write_bytes(b"PK")
    with pytest.raises(InputError, match="no checkpoint in it can be read; begin again with --restart"):
        train(model, data, run, settings=SETTINGS, seed=5, progress=False)
    train(model, data, run, settings=SETTINGS, seed=5, progress=False, restart=True)
    assert_same_run(run, whole)


def test_a_run_without_a_checkpoint_begins_again_and_says_so(data, model, whole, run, capfd):
    shutil.rmtree(run / "checkpoints")
    train(model, data, run, settings=SETTINGS, seed=5, progress=True)
    assert "holds an unfinished run: it begins again" in capfd.readouterr().err.replace("\n", " ")
    assert_same_run(run, whole)


def test_a_run_that_is_begun_again_keeps_nothing_of_the_old_one(data, model, run):
    train(model, data, run, settings=("training.epochs=1",), progress=False, restart=True)
    assert len(figures(run)) == 1
    assert load_run(run)[1].recipe.training.epochs == 1
    assert "resumed" not in json.loads((run / "environment.json").read_text())


def test_a_second_training_in_the_same_folder_is_refused(data, model, run):
    holder = (
        "import fcntl, sys, time; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True)"
        "; time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(run / "train.log")], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        try:
            with pytest.raises(InputError, match="another training is at work in it"):
                train(model, data, run, settings=SETTINGS, seed=5, progress=False)
        finally:
            other.kill()


def test_on_a_file_system_without_locks_a_training_goes_on_and_the_user_is_told(
    data, model, whole, run, monkeypatch, capfd
):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    train(model, data, run, settings=SETTINGS, seed=5)
    assert_same_run(run, whole)
    said = f"the file system of {run} has no locks; start no second training in this folder"
    assert said in (run / "train.log").read_text()
    assert "has no locks" in capfd.readouterr().err.replace("\n", " ")


def test_random_numbers_go_on_where_they_were():
    from e2egraph.training.runs.random_state import random_state, restore_random_state, seed_all

    def draw():
        import random

        return random.random(), np.random.normal(), torch.rand(3).tolist()  # noqa: NPY002

    seed_all(7)
    draw()
    state = random_state()
    expected = draw()
    seed_all(8)
    restore_random_state(state)
    assert draw() == expected
