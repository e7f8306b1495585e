import csv
import json
from functools import partial

import numpy as np
import pytest
import torch
import yaml
from sklearn.metrics import roc_auc_score

from e2egraph.data.loading.loader import evaluation_loader
from e2egraph.data.table import read_table
from e2egraph.errors import InputError, UsageError
from e2egraph.training.runs.load import load_run
from e2egraph.training.train import train
from tests.toy_dataset import write_toy_dataset
from tests.training.fragile_model import write_fragile_model
from tests.training.runs import assert_same_run
from tests.training.tiny_model import write_tiny_model

FAST = ("training.epochs=4", "training.batch_size=16", "training.learning_rate=0.01", "data.pool_jets=64")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_toy_dataset(tmp_path_factory.mktemp("toy") / "data", 300, nodes=(0, 40))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory, data, model):
    output = tmp_path_factory.mktemp("runs") / "new" / "run"
    return output, train(model, data, output, settings=FAST, seed=3, progress=False)


def weights(run, checkpoint):
    return load_run(run, checkpoint)[0].state_dict()


def rows(run):
    with (run / "metrics.csv").open() as stream:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(stream)]


def test_training_learns_to_tell_the_classes_apart(finished):
    output, summary = finished
    history = rows(output)
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert history[-1]["training_loss"] < 0.8 * history[0]["training_loss"]
    assert history[-1]["training_auc"] > history[0]["training_auc"]
    assert summary.validation["auc"] == max(row["validation_auc"] for row in history) > 0.85


def test_the_run_folder_holds_everything_and_no_half_written_file(finished):
    output, summary = finished
    names = {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}
    events = {name for name in names if name.startswith("tensorboard/events.out.tfevents.")}
    assert len(events) == 1
    patches = {name for name in names if name.startswith("code-")}  # of a checkout with changes
    assert names - events - patches == {
        "config.yaml",
        "environment.json",
        "metrics.csv",
        "summary.json",
        "train.log",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
    }
    assert json.loads((output / "summary.json").read_text()) == summary.content()
    assert list(summary.content()) == [
        *("output", "model", "parameters", "training_jets", "validation_jets", "epochs", "best_epoch"),
        *("validation_auc", "validation_loss", "jets_per_second", "data_wait_share", "seconds", "device", "processes"),
    ]
    assert summary.parameters == sum(p.numel() for p in load_run(output)[0].parameters())
    assert summary.jets_per_second > 0
    assert 0 <= summary.data_wait_share <= 1


def test_the_configuration_is_written_resolved_and_read_back(finished, data):
    output, _ = finished
    content = yaml.safe_load((output / "config.yaml").read_text())
    assert content["training"]["learning_rate"] == 0.01
    assert content["training"]["optimizer"] == "adam"
    assert content["model"]["options"] == {"width": 16}
    assert content["data_set"]["digest"] == read_table(data).manifest.digest
    info = load_run(output)[1]
    assert (info.seed, info.model.name) == (3, "tiny")
    assert (info.objective.class_names, info.objective.signal) == (("qcd", "top"), "top")
    assert info.inputs == read_table(data).manifest.network_inputs
    assert info.recipe.training.epochs == 4


def test_the_kept_weights_give_the_validation_auc_they_were_kept_for(finished, data):
    output, summary = finished
    table = read_table(data)
    network, info = load_run(output)
    label, score = [], []
    with torch.no_grad():
        for batch in evaluation_loader(table, info.recipe.data, "validation"):
            label.append(batch.label)
            score.append(network(*batch.inputs).softmax(1)[:, 1])
    assert roc_auc_score(torch.cat(label) == 1, torch.cat(score)) == pytest.approx(summary.validation["auc"])


def test_the_same_seed_gives_bitwise_the_same_weights_and_another_seed_others(finished, data, model, tmp_path):
    output, _ = finished
    again, other = tmp_path / "again", tmp_path / "other"
    train(model, data, again, settings=FAST, seed=3, progress=False)
    train(model, data, other, settings=FAST, seed=4, progress=False)
    for checkpoint in ("best", "last"):
        reference = weights(output, checkpoint)
        for name, value in weights(again, checkpoint).items():
            assert torch.equal(value, reference[name]), name
        assert not all(torch.equal(v, reference[n]) for n, v in weights(other, checkpoint).items())


