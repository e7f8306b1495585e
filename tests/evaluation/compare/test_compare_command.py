import json
import re
import shutil

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from e2egraph.cli import main
from e2egraph.data.scores import IDENTITY, read_scores, write_scores
from e2egraph.data.table import read_table
from e2egraph.evaluation.compare.comparison import compare as rows_of
from e2egraph.evaluation.evaluate import METRICS_NAME, SCORES_NAME
from e2egraph.evaluation.metrics.roc.delong import delong
from e2egraph.evaluation.metrics.tagging import tagging_metrics
from tests.toy_dataset import write_toy_dataset

RUNS = [("image", 1, 1.0), ("image", 2, 1.1), ("graph", 1, 1.9), ("graph", 2, 2.0), ("other", 1, 0.2)]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy") / "data"
    return write_toy_dataset(folder, 4000, nodes=(0, 1), split_fractions=(0.3, 0.1, 0.6))


def write_run(folder, data, model, seed, shift, unseen=(), **changes):
    """What an evaluation of a run with made-up scores leaves; the test jets ``unseen`` have no nodes for its inputs."""
    table = read_table(data)
    numbers = table.jets_of("test")
    jets = {name: table.columns[name][numbers] for name in IDENTITY}
    is_signal = jets["label"] == 1
    common = np.random.default_rng(0).normal(0, 1, len(numbers))
    logit = common + shift * is_signal + np.random.default_rng([seed, len(model)]).normal(0, 0.3, len(numbers))
    probability = (1 / (1 + np.exp(-logit))).astype(np.float32)
    about = {"data_set": table.manifest.digest, "split": "test"}
    seen = np.ones(len(numbers), bool)
    seen[list(unseen)] = False
    values = np.where(seen[:, None], np.stack([1 - probability, probability], 1), -1.0)
    write_scores(
        folder / SCORES_NAME, jets | {"n_nodes": seen.astype(np.int32)}, values, ("score_qcd", "score_top"), about
    )
    report = {
        **tagging_metrics(is_signal[seen], probability[seen]).content(),
        "jets_without_nodes": int((~seen).sum()),
        "model": model,
        "seed": seed,
        "parameters": 1000 + len(model),
        "training_jets_per_second": 100.0 * seed,
        "objective": {"kind": "classification", "classes": ["qcd", "top"], "signal": "top"},
        "split": "test",
        "data_set": {"folder": str(data), "digest": table.manifest.digest},
    }
    (folder / METRICS_NAME).write_text(json.dumps(report | changes))
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("runs")
    return [write_run(folder / f"{model}{seed}", data, model, seed, shift) for model, seed, shift in RUNS]


@pytest.fixture
def runs(made, tmp_path):
    return [shutil.copytree(run, tmp_path / run.name) for run in made]


@pytest.fixture
def e2egraph(capsys):
    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


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


def test_runs_of_one_model_are_its_seeds_when_grouped(runs, tmp_path, e2egraph):
    arguments = (*runs, "--group", "--reference", "image", "--resamples", 100, "--json", tmp_path / "all.json")
    code, out, _ = e2egraph("compare", *arguments)
    assert code == 0
    content = json.loads((tmp_path / "all.json").read_text())
    image, graph, other = content["rows"][:3]
    aucs = [json.loads((run / METRICS_NAME).read_text())["auc"] for run in runs]
    assert image["auc"] == pytest.approx(np.mean(aucs[:2]))
    assert image["auc_spread"] == pytest.approx(np.std(aucs[:2], ddof=1))
    assert (image["seeds"], graph["seeds"], other["seeds"]) == (2, 2, 1)
    assert other["auc_error"] == json.loads((runs[4] / METRICS_NAME).read_text())["auc_error"]
    assert image["training_jets_per_second"] == 150.0
    areas = {d["name"]: d for d in content["paired"]["differences"] if d["figure"] == "auc"}
    assert areas["graph"]["difference"] == pytest.approx(np.mean(aucs[2:4]) - np.mean(aucs[:2]))
    assert areas["graph"]["error_seeds"] > 0
    assert areas["other"]["error_seeds"] is None
    assert "seeds" in out.splitlines()[0]


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


def error_of_a_mean_area(is_signal, scores):
    """E. DeLong et al., Biometrics 44 (1988) 837, from the definition: over all pairs of a signal and a background
    jet, for the mean of the areas of ``scores`` [S, J]."""
    wins = np.mean([np.sign(s[is_signal][:, None] - s[~is_signal][None]) / 2 + 0.5 for s in scores], axis=0)
    parts = [wins.mean(axis=axis) for axis in (1, 0)]
    return np.sqrt(sum(part.var(ddof=1) / len(part) for part in parts))


