"""Under which other settings, versions and circumstances a run goes on, and which are refused."""

from dataclasses import replace

import pytest
import torch
import yaml

from e2egraph.config import digest
from e2egraph.errors import InputError
from e2egraph.models.registry import complete
from e2egraph.training.runs.changes import changes_since
from e2egraph.training.runs.checkpoint import write_checkpoint
from e2egraph.training.runs.environment import describe_environment
from e2egraph.training.runs.resume import RunIdentity, other_setting
from e2egraph.training.runs.run_folder import read_run
from e2egraph.training.train import train
from tests.toy_dataset import write_toy_dataset
from tests.training.interrupted_runs import SETTINGS, interrupted, run, stopped, whole
from tests.training.runs import assert_same_run, checkpoint, figures

__all__ = ["interrupted", "run", "whole"]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        (
            {"settings": (*SETTINGS, "training.learning_rate=0.02")},
            r"training\.learning_rate \(0\.01 there, 0\.02 now\)",
        ),
        ({"settings": (*SETTINGS, "data.nodes.cap=5")}, r"data\.nodes\.cap"),
        ({"settings": (*SETTINGS, "model.options.width=8")}, r"model\.options\.width"),
        ({"seed": 6}, r"--seed \(5 there, 6 now\)"),
    ],
)
def test_an_unfinished_run_of_other_settings_is_refused_and_left_alone(data, model, run, changes, name):
    content = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=rf"another {name}.*--restart"):
        train(model, data, run, **({"settings": SETTINGS, "seed": 5, "progress": False} | changes))
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == content


def test_options_that_came_after_a_run_was_made_are_what_they_are_by_default(run):
    info = read_run(run)
    now = RunIdentity.of(info)
    options = {name: value for name, value in info.model.options.items() if name != "width"}
    older = replace(info, model=replace(info.model, options=options))
    default = complete(older.model, "model").options["width"]
    wider = replace(now, model=replace(now.model, options=now.model.options | {"width": default + 1}))
    same = replace(now, model=replace(now.model, options=now.model.options | {"width": default}))
    assert other_setting(older, same) == ""
    assert other_setting(older, wider) == f"model.options.width ({default} there, {default + 1} now)"


@pytest.mark.parametrize("records", ["settings", "the digest alone"])
def test_a_run_stopped_before_a_version_that_has_further_settings_goes_on_with_it(data, model, whole, run, records):
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["training"].pop("rotate_phi")
    config["data"].pop("batch_nodes")
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    for path in (run / "checkpoints").iterdir():
        content = torch.load(path, weights_only=True)
        settings = content.pop("settings")
        then = {name: settings[name] for name in settings if name not in ("training.rotate_phi", "data.batch_nodes")}
        content["identity"] = digest(then)
        torch.save(content | ({"settings": then} if records == "settings" else {}), path)
    train(model, data, run, settings=SETTINGS, seed=5, progress=False)
    assert_same_run(run, whole)


def test_a_data_set_changed_since_the_checkpoint_is_refused(model, run, tmp_path):
    other = write_toy_dataset(tmp_path / "other", 200, seed=9, nodes=(0, 20))
    with pytest.raises(InputError, match="another data set"):
        train(model, other, run, settings=SETTINGS, seed=5, progress=False)


def test_a_run_may_go_on_under_other_circumstances(data, model, whole, run):
    settings = (*SETTINGS, "training.checkpoint_steps=100", "training.loggers=[]")
    train(model, data, run, settings=settings, seed=5, progress=False)
    assert figures(run) == figures(whole)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"format": 99}, r"made by another version \(format 99, not 1\)"),
        ({"state_dict": {}, "resume": {}}, r"made by another version \(format not given, not 1\)"),
        ({"format": 1, "state_dict": {}}, "could not go on"),
        ({"format": 1, "resume": {}, "identity": "another"}, "belongs to another run"),
        ({"format": 1, "resume": {}, "settings": {"training.batch_size": 17}}, "belongs to another run"),
    ],
)
def test_checkpoints_of_other_versions_and_runs_are_refused(data, model, run, content, message):
    torch.save(content, run / "checkpoints" / "last.ckpt")
    with pytest.raises(InputError, match=message):
        train(model, data, run, settings=SETTINGS, seed=5, progress=False)


def test_a_checkpoint_that_does_not_fit_the_network_is_refused(data, model, run):
    path = run / "checkpoints" / "last.ckpt"
    content = torch.load(path, weights_only=True)
    content["resume"]["learner"]["weights"].popitem()
    torch.save(content, path)
    with pytest.raises(InputError, match="does not fit this version of the model"):
        train(model, data, run, settings=SETTINGS, seed=5, progress=False)


def test_a_run_that_goes_on_elsewhere_says_what_differs(data, model, run, capfd, monkeypatch):
    def elsewhere():
        found = describe_environment()
        found["packages"] = found["packages"] | {"torch": "9.0"}
        found["machine"] = found["machine"] | {"torch_threads": 77, "host": "another"}
        found["command"] = "another"
        return found

    threads = describe_environment()["machine"]["torch_threads"]
    monkeypatch.setattr("e2egraph.training.runs.environment.describe_environment", elsewhere)
    train(model, data, run, settings=SETTINGS, seed=5, progress=True)
    remarks = [line for line in (run / "train.log").read_text().splitlines() if "not to the same bits" in line]
    assert len(remarks) == 1
    assert f"torch 9.0, before {torch.__version__}; torch_threads 77, before {threads}" in remarks[0]
    assert "another" not in remarks[0]
    assert capfd.readouterr().err.replace("\n", " ").count("not to the same bits") == 1


def test_another_number_of_processes_is_among_what_differs(run):
    assert changes_since(run, 1, 1) == []
    assert changes_since(run, 4, 2) == ["processes 2, before 4"]


def test_within_an_epoch_of_batches_split_for_other_processes_a_run_does_not_go_on(data, model, tmp_path, monkeypatch):
    run, settings = tmp_path / "run", (*SETTINGS, "data.batch_nodes=60")
    stopped(monkeypatch, model, data, run, "train:5:SIGTERM", settings)
    content = checkpoint(run)
    content["resume"]["processes"] *= 8
    write_checkpoint(run / "checkpoints" / "last.ckpt", content)
    with pytest.raises(InputError, match=r"of 8 processes, for whom data.batch_nodes .* for 1; go on with 8, or begin"):
        train(model, data, run, settings=settings, seed=5, progress=False)