@pytest.mark.parametrize("name", ["gravnet", "resnet15"])
def test_the_projects_own_networks_train_reproducibly(name, tmp_path):
    data = write_toy_dataset(tmp_path / "data", 40, nodes=(0, 30))
    for run in ("one", "two"):
        train(name, data, tmp_path / run, settings=("training.epochs=1", "training.batch_size=8"), progress=False)
    first, second = weights(tmp_path / "one", "last"), weights(tmp_path / "two", "last")
    assert all(torch.equal(value, second[key]) for key, value in first.items())


def test_torchs_global_settings_are_as_before(finished):
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory


def test_every_option_of_the_recipe_can_be_trained_with(data, model, tmp_path):
    settings = (
        "training.epochs=2",
        "training.optimizer=adamw",
        "training.weight_decay=0.01",
        "training.schedule=cosine",
        "training.gradient_clip=1.0",
        "training.reflect_eta=true",
        "training.reflect_phi=true",
        "training.class_weights=balanced",
        "training.precision=bf16-mixed",
        "training.warmup_epochs=0.5",
        "training.label_smoothing=0.1",
        "training.ema_decay=0.9",
        "training.accumulate=3",
        "training.patience=2",
        "training.checkpoint_steps=5",
        "training.deterministic=false",
        "data.nodes.cap=10",
        "data.drop_remainder=true",
        "model.options.width=8",
    )
    summary = train(model, data, tmp_path / "run", settings=settings, progress=False)
    network, info = load_run(tmp_path / "run")
    assert summary.epochs == 2
    assert network.node.out_features == 8
    assert info.cap == 10


def test_the_learning_rate_follows_the_schedule(data, model, tmp_path):
    settings = (*FAST[1:], "training.epochs=3", "training.step_epochs=1", "training.step_factor=0.1")
    train(model, data, tmp_path / "run", settings=settings, progress=False)
    np.testing.assert_allclose([row["learning_rate"] for row in rows(tmp_path / "run")], [1e-2, 1e-3, 1e-4])


