"""Whole trainings of quantities, and of a class and a quantity together; and what cannot be learnt from."""

import csv
import json
from contextlib import nullcontext

import numpy as np
import pytest
import torch
import yaml
from sklearn.metrics import roc_auc_score

from e2egraph.cli import main
from e2egraph.data.scores import read_scores
from e2egraph.data.table import read_table
from e2egraph.errors import InputError, UsageError
from e2egraph.evaluation.evaluate import evaluate
from e2egraph.evaluation.predictions import predict_run
from e2egraph.training.objectives.learning import check_settings, make_learning
from e2egraph.training.runs.load import load_run
from e2egraph.training.train import train
from tests.changed_dataset import with_more, with_other_numbers
from tests.toy_dataset import write_toy_dataset
from tests.training.jet_model import write_jet_model
from tests.training.runs import assert_same_run

CLASSES = ["qcd", "top"]
MASS = {"name": "gen_mass", "unit": "GeV", "offset": 120.0, "scale": 60.0}
PT = {"name": "gen_pt", "unit": "GeV", "offset": 550.0, "scale": 100.0}
REGRESSION = {"kind": "regression", "classes": CLASSES, "targets": [MASS, PT], "loss": "huber"}
CLASSIFICATION = {"kind": "classification", "classes": CLASSES, "signal": "top"}
JOINT = {
    "kind": "joint",
    "heads": [CLASSIFICATION, REGRESSION | {"targets": [MASS]}],
    "only": {"regression": ["top"]},
}
SETTINGS = (
    "training.epochs=12",
    "training.batch_size=16",
    "training.learning_rate=0.02",
    "training.step_epochs=4",
    "training.ema_decay=0.9",
    "data.pool_jets=64",
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_jet_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, model):
    """Data sets and runs of both objectives."""
    folder = tmp_path_factory.mktemp("objectives")
    for name, objective in (("regression", REGRESSION), ("joint", JOINT)):
        write_toy_dataset(folder / f"{name}-data", 400, nodes=(1, 5), objective=objective)
        train(model, folder / f"{name}-data", folder / name, settings=SETTINGS, progress=False)
    return folder


def summary(run):
    return json.loads((run / "summary.json").read_text())


def rows(run):
    with (run / "metrics.csv").open() as stream:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(stream)]


def spread(table, target, numbers):
    """Mean absolute deviation from the median: the best that a constant can do."""
    values = table.columns[f"target_{target}"][numbers]
    return np.abs(values - np.median(values)).mean()


def test_quantities_are_learnt_to_well_below_their_spread(folder):
    table = read_table(folder / "regression-data", ("target_gen_mass", "target_gen_pt"))
    validation = table.jets_of("validation")
    found, history = summary(folder / "regression"), rows(folder / "regression")
    assert found["validation_mae"] < 0.15 * spread(table, "gen_mass", validation)
    assert found["validation_mae_gen_pt"] < 0.15 * spread(table, "gen_pt", validation)
    best = min(history, key=lambda row: row["validation_mae"])
    assert found["best_epoch"] == best["epoch"]
    assert found["validation_mae"] == best["validation_mae"]
    assert history[0]["training_mae"] > 2 * history[-1]["training_mae"]


def test_a_regression_begins_with_predictions_near_the_offset(folder, model, tmp_path):
    settings = (*SETTINGS, "training.epochs=1", "training.learning_rate=1e-12")
    train(model, folder / "regression-data", tmp_path / "run", settings=settings, progress=False)
    table = read_table(folder / "regression-data", ("target_gen_mass",))
    mass = table.columns["target_gen_mass"][table.jets_of("validation")]
    found = summary(tmp_path / "run")["validation_mae"]
    assert found == pytest.approx(np.abs(mass - MASS["offset"]).mean(), abs=0.5 * MASS["scale"])