def test_the_error_of_a_mean_over_seeds_joins_jets_and_seeds(runs, tmp_path, e2egraph):
    written = tmp_path / "table.md"
    code, out, _ = e2egraph(
        "compare", *runs[:4], "--group", "--resamples", 100, "--json", tmp_path / "all.json", "--output", written
    )
    assert code == 0
    rows = json.loads((tmp_path / "all.json").read_text())["rows"]
    for row, members in zip(rows, (runs[:2], runs[2:4]), strict=False):
        scores = [read_scores(run / SCORES_NAME) for run in members]
        is_signal = scores[0].jets["label"] == 1
        of_jets = error_of_a_mean_area(is_signal, [one.probabilities[:, 1] for one in scores])
        aucs = [roc_auc_score(is_signal, one.probabilities[:, 1]) for one in scores]
        assert row["auc_error"] == pytest.approx(np.sqrt(of_jets**2 + np.var(aucs, ddof=1) / 2))
        assert f"{row['auc']:.4f} ± {row['auc_error']:.4f}" in written.read_text()
    note = "± of a mean over seeds: √(error² + spread²/seeds)"
    assert note in out
    assert note in written.read_text()


def test_a_single_model_has_the_error_of_jets_and_seeds_too(runs, tmp_path, e2egraph):
    for name, chosen in (("one", runs[:2]), ("two", runs[:4])):
        arguments = ("--group", "--resamples", 100, "--json", tmp_path / f"{name}.json")
        assert e2egraph("compare", *chosen, *arguments)[0] == 0
    one, two = (json.loads((tmp_path / f"{name}.json").read_text())["rows"][0] for name in ("one", "two"))
    assert one == two


def test_means_without_scores_have_no_error_and_say_so(runs, e2egraph):
    (runs[1] / SCORES_NAME).unlink()
    code, out, _ = e2egraph("compare", *runs[:2], "--group")
    assert code == 0
    mean = np.mean([json.loads((run / METRICS_NAME).read_text())["auc"] for run in runs[:2]])
    assert f"| {mean:.4f} |" in re.sub(" +", " ", out.splitlines()[2])
    assert f"No ± of image: no scores.parquet in {runs[1]}; evaluate again." in out


@pytest.fixture
def few(data, tmp_path):
    """Runs that have seen every third test jet, of which fewer than ten of background pass 1% mistag."""
    unseen = [place for place in range(len(read_table(data).jets_of("test"))) if place % 3]
    return [
        write_run(tmp_path / f"{model}{seed}", data, model, seed, 1.0, unseen=unseen)
        for model, seed in (("image", 1), ("image", 2), ("graph", 1))
    ]


@pytest.mark.parametrize("scores", [True, False])
def test_too_little_background_for_the_efficiency_at_1_per_cent_gives_it_of_single_runs_alone(
    few, scores, tmp_path, e2egraph
):
    figure = "signal_efficiency_at_1pct_mistag"
    reports = [json.loads((run / METRICS_NAME).read_text()) for run in few]
    assert all(report["background_passing"] < 9.5 and report[figure] is not None for report in reports)
    arguments = ("--json", tmp_path / "all.json") if scores else ()
    if not scores:
        for run in few:
            (run / SCORES_NAME).unlink()
    code, out, _ = e2egraph("compare", *few, "--group", *arguments)
    assert code == 0
    image, graph = (re.split(r" *\| *", line)[1:4] for line in out.splitlines()[2:4])
    assert (image[0], image[2]) == ("image", "too few")
    assert graph[2] == f"{reports[2][figure]:.3f} ± {reports[2][f'{figure}_error']:.3f}"
    if scores:
        rows = json.loads((tmp_path / "all.json").read_text())["rows"]
        assert (rows[0][figure], rows[1][figure]) == (None, reports[2][figure])


def test_rows_of_different_jets_say_which_and_differences_are_of_those_that_all_have(data, tmp_path, e2egraph):
    whole = len(read_table(data).jets_of("test"))
    hidden = {"one": range(300), "two": range(200, 600), "three": ()}
    runs = [write_run(tmp_path / name, data, name, 1, 1.0, unseen=unseen) for name, unseen in hidden.items()]
    files = ("--json", tmp_path / "all.json", "--output", tmp_path / "table.md")
    code, out, _ = e2egraph("compare", *runs, "--resamples", 100, *files)
    assert code == 0
    content = json.loads((tmp_path / "all.json").read_text())
    numbers = [whole - 300, whole - 400, whole, whole]
    assert [row["jets"] for row in content["rows"]] == numbers
    assert [row["jets_without_nodes"] for row in content["rows"]] == [300, 400, 0, 0]
    assert content["different_objects"]
    note = (
        "Figures are of different jets, for each row those with nodes for its inputs (without nodes: one 300, two 400, "
        "three 0); the baseline’s are of all; paired differences are of the jets that have nodes for all."
    )
    assert note in content["notes"]
    for text in (out, (tmp_path / "table.md").read_text()):
        assert note in text
        header, _, *rows = (re.split(r" *\| *", line) for line in text.splitlines()[:6])
        assert [row[header.index("jets")] for row in rows] == [f"{number:,}" for number in numbers]
    assert content["paired"]["jets"] == whole - 600
    scores = [read_scores(run / SCORES_NAME) for run in runs]
    aucs = [roc_auc_score(one.jets["label"][600:], one.probabilities[600:, 1]) for one in scores]
    found = [d["difference"] for d in content["paired"]["differences"] if d["figure"] == "auc"]
    assert found == pytest.approx([aucs[1] - aucs[0], aucs[2] - aucs[0]])


