"""``e2egraph compare``: its tables, JSON and refusals."""

import json
import re

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from e2egraph.data.scores import read_scores
from e2egraph.data.table import read_table
from e2egraph.evaluation.evaluate import METRICS_NAME, SCORES_NAME
from e2egraph.evaluation.metrics.roc.delong import delong
from tests.evaluation.compare.made_runs import write_run


def test_a_second_table_gives_differences_to_the_reference_and_json_all_of_them(runs, tmp_path, e2egraph):
    files = ("--output", tmp_path / "table.md", "--json", tmp_path / "all.json")
    code, out, _ = e2egraph("compare", *runs[:3], runs[4], "--reference", runs[1], "--resamples", 100, *files)
    assert code == 0
    written = (tmp_path / "table.md").read_text()
    assert written.count("\n|--") == 2
    assert "| minus image (image2)" in out
    assert "| graph " in written
    assert all(words in out for words in ("training jets/s", "ms/jet", "common jets", "errors of the jets"))
    assert "object" not in out
    content = json.loads((tmp_path / "all.json").read_text())
    assert [row["model"] for row in content["rows"][:4]] == ["image (image1)", "image (image2)", "graph", "other"]
    assert "| image (image1) " in written
    assert list(dict.fromkeys(s["name"] for s in content["paired"]["standings"])) == [
        row["model"] for row in content["rows"][:4]
    ]
    assert "±: bootstrap over the jets." in written
    assert [(run["model"], run["seed"]) for run in content["runs"]] == [
        ("image", 1),
        ("image", 2),
        ("graph", 1),
        ("other", 1),
    ]
    paired = content["paired"]
    assert paired["reference"] == "image (image2)"
    assert paired["jets"] == json.loads((runs[0] / METRICS_NAME).read_text())["jets"]
    (graph,) = [d for d in paired["differences"] if (d["name"], d["figure"]) == ("graph", "auc")]
    assert graph["difference"] == pytest.approx(content["rows"][2]["auc"] - content["rows"][1]["auc"])
    assert graph["p_value"] < 1e-6 < 0.01 < graph["difference"]
    assert [d["difference"] < 0 for d in paired["differences"] if d["name"] == "other"] == [
        True,
        True,
        True,
        True,
        True,
    ]
    for line in paired["limits"]:
        assert f"Limit: {line}." in out


def test_jets_of_both_classes_at_the_point_of_0_1_per_cent_are_asked_for(runs, e2egraph):
    code, out, _ = e2egraph("compare", runs[0])
    assert code == 0
    assert "signal efficiency at 0.1% mistag" in out.splitlines()[0]
    assert "too few" in out.splitlines()[2]
    assert "minus" not in out


def test_scores_that_are_missing_are_said_and_asked_for_where_needed(runs, tmp_path, e2egraph):
    (runs[1] / SCORES_NAME).unlink()
    code, out, _ = e2egraph("compare", runs[0], runs[1])
    assert code == 0
    assert f"No paired differences: no scores.parquet in {runs[1]}" in out
    code, _, error = e2egraph("compare", runs[0], runs[1], "--json", tmp_path / "all.json")
    assert (code, (tmp_path / "all.json").exists()) == (1, False)
    assert f"{runs[1] / SCORES_NAME}: not there" in error


def test_comparisons_that_make_no_sense_are_refused(runs, tmp_path, data, e2egraph):
    again = write_run(tmp_path / "again", data, "image", 1, 1.0)
    larger = write_run(tmp_path / "larger", data, "image", 3, 1.0, parameters=9, trained_on={"digest": "0"})
    for arguments, code, message in [
        ((runs[0], runs[2], "--reference", "absent"), 2, "--reference absent: none of the runs"),
        ((*runs[:3], "--reference", "image"), 2, "--reference image: several of the runs"),
        ((runs[0], "--reference", "image"), 1, "nothing to compare with"),
        ((runs[0], again, runs[2], "--group"), 1, "with one seed"),
        ((runs[0], larger, runs[2], "--group"), 1, "but of different parameters, training data"),
    ]:
        found, _, error = e2egraph("compare", *arguments)
        assert found == code, error
        assert message in error
    (runs[0] / SCORES_NAME).write_bytes((runs[0] / SCORES_NAME).read_bytes()[:-20])
    code, _, error = e2egraph("compare", runs[0], runs[2])
    assert code == 1
    assert "not a readable Parquet file" in error