def test_predictions_are_in_the_unit_of_the_target_and_stand_next_to_it(folder, tmp_path):
    data, run = folder / "regression-data", folder / "regression"
    assert len(predict_run(run, data, tmp_path / "scores.parquet", "validation")) > 0
    scores = read_scores(tmp_path / "scores.parquet")
    assert scores.columns == ("predicted_gen_mass", "predicted_gen_pt")
    assert (scores.targets, scores.classes) == (("gen_mass", "gen_pt"), ())
    errors = np.abs(scores.predictions - np.stack([scores.jets[f"target_{name}"] for name in scores.targets], axis=1))
    assert errors.mean(axis=0) == pytest.approx(
        [summary(run)["validation_mae"], summary(run)["validation_mae_gen_pt"]], rel=1e-4
    )


def test_scores_never_take_the_place_of_the_data_or_the_run(folder):
    data, run = folder / "regression-data", folder / "regression"
    for path in (data / "manifest.json", next(data.glob("*.parquet")), run / "config.yaml"):
        with pytest.raises(InputError, match="is to be read too"):
            predict_run(run, data, path)
        assert path.stat().st_size > 0


def test_a_quantity_is_predicted_for_a_data_set_that_does_not_have_it(folder, tmp_path):
    data = write_toy_dataset(tmp_path / "data", 40, nodes=(0, 5), classes=("z", "w"), signal="w")
    assert len(predict_run(folder / "regression", data, tmp_path / "scores.parquet")) == 40
    scores = read_scores(tmp_path / "scores.parquet")
    assert scores.predictions.shape == (40, 2)
    assert not [name for name in scores.jets if name.startswith("target_")]
    with pytest.raises(InputError, match=r"its classes are z, w, those of .*joint qcd, top"):
        predict_run(folder / "joint", data, tmp_path / "scores.parquet")


def test_inputs_of_a_data_set_are_found_by_their_names(folder, tmp_path):
    run, data = folder / "joint", folder / "joint-data"
    more = with_more(data, tmp_path / "more")
    renumbered = with_other_numbers(data, tmp_path / "renumbered")
    for name, one in (("own", data), ("more", more), ("renumbered", renumbered)):
        predict_run(run, one, tmp_path / f"{name}.parquet")
    own = read_scores(tmp_path / "own.parquet").values
    for name in ("more", "renumbered"):
        np.testing.assert_array_equal(read_scores(tmp_path / f"{name}.parquet").values, own)


def test_an_evaluation_reads_another_data_set_by_name(folder, tmp_path):
    more = with_more(folder / "joint-data", tmp_path / "more")
    own = evaluate(folder / "joint", output=tmp_path / "own", plots=False)
    other = evaluate(folder / "joint", more, tmp_path / "other")
    assert own.line == other.line
    assert (tmp_path / "other" / "report.html").is_file()


def test_a_data_set_without_what_a_run_reads_is_refused(folder, tmp_path):
    data = write_toy_dataset(tmp_path / "data", 40, nodes=(0, 5))
    path = data / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["network_inputs"]["channels"].pop()
    manifest["configuration"]["inputs"]["channels"].pop()
    path.write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"has no nodes of channel HCAL, which .*joint reads; build it with the same"):
        predict_run(folder / "joint", data, tmp_path / "scores.parquet")


def test_a_class_and_a_quantity_are_learnt_together(folder, tmp_path):
    found, run = summary(folder / "joint"), folder / "joint"
    table = read_table(folder / "joint-data", ("target_gen_mass",))
    validation = table.jets_of("validation")
    tops = validation[table.columns["label"][validation] == 1]
    assert found["validation_auc"] > 0.9
    assert rows(run)[-1]["validation_mae"] < 0.5 * spread(table, "gen_mass", tops)
    assert found["best_epoch"] == max(rows(run), key=lambda row: row["validation_auc"])["epoch"]
    predict_run(run, folder / "joint-data", tmp_path / "scores.parquet", "validation")
    scores = read_scores(tmp_path / "scores.parquet")
    assert (scores.classes, scores.targets) == (("qcd", "top"), ("gen_mass",))
    is_top = scores.jets["label"] == 1
    assert roc_auc_score(is_top, scores.probabilities[:, 1]) == pytest.approx(found["validation_auc"])
    errors = np.abs(scores.predictions[:, 0] - scores.jets["target_gen_mass"])[is_top]
    assert errors.mean() == pytest.approx(found["validation_mae"], rel=1e-4)