def test_as_many_other_jets_are_different_jets(data, tmp_path, e2egraph):
    runs = [
        write_run(tmp_path / name, data, name, 1, 1.0, unseen=unseen)
        for name, unseen in (("one", range(300)), ("two", range(200, 500)))
    ]
    comparison = rows_of(runs, with_baseline=False)
    assert comparison.different_objects
    assert comparison.rows[0].jets == comparison.rows[1].jets
    assert "Figures are of different objects" in comparison.notes[1]


def test_rows_of_the_same_jets_have_no_column_of_their_number(runs, data, tmp_path, e2egraph):
    code, out, _ = e2egraph("compare", *runs[:3], "--json", tmp_path / "all.json")
    assert code == 0
    assert "| jets |" not in out
    assert "different jets" not in out
    content = json.loads((tmp_path / "all.json").read_text())
    assert not content["different_objects"]
    assert {row["jets"] for row in content["rows"]} == {len(read_table(data).jets_of("test"))}
    alike = [write_run(tmp_path / name, data, name, 1, 1.0, unseen=range(300)) for name in ("one", "two")]
    found = rows_of(alike, with_baseline=False)
    assert not found.different_objects
    assert found.notes[1] == "300 objects without nodes: no figure is of them."


def test_a_mean_is_of_all_jets_of_its_model_whatever_others_have(data, tmp_path, e2egraph):
    runs = [write_run(tmp_path / f"one{seed}", data, "one", seed, 1.0) for seed in (1, 2)]
    runs.append(write_run(tmp_path / "two", data, "two", 1, 1.0, unseen=range(600)))
    code, _, _ = e2egraph("compare", *runs, "--group", "--resamples", 100, "--json", tmp_path / "all.json")
    assert code == 0
    aucs = [json.loads((run / METRICS_NAME).read_text())["auc"] for run in runs]
    rows = json.loads((tmp_path / "all.json").read_text())["rows"]
    assert [row["auc"] for row in rows[:2]] == pytest.approx([np.mean(aucs[:2]), aucs[2]])


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("auc", "x", "auc is 'x', not a number"),
        ("auc_error", [1.0], "auc_error is [1.0], not a number"),
        (
            "background_rejection_at_50pct_efficiency",
            {},
            "background_rejection_at_50pct_efficiency is {}, not a number",
        ),
        ("jets", True, "jets is True, not a number"),
        ("training_jets_per_second", "fast", "training_jets_per_second is 'fast', not a number"),
        ("auc", float("nan"), "auc is nan, not a number"),
        ("seed", [1], "seed is [1], not a number"),
        ("data_set", {"digest": 1, "folder": "x"}, "not the metrics of an evaluation"),
        ("trained_on", "x", "not the metrics of an evaluation"),
    ],
)
def test_metrics_that_are_no_numbers_are_named(runs, name, value, said, e2egraph):
    path = runs[1] / METRICS_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    code, _, error = e2egraph("compare", *runs[:3], "--group")
    assert code == 1
    assert f"{path}: {said}; evaluate the run again." in error


def test_numbers_of_metrics_may_be_null_but_not_missing(runs, e2egraph):
    path = runs[1] / METRICS_NAME
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"training_jets_per_second": None, "auc_error": None, "jets": None}))
    assert e2egraph("compare", *runs[:3])[0] == 0
    path.write_text(json.dumps({key: value for key, value in content.items() if key != "auc"}))
    code, _, error = e2egraph("compare", *runs[:3])
    assert code == 1
    assert f"{path}: there is no auc; evaluate the run again." in error


def test_a_run_that_is_given_twice_is_refused(runs, e2egraph):
    code, _, error = e2egraph("compare", runs[0], runs[2], runs[0].parent / "." / runs[0].name)
    assert code == 1
    assert "given twice; name each run once." in error