def test_progress_goes_to_standard_error_one_line_an_epoch(data, model, tmp_path, capfd):
    train(model, data, tmp_path / "run", settings=("training.epochs=2",), progress=True)
    captured = capfd.readouterr()
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if line.startswith("tiny: epoch")]
    assert len(lines) == 2
    assert "validation AUC" in lines[0]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"settings": ("training.epoch=5",)}, UsageError, "unknown key 'training.epoch'"),
        ({"settings": ("training.epochs=0",)}, UsageError, "training.epochs"),
        ({"settings": ("epochs=5",)}, UsageError, "unknown group 'epochs'; write GROUP.KEY=VALUE"),
        ({"settings": ("objective.signal=qcd",)}, UsageError, "objective.signal cannot be set in training"),
        ({"settings": ("optimiser.lr=5",)}, UsageError, "unknown group 'optimiser'"),
        ({"settings": ("model.options.depth=5",)}, UsageError, "unknown key 'depth'"),
        ({"model": "gravnett"}, UsageError, "unknown model 'gravnett'"),
        ({"recipe": "mine"}, UsageError, "unknown recipe 'mine'"),
        ({"seed": -1}, UsageError, "--seed -1"),
        (
            {"settings": ("training.step_factor=0.1",), "recipe": "modern"},
            UsageError,
            "training.step_factor=0.1: changes nothing without training.schedule=step; add that, or leave it out",
        ),
    ],
)
def test_wrong_usage_is_named_and_leaves_nothing_behind(data, model, tmp_path, changes, error, message):
    arguments = {"model": model, "data": data, "output": tmp_path / "run", "progress": False} | changes
    with pytest.raises(error, match=message):
        train(**arguments)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ({"split_fractions": (1, 0, 0)}, "no jets in split 'validation'"),
        ({"classes": ("top",)}, "only class 'top'"),
        ({"jets": 2, "shards_per_class": 1, "split_fractions": (0, 1, 0)}, "no jets in split 'train'"),
    ],
)
def test_a_data_set_that_cannot_be_trained_on_is_refused(tmp_path, model, dataset, message):
    data = write_toy_dataset(tmp_path / "data", **({"jets": 40} | dataset))
    with pytest.raises(InputError, match=message):
        train(model, data, tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_a_split_without_signal_is_refused(tmp_path, model):
    data = write_toy_dataset(tmp_path / "data", 40, signal="bottom", classes=("qcd", "top", "bottom"))
    manifest = json.loads((data / "manifest.json").read_text())
    manifest["shards"] = [shard for shard in manifest["shards"] if shard["sample"] != "bottom"]
    (data / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="no signal jets in split 'train'"):
        train(model, data, tmp_path / "run", progress=False)


def test_finished_runs_and_foreign_folders_are_left_alone(finished, data, model, tmp_path):
    output, _ = finished
    with pytest.raises(InputError, match="already holds a finished run"):
        train(model, data, output, settings=FAST, progress=False)
    foreign = tmp_path / "thesis"
    foreign.mkdir()
    (foreign / "chapter.tex").write_text("…")
    with pytest.raises(InputError, match="holds other files and is no run"):
        train(model, data, foreign, settings=FAST, progress=False)
    assert [path.name for path in foreign.iterdir()] == ["chapter.tex"]
    with pytest.raises(InputError, match="a file is in the way"):
        train(model, data, foreign / "chapter.tex", settings=FAST, progress=False)


def test_training_that_diverges_says_what_to_do(data, model, tmp_path):
    settings = ("training.epochs=3", "training.learning_rate=1e30", "training.optimizer=sgd", "training.batch_size=8")
    with pytest.raises(InputError, match=r"training diverged.*lower training\.learning_rate"):
        train(model, data, tmp_path / "run", settings=settings, progress=False)
    assert not (tmp_path / "run" / "summary.json").exists()


def test_a_validation_loss_that_is_not_finite_names_the_jet(data, tmp_path, monkeypatch):
    monkeypatch.setenv("FRAGILE", "eval:3:nan")
    run, settings = tmp_path / "run", (*FAST, "data.evaluation_batch_size=32")
    table = read_table(data)
    # Two batches an epoch, so that the third call is the second epoch's first batch.
    assert 32 < len(table.jets_of("validation")) <= 64
    where = r"epoch 2, validation, is not finite for 1 of 32 jets, first \d+ \(run 1, lumi \d, event \d+"
    with pytest.raises(InputError, match=rf"training diverged: the loss at {where}.*diverged\.json") as error:
        train(write_fragile_model(tmp_path), data, run, settings=settings, progress=False)
    found = json.loads((run / "diverged.json").read_text())
    assert (found["epoch"], found["step"], len(found["jets"])) == (2, None, 32)
    (wrong,) = [jet for jet in found["jets"] if jet["loss"] == "nan"]
    assert wrong == found["jets"][2]
    assert wrong["number"] in table.jets_of("validation")
    assert f"first {wrong['number']} (run 1, lumi {wrong['lumi']}, event {wrong['event']}" in str(error.value)


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize("weight", [np.nan, np.inf, -1.0])
def test_jet_weights_that_no_loss_can_be_made_of_are_named_before_anything_is_written(
    data, model, tmp_path, monkeypatch, split, weight
):
    table = read_table(data)
    jet = table.jets_of(split)[7]
    table.columns["weight"] = table.columns["weight"].copy()
    table.columns["weight"][jet] = weight
    monkeypatch.setattr("e2egraph.training.datamodule.read_table", lambda folder, extra: table)
    event = table.columns["event"][jet]
    with pytest.raises(InputError, match=rf"1 jet of split '{split}' with a weight.*event {event}, jet 0 \({weight}\)"):
        train(model, data, tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize(("label", "said"), [(0, "background jets"), (1, "signal jets"), (None, "")])
def test_a_class_whose_weights_are_all_zero_is_refused_before_anything_is_written(
    data, model, tmp_path, monkeypatch, split, label, said
):
    table = read_table(data)
    jets = table.jets_of(split)
    of_class = jets if label is None else jets[table.columns["label"][jets] == label]
    table.columns["weight"] = table.columns["weight"].copy()
    table.columns["weight"][of_class] = 0.0
    monkeypatch.setattr("e2egraph.training.datamodule.read_table", lambda folder, extra: table)
    message = rf"the weights of all {said} in split '{split}' are zero" if said else rf"all weights of split '{split}'"
    with pytest.raises(InputError, match=message):
        train(model, data, tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_what_on_epoch_raises_passes_through_and_leaves_a_run_that_can_go_on(data, model, finished, tmp_path):
    class EnoughError(Exception):
        pass

    seen = []

    def second(row):
        seen.append(row)
        if row.epoch == 2:
            raise EnoughError

    run = tmp_path / "run"
    with pytest.raises(EnoughError):
        train(model, data, run, settings=FAST, seed=3, progress=False, on_epoch=second)
    assert [row.epoch for row in seen] == [1, 2]
    assert not (run / "summary.json").exists()
    train(model, data, run, settings=FAST, seed=3, progress=False)
    assert_same_run(run, finished[0])


def test_jets_that_are_left_out_are_counted_once_on_the_terminal_and_in_the_log(data, model, tmp_path, capfd):
    settings = ("training.epochs=2", "training.batch_size=50", "data.drop_remainder=true")
    summary = train(model, data, tmp_path / "run", settings=settings)
    sentence = f"each epoch leaves out {summary.training_jets % 50} jets"
    assert capfd.readouterr().err.count(sentence) == 1
    assert (tmp_path / "run" / "train.log").read_text().count(sentence) == 1


def test_a_class_without_training_jets_is_told_on_the_terminal_and_in_the_log(model, tmp_path, monkeypatch, capfd):
    folder = write_toy_dataset(tmp_path / "data", 300, nodes=(1, 5), classes=("qcd", "top", "w"))
    table = read_table(folder)
    told = "no training jets of class 'w' (with weight): it is not learnt"
    for run, absent in (("with", False), ("without", True)):
        if absent:
            table.columns["weight"] = np.where(table.columns["label"] == 2, 0.0, table.columns["weight"])
            monkeypatch.setattr("e2egraph.training.datamodule.read_table", lambda folder, extra: table)
        train(model, folder, tmp_path / run, settings=("training.epochs=1",))
        assert (told in (tmp_path / run / "train.log").read_text()) == absent
        assert (told in capfd.readouterr().err.replace("\n", " ")) == absent


def test_early_stopping_ends_the_run_after_so_many_epochs_without_a_better_one(data, model, tmp_path):
    # Nothing can improve: the weights hardly move.
    settings = ("training.epochs=9", "training.learning_rate=1e-12", "training.patience=2")
    summary = train(model, data, tmp_path / "run", settings=settings, progress=False)
    assert summary.epochs - summary.best_epoch == 2
    assert summary.epochs < 9


def test_the_modern_recipe_trains_and_keeps_the_averaged_weights(data, model, tmp_path):
    settings = ("training.epochs=3", "training.batch_size=16", "training.learning_rate=0.02", "training.ema_decay=0.95")
    summary = train(model, data, tmp_path / "run", recipe="modern", settings=settings, progress=False)
    assert summary.validation["auc"] > 0.8
    last = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    learner = last["resume"]["learner"]
    kept = weights(tmp_path / "run", "last")
    assert all(torch.equal(kept[name], value) for name, value in learner["average"]["weights"].items())
    assert not any(torch.equal(kept[name], learner["weights"][name]) for name in ("node.weight", "head.0.weight"))


def test_a_compiled_network_learns_what_the_plain_one_does(data, model, finished, tmp_path, monkeypatch):
    # Captured as in a real training, run without the minute that generating C++ takes.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    settings = (*FAST, "training.epochs=1", "training.compile=true")
    train(model, data, tmp_path / "run", settings=settings, seed=3, progress=False)
    assert rows(tmp_path / "run")[0]["training_loss"] == pytest.approx(rows(finished[0])[0]["training_loss"], rel=1e-4)
    assert weights(tmp_path / "run", "last").keys() == weights(finished[0], "last").keys()


def test_environment_and_code_say_how_to_repeat_the_run(finished):
    environment = json.loads((finished[0] / "environment.json").read_text())
    assert environment["command"]
    assert environment["packages"]["torch"] == torch.__version__
    assert {"commit", "modified"} <= environment["code"].keys()