def test_a_run_says_what_was_learnt_and_from_what(folder):
    network, info = load_run(folder / "regression")
    manifest = read_table(folder / "regression-data").manifest
    assert info.objective == manifest.objective
    assert info.inputs == manifest.network_inputs
    assert info.outputs.size == 2
    assert info.cap == manifest.configuration["inputs"]["cap"]
    assert network.physical_scale.tolist() == [60.0, 100.0]
    kept = torch.load(folder / "regression" / "checkpoints" / "best.ckpt", weights_only=True)
    assert kept["validation_mae"] == summary(folder / "regression")["validation_mae"]


def test_a_stopped_regression_goes_on_to_the_same_bits(folder, model, tmp_path):
    class KilledError(Exception):
        pass

    def kill(row):
        if row.epoch == 5:
            raise KilledError

    run = tmp_path / "run"
    with pytest.raises(KilledError):
        train(model, folder / "joint-data", run, settings=SETTINGS, progress=False, on_epoch=kill)
    train(model, folder / "joint-data", run, settings=SETTINGS, progress=False)
    assert_same_run(run, folder / "joint")


def test_the_command_tells_the_error_in_its_unit(folder, model, tmp_path, capsys):
    words = ["train", "--model", model, "--data", str(folder / "regression-data"), "--output", str(tmp_path / "run")]
    assert main([*words, "--set", "training.epochs=2"]) == 0
    captured = capsys.readouterr()
    mae = summary(tmp_path / "run")["validation_mae"]
    assert f"validation mean absolute error of gen_mass {mae:.4g} GeV at epoch" in captured.out
    lines = [line for line in captured.err.splitlines() if line.startswith("jets: epoch")]
    assert len(lines) == 2
    assert all("validation mean absolute error of gen_mass" in line for line in lines)
    assert "AUC" not in captured.err + captured.out + (tmp_path / "run" / "train.log").read_text()


def test_a_search_looks_for_the_lowest_error(folder, model, tmp_path, capsys):
    space = tmp_path / "space.yaml"
    space.write_text("training.learning_rate: {low: 1e-4, high: 3e-2, log: true}")
    words = ["--model", model, "--data", folder / "regression-data", "--space", space, "--output", tmp_path / "search"]
    settings = ["--set", "training.epochs=2", "--set", "training.batch_size=16"]
    assert main(["tune", *map(str, words), *settings, "--trials", "4"]) == 0
    with (tmp_path / "search" / "trials.csv").open() as stream:
        errors = [float(row["validation_mae"]) for row in csv.DictReader(stream)]
    best = yaml.safe_load((tmp_path / "search" / "best.yaml").read_text())
    assert best["validation_mae"] == min(errors) < max(errors)
    assert best["trial"] == errors.index(min(errors))
    assert f"best validation mean absolute error of gen_mass {min(errors):.4g} GeV" in capsys.readouterr().out
    assert (tmp_path / "search" / "importance.png").is_file()


def test_one_class_is_enough_to_learn_a_quantity(model, tmp_path):
    objective = REGRESSION | {"classes": ["qcd"], "targets": [MASS]}
    data = write_toy_dataset(tmp_path / "data", 100, nodes=(0, 5), objective=objective)
    settings = (*SETTINGS, "training.epochs=1", "training.class_weights=balanced")
    assert train(model, data, tmp_path / "run", settings=settings, progress=False).value > 0


