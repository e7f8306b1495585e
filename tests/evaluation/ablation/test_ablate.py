"""Whole ablations of tiny networks through the command."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from e2egraph.cli import main
from e2egraph.data.scores import read_scores, write_scores
from e2egraph.data.table import read_table
from e2egraph.errors import InputError
from e2egraph.evaluation.ablation import ablate as ablate_module
from e2egraph.evaluation.ablation import costs as costs_module
from e2egraph.evaluation.ablation import runs as runs_module
from e2egraph.evaluation.ablation.cost_panels import cost_panels
from e2egraph.evaluation.ablation.output import write_plots
from e2egraph.evaluation.ablation.plan import Request, make_plan
from e2egraph.evaluation.ablation.results import read_ablation
from e2egraph.evaluation.ablation.rows import load_rows
from e2egraph.evaluation.compare.joined import aligned
from e2egraph.evaluation.metrics.tagging import tagging_metrics
from e2egraph.evaluation.objectives.evaluation import evaluation_of
from e2egraph.training.train import train
from tests.evaluation.ablation.test_tables import cells_of
from tests.evaluation.ablation.tiny_image import write_tiny_image
from tests.toy_dataset import write_toy_dataset
from tests.training.fragile_model import write_fragile_model
from tests.training.runs import assert_same_run
from tests.training.tiny_model import write_tiny_model

SETTINGS = ("training.epochs=2", "training.batch_size=16", "training.learning_rate=0.01", "training.loggers=[]")
SET = [word for setting in SETTINGS for word in ("--set", setting)]
FILES = {"ablation.json", "ablation.md", "ablation.tex", "costs.json", "report.html", "runs"} | {
    f"{stem}.{suffix}"
    for stem in ("inputs", "auc_against_cost", "learning_curve", "roc_overlay", "roc_by_inputs")
    for suffix in ("png", "pdf")
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy") / "data"
    return write_toy_dataset(folder, 480, nodes=(1, 20), split_fractions=(0.35, 0.15, 0.5))


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return f"{write_tiny_image(folder)},{write_tiny_model(folder)}"


def command(data, models, output, *more):
    words = ["ablate", "--data", str(data), "--models", models, "--output", str(output), "--rows", "pt,all"]
    return [*words, "--full-seeds", "1,2", "--learning-curve", "60", "--resamples", "100", *SET, *more]


@pytest.fixture(scope="module")
def made(tmp_path_factory, data, models):
    output = tmp_path_factory.mktemp("made") / "ablation"
    assert main(command(data, models, output)) == 0
    return output


@pytest.fixture(autouse=True)
def without_plots(monkeypatch):
    """Pictures take longer than all else; ``made``, which comes before, has them."""
    monkeypatch.setattr(ablate_module, "write_plots", lambda *_: [])


@pytest.fixture
def without_export(monkeypatch):
    def refuse(*_):
        raise InputError("its operator is not in ONNX")

    monkeypatch.setattr(costs_module, "to_onnx", refuse)


@pytest.fixture
def output(made, tmp_path):
    return shutil.copytree(made, tmp_path / "ablation")


def trained(output):
    """When each run was finished and evaluated."""
    return {path: path.stat().st_mtime_ns for path in output.glob("runs/*/*/*/*/*.json")}


def test_an_ablation_leaves_runs_tables_and_plots_without_local_paths(made, tmp_path):
    assert {path.name for path in made.iterdir()} >= FILES
    ablation = read_ablation(made)
    assert [(run.row, run.model, run.training_jets, run.seed) for run in ablation.runs] == [
        (row, model, jets, seed)
        for row, jets, seed in [("all", None, 1), ("all", None, 2), ("pt", None, 1), ("all", 60, 1)]
        for model in ("picture", "tiny")
    ]
    for run in ablation.runs:
        assert (made / run.folder / "scores.parquet").is_file()
        assert run.jets_learnt == (run.training_jets or ablation.training_data.jets)
    for name in ("ablation.json", "ablation.md", "ablation.tex"):
        assert str(tmp_path.parent) not in (made / name).read_text()
    assert "--data data " in ablation.command
    assert "--resamples 100 " in ablation.command
    assert ablation.failures == ()
    assert {cell.cost.onnx_ms_per_jet > 0 for cell in ablation.cells} == {True}
    assert {cell.cost.flops > 0 for cell in ablation.cells} == {True}


def test_networks_see_the_inputs_of_their_row(made):
    parameters = {(cell.row, cell.model): cell.parameters for cell in read_ablation(made).cells}
    assert parameters["pt", "picture"] == 25 * 2 + 2
    assert parameters["all", "picture"] == 25 * 8 * 2 + 2
    assert parameters["pt", "tiny"] == parameters["all", "tiny"]
    config = (made / "runs/pt/tiny/jets_all/seed_1/config.yaml").read_text()
    assert "hide:\n  - d0\n  - dz\n  - d0_sig\n  - dz_sig\n  - charge\n" in config


def test_figures_and_tables_are_those_of_the_runs_metrics(made):
    ablation = read_ablation(made)

    def report(row, model, jets, seed):
        return json.loads((made / f"runs/{row}/{model}/jets_{jets}/seed_{seed}/metrics.json").read_text())

    table = (made / "ablation.md").read_text().split("### ")[1]
    _, *rows = cells_of(table)
    shown = {(row[0], row[1]): row for row in rows}
    for model in ("picture", "tiny"):
        single = report("pt", model, "all", 1)
        assert shown["track pT", model][2] == f"{single['auc']:.4f} ± {single['auc_error']:.4f}"
        both = [report("all", model, "all", seed)["auc"] for seed in (1, 2)]
        figure = ablation.cell("all", model, None).figures["auc"]
        assert figure.mean == pytest.approx(sum(both) / 2)
        assert figure.spread == pytest.approx(abs(both[0] - both[1]) / 2**0.5)
        assert figure.error**2 == pytest.approx(figure.error_jets**2 + figure.spread**2 / 2)
        assert shown["all", model][2].startswith(f"{figure.mean:.4f} ± ")
        assert ablation.cell("all", model, 60).figures["auc"].mean == report("all", model, 60, 1)["auc"]
    difference = ablation.model_difference("pt", "tiny", "auc", None)
    assert difference.difference == pytest.approx(
        report("pt", "tiny", "all", 1)["auc"] - report("pt", "picture", "all", 1)["auc"]
    )
    assert 0 < difference.p_value <= 1
    added = [one for one in ablation.layer_differences if one.figure == "auc"]
    assert [(one.reference_row, one.row, one.model) for one in added] == [
        ("pt", "all", "picture"), ("pt", "all", "tiny")
    ]  # fmt: skip
    # On the jets alone that have nodes in both rows.
    folders = [f"runs/{row}/tiny/jets_all/seed_{seed}" for row, seed in (("pt", 1), ("all", 1), ("all", 2))]
    few, *whole = aligned([read_scores(made / folder / "scores.parquet") for folder in folders], folders)
    assert len(few) < ablation.test_data.jets
    aucs = [roc_auc_score(one.jets["label"] == 1, one.probabilities[:, 1]) for one in (few, *whole)]
    assert added[1].difference == pytest.approx(sum(aucs[1:]) / 2 - aucs[0])


def test_the_same_command_again_trains_evaluates_and_times_nothing(output, data, models):
    before, ablation = trained(output), read_ablation(output)
    assert main(command(data, models, output)) == 0
    assert trained(output) == before
    assert read_ablation(output) == ablation


def test_figures_of_different_test_jets_are_said_to_be(made):
    ablation = read_ablation(made)
    assert ablation.same_test_jets is False
    unseen = {}
    for run in ablation.runs:
        report = json.loads((made / run.folder / "metrics.json").read_text())
        assert (run.test_jets, run.jets_without_nodes) == (report["jets"], report["jets_without_nodes"])
        assert ablation.cell(run.row, run.model, run.training_jets).test_jets == report["jets"]
        unseen[run.row] = report["jets_without_nodes"]
    assert unseen["pt"] > unseen["all"]
    said = (
        f"figures are of different test jets, those with nodes for a row's inputs (without nodes: pt {unseen['pt']}, "
    )
    assert ablation.limits[0].startswith(f"{said}all {unseen['all']}); differences are of the jets that have nodes for")
    seen = [read_scores(made / run.folder / "scores.parquet").scored for run in ablation.runs if run.model == "tiny"]
    assert {one.test_jets for one in ablation.layer_differences} == {int(np.logical_and.reduce(seen).sum())}
    header, *rows = cells_of((made / "ablation.md").read_text().split("### ")[1])
    numbers = {row[0]: row[header.index("test jets")] for row in rows}
    assert numbers == {"track pT": f"{len(seen[0]) - unseen['pt']}", "all": f"{len(seen[0]) - unseen['all']}"}
    assert f"Figures are of different jets: of {len(seen[0])} test jets" in (made / "ablation.md").read_text()
    page = (made / "report.html").read_text()
    for words in (said.replace("'", "&#39;"), f">{unseen['pt']}</td>", ">without nodes<"):
        assert words in page


@pytest.mark.usefixtures("without_export")
def test_a_mean_over_seeds_is_of_all_jets_of_its_cell_whatever_another_model_has(output, data, models):
    folders = [output / f"runs/all/picture/jets_all/seed_{seed}" for seed in (1, 2)]
    for folder in folders:
        scores = read_scores(folder / "scores.parquet")
        hidden = np.flatnonzero(scores.scored)[::3]
        scores.jets["n_nodes"][hidden], scores.values[hidden] = 0, -1.0
        write_scores(folder / "scores.parquet", scores.jets, scores.values, scores.columns, scores.about)
        seen, report = scores.take(scores.scored), json.loads((folder / "metrics.json").read_text())
        report |= tagging_metrics(seen.jets["label"] == 1, seen.probabilities[:, 1]).content()
        report["jets_without_nodes"] = len(scores) - len(seen)
        (folder / "metrics.json").write_text(json.dumps(report))
    assert main(command(data, models, output, "--report-only")) == 0
    ablation = read_ablation(output)
    for model in ("picture", "tiny"):
        reports = [
            json.loads((output / f"runs/all/{model}/jets_all/seed_{seed}/metrics.json").read_text()) for seed in (1, 2)
        ]
        cell = ablation.cell("all", model, None)
        assert cell.figures["auc"].mean == pytest.approx(sum(report["auc"] for report in reports) / 2)
        assert cell.test_jets == reports[0]["jets"]
    assert f"all picture {reports[0]['jets_without_nodes'] + len(hidden)}, all tiny" in ablation.limits[0]
    assert ablation.model_difference("all", "tiny", "auc", None).test_jets == len(seen)


def test_only_what_is_missing_is_made_and_a_report_alone_names_it(output, data, models, capsys):
    ablation = read_ablation(output)
    shutil.rmtree(output / "runs/all/tiny/jets_60")
    (output / "runs/pt/tiny/jets_all/seed_1/metrics.json").unlink()
    before = trained(output)
    assert main(command(data, models, output, "--report-only")) == 0
    said = capsys.readouterr().out
    assert "pt, tiny, all objects, seed 1: not evaluated on these test objects" in said
    assert "all, tiny, 60 objects, seed 1: not trained" in said
    assert len(read_ablation(output).runs) == 6
    assert trained(output) == before
    assert main(command(data, models, output)) == 0
    assert {path: when for path, when in trained(output).items() if path in before} == before
    again = read_ablation(output)
    assert [run.figures for run in again.runs] == [run.figures for run in ablation.runs]
    assert again.model_differences == ablation.model_differences


def test_runs_of_other_settings_are_refused_before_anything_is_done(output, data, models, capsys):
    before = trained(output)
    assert main(command(data, models, output, "--set", "training.epochs=3", "--full-seeds", "3,1")) == 1
    said = capsys.readouterr().err
    assert "seed_1: holds a run with another training.epochs (2 there, 3 now)" in said
    assert "give its settings, choose another --output, or remove the folder" in said
    assert trained(output) == before


@pytest.mark.usefixtures("without_export")
def test_an_ablation_that_is_stopped_goes_on_to_the_same_runs(data, tmp_path, monkeypatch):
    model, output = write_fragile_model(tmp_path), tmp_path / "ablation"
    words = ["ablate", "--data", str(data), "--models", model, "--output", str(output), "--rows", "all"]
    words += ["--full-seeds", "1", "--resamples", "100", *SET]
    monkeypatch.setenv("FRAGILE", "train:5:SIGTERM")
    assert main(words) == 143
    monkeypatch.delenv("FRAGILE")
    run = output / "runs/all/fragile/jets_all/seed_1"
    assert not (run / "summary.json").exists()
    assert main(words) == 0
    assert "goes on after step 5" in (run / "train.log").read_text()
    train(model, data, tmp_path / "whole", settings=SETTINGS, seed=1, progress=False)
    assert_same_run(run, tmp_path / "whole")


@pytest.mark.usefixtures("without_export")
def test_a_model_that_fails_is_named_and_the_others_are_reported(data, models, tmp_path, monkeypatch, capsys):
    fragile, output = write_fragile_model(tmp_path), tmp_path / "ablation"
    words = command(data, f"{fragile},{models.split(',')[1]}", output, "--rows", "all", "--full-seeds", "1")
    monkeypatch.setenv("FRAGILE", "train:2:nan")
    assert main(words) == 1
    said = capsys.readouterr().err
    assert "2 of 4 runs failed: all, fragile, all objects, seed 1 (" in said
    assert "not finite" in said
    ablation = read_ablation(output)
    assert {run.model for run in ablation.runs} == {"tiny"}
    assert {failure.model for failure in ablation.failures} == {"fragile"}
    assert (output / "ablation.md").is_file()
    assert "tiny (all): not timed, its operator is not in ONNX" in ablation.limits
    # The reference has no run, yet figures that cannot be quoted have their reason.
    reasons = [limit for limit in ablation.limits if "fewer than 10 background jets pass" in limit]
    for cell in ("all, all objects", "all, 60 objects"):
        assert any(reason.startswith(f"{cell}: ") and "(tiny (all) " in reason for reason in reasons)
    assert ablation.cells[0].cost.onnx_ms_per_jet is None
    monkeypatch.delenv("FRAGILE")
    assert main(words) == 0
    assert read_ablation(output).failures == ()


def test_a_network_that_breaks_costs_no_other_run_either(data, models, tmp_path, monkeypatch, capsys):
    def breaks(model, *_, **__):
        raise ValueError(f"broken {model}")

    monkeypatch.setattr(runs_module, "train", breaks)
    assert main(command(data, models, tmp_path / "ablation")) == 1
    assert "no run is finished (ValueError: broken " in capsys.readouterr().err


def test_wrong_use_is_refused_with_the_mend(data, models, tmp_path, capsys):
    twin = tmp_path / "twin.yaml"
    twin.write_text("name: tiny\nnetwork: tests.training.tiny_model:Tiny\n")
    _, tiny = models.split(",")
    for models_given, more, code, message in [
        ("resnet16", [], 2, "unknown model 'resnet16'"),
        (f"{tiny},{twin}", [], 2, "two models are named 'tiny'"),
        (f"{tiny},", [], 2, "a name is missing"),
        (models, ["--rows", "pt,tracks"], 2, "no row 'tracks' in published"),
        (models, ["--reference", "gravnet"], 2, "--reference gravnet: none of the models"),
        (models, ["--seeds", "1,1"], 2, "--seeds 1,1: give different numbers"),
        (models, ["--seeds", "one"], 2, "--seeds one: give whole numbers"),
        (models, ["--training-jets", "0"], 2, "--training-jets 0: give a number of objects, or 'all'"),
        (models, ["--learning-curve", "many"], 2, "--learning-curve many: give a number of objects"),
        (models, ["--rows", "pt"], 2, "no row has all inputs"),
        (models, ["--set", "data.training_jets=5"], 2, "the rows and --training-jets set it"),
        (models, ["--set", "training.epoch=5"], 2, "epoch"),
        (models, ["--set", "training.devices=2"], 2, "an ablation trains on one device"),
        (models, ["--learning-curve", "100000"], 1, "data.training_jets=100000; lower it"),
        (models, ["--report-only"], 1, "no run is finished (not trained)"),
    ]:
        assert main(command(data, models_given, tmp_path / "new", *more)) == code, message
        assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_folders_with_other_content_and_unlike_test_data_are_refused(data, models, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("text")
    (tmp_path / "file").write_text("text")
    for name, message in (("other", "holds other files and no ablation"), ("file", "a file is in the way")):
        assert main(command(data, models, tmp_path / name)) == 1
        assert message in capsys.readouterr().err
    classes = write_toy_dataset(tmp_path / "classes", 20, classes=("qcd", "w"), signal="w")
    empty = write_toy_dataset(tmp_path / "empty", 20, split_fractions=(1.0, 0.0, 0.0))
    less = write_toy_dataset(tmp_path / "less", 60)
    manifest = json.loads((less / "manifest.json").read_text())
    for channels in (manifest["network_inputs"]["channels"], manifest["configuration"]["inputs"]["channels"]):
        channels.pop()
    (less / "manifest.json").write_text(json.dumps(manifest))
    for folder, message in (
        (classes, "classes ['qcd', 'w'], but"),
        (empty, "no jets in split 'test'"),
        (less, "has no nodes of channel HCAL, which"),
    ):
        assert main(command(data, models, tmp_path / "new", "--test-data", str(folder))) == 1
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("left", [0, 1])
def test_test_data_with_fewer_than_two_jets_of_a_class_are_refused_before_anything_is_trained(data, models, left):
    table = read_table(data)
    label = table.columns["label"].copy()
    label[table.jets_of("test")[left:]] = 0
    label[table.jets_of("test")[:left]] = 1
    few = replace(table, columns=table.columns | {"label": label})
    plan = make_plan(Request(models=tuple(models.split(",")), rows=load_rows("all")))
    with pytest.raises(InputError, match=f"{left} signal jets in split 'test', but errors need two;"):
        runs_module.check_inputs(plan, table, few)
    runs_module.check_inputs(plan, table, table)


def test_a_regression_is_ablated_by_its_own_figures(models, tmp_path):
    target = {"name": "gen_mass", "unit": "GeV", "offset": 120.0, "scale": 60.0}
    objective = {"kind": "regression", "classes": ["qcd", "top"], "targets": [target], "loss": "mae"}
    data = write_toy_dataset(
        tmp_path / "data", 240, nodes=(1, 10), split_fractions=(0.4, 0.2, 0.4), objective=objective
    )
    words = ["ablate", "--data", str(data), "--models", models, "--output", str(tmp_path / "made"), "--rows", "pt,all"]
    assert main([*words, "--full-seeds", "1,2", "--resamples", "100", *SET]) == 0
    ablation = read_ablation(tmp_path / "made")
    assert [figure.name for figure in ablation.figures] == ["mae", "resolution"]
    assert (ablation.signal, ablation.signal_jets, ablation.best) == (None, None, "mean absolute error of gen_mass")
    for run in ablation.runs:
        report = json.loads((tmp_path / "made" / run.folder / "metrics.json").read_text())
        assert run.figures["mae"] == report["mae"] > 0
    difference = ablation.model_difference("all", "tiny", "mae", None)
    means = [ablation.cell("all", model, None).figures["mae"].mean for model in ("tiny", "picture")]
    assert difference.difference == pytest.approx(means[0] - means[1])
    assert difference.ratio == pytest.approx(means[0] / means[1])
    page = (tmp_path / "made" / "report.html").read_text()
    assert "mean absolute error" in page
    assert "AUC" not in page
    # A lower error is better: the front falls with the cost.
    (_, counted) = cost_panels(ablation, ablation.figures[0])
    errors = [error for _, error in counted.front]
    assert errors == sorted(errors, reverse=True)
    request = Request(models=tuple(models.split(",")), rows=load_rows("pt,all"), full_seeds=(1, 2), settings=SETTINGS)
    table = read_table(data)
    runs, _ = runs_module.find_runs(tmp_path / "made", make_plan(request), table.manifest.digest)
    judge = evaluation_of(table.manifest.objective)
    drawn = write_plots(tmp_path / "made", ablation, judge, runs, table)
    assert {path.stem for path in drawn} == {"inputs", "mae_against_cost"}
