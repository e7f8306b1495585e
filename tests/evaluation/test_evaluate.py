import json
import shutil

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from e2egraph.data.padding import pad
from e2egraph.data.scores import read_scores, write_scores
from e2egraph.data.share import Share
from e2egraph.data.table import read_table
from e2egraph.errors import InputError, UsageError
from e2egraph.evaluation import evaluate as module
from e2egraph.evaluation.compare.comparison import compare, markdown_table
from e2egraph.evaluation.compare.joined import aligned
from e2egraph.evaluation.evaluate import evaluate
from e2egraph.graphs.storage.pointclouds import concatenate
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.training.runs.load import load_run
from e2egraph.training.train import train
from tests.toy_dataset import write_toy_dataset
from tests.training.tiny_model import write_tiny_model

SETTINGS = ("training.epochs=3", "training.batch_size=16", "training.learning_rate=0.01")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_toy_dataset(tmp_path_factory.mktemp("toy") / "data", 400, nodes=(0, 30), shards_per_class=3)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("runs")
    train(write_tiny_model(folder), data, folder / "tiny", settings=SETTINGS, progress=False)
    return folder / "tiny"


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "tiny")


def test_of_a_training_that_has_not_ended_the_figures_say_so(run):
    assert not any("has not ended" in limit for limit in evaluate(run, plots=False).limits)
    (run / "summary.json").unlink()
    limits = evaluate(run, plots=False).limits
    assert f"the training of {run} has not ended: figures are of its best epoch so far" in limits
    assert json.loads((run / "metrics.json").read_text())["limits"] == list(limits)


def test_an_evaluation_writes_metrics_scores_and_plots_into_the_run(run, data):
    before = {path.name for path in run.iterdir()}
    summary = evaluate(run)
    written = {path.name for path in run.iterdir()} - before
    plots = {f"{stem}.{suffix}" for stem in ("roc", "scores", "mass_sculpting", "bins") for suffix in ("png", "pdf")}
    assert written == {"metrics.json", "scores.parquet", "report.html"} | plots
    report = json.loads((run / "metrics.json").read_text())
    assert report["auc"] == summary.metrics["auc"] > 0.85
    assert report["auc_error"] > 0
    assert 0 <= report["signal_efficiency_at_1pct_mistag"] <= 1
    assert report["signal_efficiency_at_1pct_mistag_error"] >= 0
    table = read_table(data)
    n_nodes = table.columns["n_nodes"][table.jets_of("test")]
    assert report["jets"] == (n_nodes > 0).sum()
    assert report["jets_without_nodes"] == (n_nodes == 0).sum() > 0
    assert report["parameters"] == sum(p.numel() for p in load_run(run)[0].parameters())
    assert report["data_set"]["digest"] == read_table(data).manifest.digest
    assert (report["model"], report["split"], report["run"]) == ("tiny", "test", "tiny")
    assert report["mass_sculpting"]["softdrop_mass"]["background_jets"] == report["background_jets"]
    assert sum(one["jets"] for one in report["bins"]["jet_pt"]) == report["jets"]
    assert {"accuracy", "calibration", "signal_efficiency_at_0p1pct_mistag", "limits"} <= report.keys()
    assert {"e2egraph", "code", "trained_on", "training_jets_per_second", "seed"} <= report.keys()


def test_the_scores_are_the_networks_for_each_jet_in_data_set_order(run, data):
    evaluate(run, plots=False)
    scores = read_scores(run / "scores.parquet")
    manifest = read_table(data).manifest
    clouds = concatenate([open_shard(data / shard.name).read(blocks=[0]) for shard in manifest.shards])
    clouds = clouds.take(clouds.jets["split"] == "test")
    for name in ("lumi", "event", "label"):
        np.testing.assert_array_equal(scores.jets[name], clouds.jets[name])
    dense = pad(clouds, manifest.network_inputs)
    with torch.no_grad():
        inputs = [torch.from_numpy(x) for x in (dense.points, dense.features, dense.mask, dense.jet)]
        expected = load_run(run)[0](*inputs).softmax(1).numpy()
    seen = clouds.counts > 0
    assert 0 < (~seen).sum() < len(seen)
    expected[~seen] = -1.0
    np.testing.assert_allclose(scores.probabilities, expected, atol=1e-5)
    assert scores.classes == ("qcd", "top")
    auc = json.loads((run / "metrics.json").read_text())["auc"]
    assert auc == pytest.approx(roc_auc_score(scores.jets["label"][seen], scores.probabilities[seen, 1]))


def test_jets_without_nodes_are_counted_and_no_figure_is_of_them(run, tmp_path):
    """Scores of -1 would pull the calibration below 0, and whatever the network makes of nothing is no score."""
    summary = evaluate(run)
    scores = read_scores(run / "scores.parquet")
    unseen = int((~scores.scored).sum())
    assert unseen > 0 and (scores.probabilities[~scores.scored] == -1).all()
    assert f"{unseen} jets without nodes: no score, and no figure is of them" in summary.limits
    assert summary.metrics["jets"] + unseen == len(scores) == summary.jets
    assert sum(one["jets"] for one in summary.metrics["bins"]["jet_pt"]) == len(scores) - unseen
    # Of two runs the jets are compared that both have seen, here those of one of them less the first ten.
    blind = shutil.copytree(run, tmp_path / "blind")
    n_nodes = scores.jets["n_nodes"].copy()
    n_nodes[:10] = 0
    values = np.where((n_nodes > 0)[:, None], scores.values, np.float32(-1))
    about = scores.about
    write_scores(blind / "scores.parquet", {**scores.jets, "n_nodes": n_nodes}, values, scores.columns, about)
    one, other = aligned([read_scores(run / "scores.parquet"), read_scores(blind / "scores.parquet")], ["a", "b"])
    assert len(one) == len(other) == (n_nodes > 0).sum() < len(scores) - unseen
    np.testing.assert_array_equal(one.values, other.values)
    assert (one.probabilities >= 0).all()


