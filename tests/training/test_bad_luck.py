"""Losses that are not finite, full disks, folders that cannot be written."""

import errno
import json
import os
from pathlib import Path

import pytest
import torch

from e2egraph.data.table import read_table
from e2egraph.errors import InputError, UsageError
from e2egraph.training.steps.failures import explained
from e2egraph.training.train import train
from tests.training.fragile_model import write_fragile_model
from tests.training.runs import assert_same_run, checkpoint

SETTINGS = ("training.epochs=2", "training.batch_size=16", "training.checkpoint_steps=3", "data.pool_jets=64")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, data, model):
    output = tmp_path_factory.mktemp("runs") / "whole"
    train(model, data, output, settings=SETTINGS, progress=False)
    return output


def test_a_loss_that_is_not_finite_stops_at_once_and_names_the_jet(data, model, tmp_path, monkeypatch):
    monkeypatch.setenv("FRAGILE", "train:11:nan")
    run = tmp_path / "run"
    with pytest.raises(InputError, match=r"epoch 2, step 11 is not finite for 1 of 16 jets, first \d+ \(run") as error:
        train(model, data, run, settings=SETTINGS, progress=False)
    found = json.loads((run / "diverged.json").read_text())
    assert (found["epoch"], found["step"], len(found["jets"])) == (2, 11, 16)
    (wrong,) = [jet for jet in found["jets"] if jet["loss"] == "nan"]
    assert wrong == found["jets"][2]
    table = read_table(data)
    assert wrong["event"] == table.columns["event"][wrong["number"]]
    assert f"first {wrong['number']} (run {wrong['run']}, lumi {wrong['lumi']}, event {wrong['event']}" in str(
        error.value
    )
    kept = checkpoint(run)["resume"]
    assert kept["position"]["step"] == 9
    assert all(value.isfinite().all() for value in kept["learner"]["weights"].values())


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        (("data.training_jets=33",), ("--restart", "data.drop_remainder=true")),
        (("data.training_jets=32", "training.accumulate=16"), ("training.accumulate=8",)),
        (("training.batch_size=1",), ("--restart", "training.batch_size=16")),
    ],
)
def test_one_jet_alone_before_a_batch_norm_is_told_with_what_mends_it(data, tmp_path, settings, remedy):
    model, run = write_fragile_model(tmp_path, "FragileNorms"), tmp_path / "run"
    settings = (*SETTINGS, "training.epochs=1", *settings)
    with pytest.raises(InputError, match="a batch norm") as error:
        train(model, data, run, settings=settings, progress=False)
    for word in remedy:
        assert word.partition("=")[0] in str(error.value)
    settings = (*settings, *(word for word in remedy if "=" in word))
    assert train(model, data, run, settings=settings, restart="--restart" in remedy, progress=False).epochs == 1


def test_a_gradient_that_overflows_is_told_from_a_loss_that_does(data, model, tmp_path):
    settings = (*SETTINGS, "training.optimizer=sgd", "training.learning_rate=1e30")
    with pytest.raises(InputError, match=r"training diverged: .*lower training\.learning_rate"):
        train(model, data, tmp_path / "run", settings=settings, progress=False)
    assert not (tmp_path / "run" / "summary.json").exists()


@pytest.mark.parametrize(("write", "name"), [(2, "last"), (4, "best"), (5, "last")])
def test_a_full_disk_keeps_the_checkpoint_before_and_the_run_goes_on(
    data, model, whole, tmp_path, monkeypatch, write, name
):
    run, flush, flushed = tmp_path / "run", os.fsync, []

    def full(file):
        if ".ckpt." in Path(f"/proc/self/fd/{file}").readlink().name:
            flushed.append(file)
            if len(flushed) == write:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(file)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=rf"{name}\.ckpt: cannot be written \(No space left on device\).*make room"):
        train(model, data, run, settings=(*SETTINGS, "training.loggers=[]"), progress=False)
    monkeypatch.undo()
    assert not list(run.rglob("*.partial"))
    assert checkpoint(run)["resume"]["position"]["step"] > 0
    (run / "checkpoints" / "last.ckpt.123.partial").write_bytes(b"half")  # as a killed process leaves it
    train(model, data, run, settings=SETTINGS, progress=False)
    assert_same_run(run, whole)
    assert not list(run.rglob("*.partial"))


def test_a_disk_that_is_full_for_the_figures_is_named_too(data, model, whole, tmp_path, monkeypatch):
    def full(path, rows):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("e2egraph.training.steps.loop.write_rows", full)
    with pytest.raises(InputError, match=r"metrics\.csv: cannot be written \(No space left"):
        train(model, data, tmp_path / "run", settings=SETTINGS, progress=False)
    monkeypatch.undo()
    train(model, data, tmp_path / "run", settings=SETTINGS, progress=False)
    assert_same_run(tmp_path / "run", whole)


@pytest.mark.parametrize("folder", ["/proc/runs/one", "/dev/null/one"])
def test_a_folder_that_cannot_be_written_is_named(data, model, folder):
    with pytest.raises(InputError, match=f"{folder}: cannot be written"):
        train(model, data, Path(folder), settings=SETTINGS, progress=False)


@pytest.mark.parametrize(
    ("known", "needs"),
    [
        ([], "wandb and lightning; pip install wandb lightning, or"),
        (["wandb"], "lightning; pip install lightning, or"),
        (["lightning"], "wandb; pip install wandb, or"),
    ],
)
def test_what_a_logger_needs_is_named_before_anything_is_written(data, model, tmp_path, monkeypatch, known, needs):
    installed = {"tensorboardX", *known}
    monkeypatch.setattr("e2egraph.training.runs.loggers.find_spec", lambda name: name if name in installed else None)
    with pytest.raises(UsageError, match=f"'wandb' needs {needs}"):
        train(model, data, tmp_path / "run", settings=("training.loggers=[wandb]",), progress=False)
    assert not (tmp_path / "run").exists()


def test_a_parameter_without_gradient_is_named_where_processes_take_the_mean(tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    try:
        network = torch.nn.ModuleDict({"used": torch.nn.Linear(2, 2), "unused": torch.nn.Linear(2, 2)})
        network.forward = lambda x: network["used"](x)
        together = torch.nn.parallel.DistributedDataParallel(network)
        with pytest.raises(UsageError, match="parameters that its output does not depend on"), explained(tmp_path):
            for _ in range(2):
                together(torch.ones(3, 2)).sum().backward()
    finally:
        torch.distributed.destroy_process_group()