def test_smoothing_labels_of_a_regression_is_refused_before_anything_is_written(folder, model, tmp_path):
    data, settings = folder / "regression-data", ("training.label_smoothing=0.02",)
    with pytest.raises(UsageError, match=r"^training\.label_smoothing=0\.02: objective regression has no class labels"):
        train(model, data, tmp_path / "run", settings=settings, progress=False)
    assert not (tmp_path / "run").exists()
    with pytest.raises(UsageError, match=r"^training\.label_smoothing: objective regression has no class labels"):
        check_settings(make_learning(read_table(data).manifest.objective), ["training.label_smoothing"])


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize("absent", [True, False])
def test_a_split_whose_targets_are_all_drawn_is_refused_before_anything_is_written(
    model, tmp_path, monkeypatch, split, absent
):
    """The figure that decides would be of no object in each epoch, and the first epoch the best."""
    drawn = REGRESSION | {"targets": [MASS | {"drawn": {"qcd": [-60.0, 0.0]}}]}
    data = write_toy_dataset(tmp_path / "data", 100, nodes=(1, 5), objective=drawn)
    table = read_table(data, ("target_gen_mass",))
    jets = table.jets_of(split)
    real = jets[table.columns["label"][jets] == 1]
    name, value = ("label", 0) if absent else ("weight", 0.0)
    table.columns[name] = table.columns[name].copy()
    table.columns[name][real] = value
    monkeypatch.setattr("e2egraph.training.datamodule.read_table", lambda folder, extra: table)
    with pytest.raises(
        InputError, match=f"no objects of class top with weight in split '{split}', and the targets of all"
    ):
        train(model, data, tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("loss", ["mae", "huber"])
def test_where_huber_turns_linear_is_refused_for_other_losses(folder, model, tmp_path, loss):
    settings = ("objective.delta=0.5", f"objective.loss={loss}", "training.epochs=1", "data.training_jets=64")
    allowed = (
        nullcontext() if loss == "huber" else pytest.raises(UsageError, match=r"nothing without objective\.loss=hub")
    )
    with allowed:
        train(model, folder / "regression-data", tmp_path / "run", settings=settings, progress=False)


def test_a_recipe_that_smooths_labels_serves_a_regression_as_well(folder, model, tmp_path):
    data = folder / "regression-data"
    few = ("training.epochs=1", "data.training_jets=64")
    for name, more in (("recipe", ()), ("none", ("training.label_smoothing=0",))):
        train(model, data, tmp_path / name, settings=(*few, *more), recipe="short", progress=False)
    one, other = (load_run(tmp_path / name)[0].state_dict() for name in ("recipe", "none"))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda values, jet: values.__setitem__(jet, np.nan),
            r"of 1 of \d+ objects .*not finite, first .*EVENT.* \(nan\)",
        ),
        (lambda values, jet: values.__setitem__(jet, -np.inf), r"not finite, first .*EVENT, jet 0 \(-inf\)"),
        (lambda values, jet: values.fill(173.0), r"is 173 for all \d+ objects"),
    ],
)
def test_targets_that_nothing_can_be_learnt_from_are_named_before_anything_is_written(
    folder, model, tmp_path, monkeypatch, split, change, message
):
    table = read_table(folder / "regression-data", ("target_gen_mass", "target_gen_pt"))
    jet = table.jets_of(split)[7]
    values = table.columns["target_gen_pt"][table.jets_of(split)].copy()
    change(values, 7)
    table.columns["target_gen_pt"][table.jets_of(split)] = values
    monkeypatch.setattr("e2egraph.training.datamodule.read_table", lambda folder, extra: table)
    named = message.replace("EVENT", f"event {table.columns['event'][jet]}")
    with pytest.raises(InputError, match=rf"target gen_pt .*{named}"):
        train(model, folder / "regression-data", tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_what_other_classes_lack_is_no_fault_and_a_class_that_is_missing_is(folder, model, tmp_path, monkeypatch):
    table = read_table(folder / "joint-data", ("target_gen_mass",))
    background = table.columns["label"] == 0
    table.columns["target_gen_mass"][background] = np.nan
    monkeypatch.setattr("e2egraph.training.datamodule.read_table", lambda folder, extra: table)
    settings = (*SETTINGS, "training.epochs=1")
    assert train(model, folder / "joint-data", tmp_path / "fine", settings=settings, progress=False).epochs == 1
    table.columns["label"][table.columns["split"] == "validation"] = 0
    with pytest.raises(
        InputError, match=r"no objects of class 'top' in split 'validation', which objective regression"
    ):
        train(model, folder / "joint-data", tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()