def test_of_several_processes_the_last_writes_the_evaluation_of_all_jets_into_a_folder_of_its_own(run, tmp_path):
    output = tmp_path / "out"
    assert evaluate(run, None, output, share=Share(1, 3), plots=False) is None
    assert not (output / "metrics.json").exists()
    assert evaluate(run, None, output, share=Share(0, 3), plots=False) is None
    summary = evaluate(run, None, output, share=Share(2, 3), plots=False)
    assert summary.metrics["auc"] == pytest.approx(evaluate(run, plots=False).metrics["auc"], abs=1e-6)
    assert {path.name for path in output.iterdir()} == {"metrics.json", "scores.parquet"}


def test_another_split_data_set_and_output_can_be_given(run, tmp_path):
    other = write_toy_dataset(tmp_path / "other", 100, seed=9, nodes=(0, 30))
    summary = evaluate(run, other, tmp_path / "out", split="train", plots=False)
    assert summary.jets == len(read_table(other).jets_of("train"))
    assert summary.metrics["jets"] + summary.metrics["jets_without_nodes"] == summary.jets
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"metrics.json", "scores.parquet"}
    evaluate(run, other, tmp_path / "out", split="test", plots=False)
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["split"] == "test"


def test_evaluations_that_make_no_sense_are_refused_and_write_nothing(run, tmp_path):
    before = sorted(path.name for path in run.iterdir())
    other_task = write_toy_dataset(tmp_path / "w", 40, classes=("qcd", "w"), signal="w")
    no_test = write_toy_dataset(tmp_path / "train_only", 40, split_fractions=(1, 0, 0))
    only_jets = write_toy_dataset(tmp_path / "one_class", 40)
    manifest = json.loads((only_jets / "manifest.json").read_text())
    manifest["shards"] = [shard for shard in manifest["shards"] if shard["sample"] == "qcd"]
    (only_jets / "manifest.json").write_text(json.dumps(manifest))
    for arguments, message in [
        ({"data": other_task}, "give a data set of the same task"),
        ({"data": no_test}, "no jets in split 'test'"),
        ({"data": only_jets}, "no signal objects"),
        ({"data": tmp_path / "absent"}, "no such data set"),
        ({"split": "testing"}, "unknown split 'testing'"),
        ({"output": tmp_path}, "holds other files"),
        ({"output": other_task / "manifest.json"}, "a file is in the way"),
    ]:
        with pytest.raises(UsageError if "split" in arguments else InputError, match=message):
            evaluate(run, **arguments)
    assert sorted(path.name for path in run.iterdir()) == before


@pytest.mark.parametrize("own_folder", [True, False])
def test_an_evaluation_that_breaks_leaves_no_metrics_beside_other_scores_and_the_same_command_ends_it(
    run, data, tmp_path, monkeypatch, own_folder
):
    output = None if own_folder else tmp_path / "out"
    if own_folder:
        evaluate(run, plots=False)

    def breaks(*_):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(module, "_report", breaks)
        with pytest.raises(OSError, match="no space"):
            evaluate(run, None, output, split="validation", plots=False)
    folder = output or run
    assert not (folder / "metrics.json").exists()
    evaluate(run, None, output, split="validation", plots=False)
    assert json.loads((folder / "metrics.json").read_text())["split"] == "validation"


def test_scores_that_are_not_finite_are_refused(run):
    checkpoint = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    checkpoint["state_dict"]["network.head.0.bias"][0] = float("nan")
    torch.save(checkpoint, run / "checkpoints" / "best.ckpt")
    with pytest.raises(InputError, match="not finite"):
        evaluate(run)
    assert not (run / "metrics.json").exists()


def test_a_comparison_lists_runs_and_baseline_on_the_same_jets(run, tmp_path, data):
    second = shutil.copytree(run, tmp_path / "second")
    evaluate(run, plots=False)
    evaluate(second, plots=False)
    comparison = compare([run, second], data, {"second": 0.1234})
    rows = comparison.rows
    assert [row.model for row in rows] == [
        f"tiny ({run.name})",
        "tiny (second)",
        "soft-drop mass + τ32 (logistic regression)",
    ]
    assert rows[0].figures == rows[1].figures
    assert (rows[0].onnx_ms_per_jet, rows[1].onnx_ms_per_jet) == (None, 0.1234)
    assert rows[2].training_jets_per_second is None
    table = markdown_table(comparison).splitlines()
    assert len(table) == 5
    assert len({len(line) for line in table}) == 1
    assert table[0].split("|")[1:4] == [
        " model".ljust(len(rows[2].model) + 2),
        " " * 13 + "AUC ",
        " signal efficiency at 1% mistag ",
    ]
    assert table[3].endswith(" 0.123 |")
    assert table[2].endswith(" – |")
    assert f"{rows[0].figures['auc']:.4f} ± {rows[0].errors['auc']:.4f}" in table[2]


def test_runs_that_cannot_be_compared_are_named(run, tmp_path, data):
    with pytest.raises(InputError, match="nothing to compare"):
        compare([])
    with pytest.raises(InputError, match="e2egraph evaluate"):
        compare([run])
    evaluate(run, plots=False)
    second = shutil.copytree(run, tmp_path / "second")
    evaluate(second, split="validation", plots=False)
    with pytest.raises(InputError, match="evaluated on different objects"):
        compare([run, second])
    other = write_toy_dataset(tmp_path / "other", 100, seed=9)
    with pytest.raises(InputError, match="not the data set"):
        compare([run], other)
    (run / "metrics.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        compare([run])