def test_scores_of_another_evaluation_than_the_metrics_are_refused(runs, tmp_path, e2egraph):
    report = json.loads((runs[0] / METRICS_NAME).read_text())
    (runs[0] / METRICS_NAME).write_text(json.dumps(report | {"split": "validation"}))
    (runs[1] / METRICS_NAME).write_text(json.dumps(report | {"split": "validation"}))
    code, _, error = e2egraph("compare", runs[0], runs[1])
    assert code == 1
    assert "of other objects than metrics.json next to it" in error


def test_the_difference_of_two_runs_is_delongs_on_the_stored_scores(runs, tmp_path, e2egraph):
    e2egraph("compare", runs[0], runs[2], "--resamples", 100, "--json", tmp_path / "all.json")
    (area,) = [
        d for d in json.loads((tmp_path / "all.json").read_text())["paired"]["differences"] if d["figure"] == "auc"
    ]
    scores = [read_scores(run / SCORES_NAME) for run in (runs[2], runs[0])]
    value, error, p_value = delong(scores[0].jets["label"] == 1, [s.probabilities[:, 1] for s in scores]).difference(
        0, 1
    )
    assert area["difference"] == pytest.approx(value)
    assert area["error"] == pytest.approx(error)
    assert area["log10_p_value"] == pytest.approx(p_value.log10)


def test_bins_are_those_of_the_runs_own_jets(runs, data, tmp_path, e2egraph):
    median = float(np.median(read_table(data, extra=("jet_pt",)).columns["jet_pt"]))
    edges = f"jet_pt=0,{median},100000"
    code, out, _ = e2egraph(
        "compare", *runs[:4], "--group", "--resamples", 100, "--bins", edges, "--json", tmp_path / "all.json"
    )
    assert code == 0
    table = read_table(data, extra=("jet_pt",))
    numbers = table.jets_of("test")
    low = table.columns["jet_pt"][numbers] < median
    bins = json.loads((tmp_path / "all.json").read_text())["bins"]["jet_pt"]
    assert [part["jets"] for part in bins] == [low.sum(), (~low).sum()]
    scores = read_scores(runs[2] / SCORES_NAME), read_scores(runs[3] / SCORES_NAME)
    for part, inside in zip(bins, (low, ~low), strict=True):
        areas = [roc_auc_score(one.jets["label"][inside], one.probabilities[inside, 1]) for one in scores]
        (graph,) = [s for s in part["result"]["standings"] if (s["name"], s["figure"]) == ("graph", "auc")]
        assert graph["seeds"] == pytest.approx(areas)
    assert out.count("| jet_pt 0 – ") == 2 and "Δ AUC" in out


@pytest.mark.parametrize(
    ("bins", "words"),
    [
        ("jet_pt", "give a quantity and rising edges"),
        ("jet_pt=3,2", "give a quantity and rising edges"),
        ("jet_pt=1,b", "give a quantity and rising edges"),
        ("jet_pt=1,nan", "give a quantity and rising edges"),
        ("speed=1,2", "--bins speed: no quantity of the objects in .*; choose one of .*jet_pt"),
        ("jet_p=1,2", r"--bins jet_p: no quantity of .* \(did you mean 'jet_pt'\?\); choose one of jet_pt"),
    ],
)
def test_bins_that_cannot_be_are_refused(runs, bins, words, e2egraph):
    code, _, err = e2egraph("compare", *runs[:2], runs[2], "--bins", bins)
    assert code == 2
    assert re.search(words, err)


def test_a_quantity_is_binned_once(runs, e2egraph):
    code, _, err = e2egraph("compare", *runs[:3], "--bins", "jet_pt=0,600", "--bins", "jet_pt=600,900")
    assert code == 2
    assert "--bins jet_pt: given twice; give all its edges at once." in err
