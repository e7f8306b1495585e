"""Memory that is full: the advice given is followed, and the run goes on."""

import csv
import re

import pytest
import torch
import yaml

from e2egraph.errors import InputError
from e2egraph.training.train import train
from tests.training.fragile_model import run_out_of_memory
from tests.training.runs import assert_same_run, checkpoint, figures

SETTINGS = ("training.epochs=2", "training.batch_size=16", "training.checkpoint_steps=3", "data.pool_jets=64")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, data, model):
    output = tmp_path_factory.mktemp("runs") / "whole"
    train(model, data, output, settings=SETTINGS, progress=False)
    return output


def advice(monkeypatch, model, data, run, fault, pattern):
    """What a training says that runs out of memory where ``fault`` says."""
    monkeypatch.setenv("FRAGILE", fault)
    with pytest.raises(InputError, match=pattern) as error:
        train(model, data, run, settings=SETTINGS, progress=False)
    monkeypatch.delenv("FRAGILE")
    said = str(error.value)
    first, _, last = said.partition("goes on from the last checkpoint")
    assert "--restart" in last
    assert "--restart" not in first
    return re.findall(r"(?:training|data)\.\w+", first)


@pytest.mark.parametrize(
    ("where", "pattern"),
    [
        ("device", "out of memory on the device"),
        ("machine", "out of memory on the device"),
        ("python", "out of memory on the machine"),
    ],
)
def test_what_is_named_to_go_on_with_may_be_changed_and_the_steps_stay_the_same(
    data, model, whole, tmp_path, monkeypatch, where, pattern
):
    run = tmp_path / "run"
    named = advice(monkeypatch, model, data, run, f"train:8:{where}", pattern)
    assert {"training.accumulate", "data.evaluation_batch_size"} <= set(named)
    assert checkpoint(run)["resume"]["position"]["step"] == 6
    before = yaml.safe_load((run / "config.yaml").read_text())
    other = {"training.accumulate": 2, "data.evaluation_batch_size": 8, "data.prefetch_batches": 1}
    changed = [f"{name}={other[name]}" for name in named]
    train(model, data, run, settings=(*SETTINGS, *changed), progress=False)
    with (run / "metrics.csv").open() as stream, (whole / "metrics.csv").open() as reference:
        rows, expected = (list(csv.DictReader(file)) for file in (stream, reference))
    assert [row["epoch"] for row in rows] == [row["epoch"] for row in expected]
    log = (run / "train.log").read_text()
    assert "training.accumulate is 2 from here on, 1 before" in log
    assert "data.evaluation_batch_size is 8 from here on, 64 before" in log
    after = yaml.safe_load((run / "config.yaml").read_text())
    assert after["training"] == before["training"] | {"accumulate": 2}
    assert after["data"]["evaluation_batch_size"] == 8


def test_validation_that_runs_out_goes_on_with_smaller_batches_to_the_same_figures(
    data, model, whole, tmp_path, monkeypatch
):
    run = tmp_path / "run"
    assert "data.evaluation_batch_size" in advice(monkeypatch, model, data, run, "eval:1:device", "out of memory")
    train(model, data, run, settings=(*SETTINGS, "data.evaluation_batch_size=8"), progress=False)
    for row, expected in zip(figures(run), figures(whole), strict=True):
        assert row["training_loss"] == expected["training_loss"]
        assert float(row["validation_auc"]) == pytest.approx(float(expected["validation_auc"]), abs=1e-4)
        assert float(row["validation_loss"]) == pytest.approx(float(expected["validation_loss"]), rel=1e-4)


@pytest.mark.parametrize("where", ["device", "machine", "python"])
def test_memory_that_is_full_while_a_checkpoint_is_restored_does_not_cost_the_run(
    data, model, whole, tmp_path, monkeypatch, where
):
    run = tmp_path / "run"
    advice(monkeypatch, model, data, run, "train:8:device", "out of memory")
    with monkeypatch.context() as patch:
        patch.setattr(
            "e2egraph.training.steps.learner.Learner.load_state_dict", lambda learner, state: run_out_of_memory(where)
        )
        with pytest.raises(InputError, match=r"out of memory.*goes on from the last checkpoint"):
            train(model, data, run, settings=SETTINGS, progress=False)
    train(model, data, run, settings=SETTINGS, progress=False)
    assert_same_run(run, whole)


@pytest.mark.parametrize("damage", ["position", "rows", "processes"])
def test_a_checkpoint_without_one_of_its_parts_is_refused(data, model, tmp_path, monkeypatch, damage):
    run = tmp_path / "run"
    advice(monkeypatch, model, data, run, "train:8:device", "out of memory")
    content = checkpoint(run)
    del content["resume"][damage]
    torch.save(content, run / "checkpoints" / "last.ckpt")
    with pytest.raises(InputError, match="does not fit this version of the model; begin again with --restart"):
        train(model, data, run, settings=SETTINGS, progress=False)
