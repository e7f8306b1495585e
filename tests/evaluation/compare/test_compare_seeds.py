"""``e2egraph compare --group``: means over seeds, their errors, and where there are none."""

import json
import re

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from e2egraph.data.scores import read_scores
from e2egraph.data.table import read_table
from e2egraph.evaluation.evaluate import METRICS_NAME, SCORES_NAME
from tests.evaluation.compare.made_runs import write_run


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


def test_a_mean_is_of_all_jets_of_its_model_whatever_others_have(data, tmp_path, e2egraph):
    runs = [write_run(tmp_path / f"one{seed}", data, "one", seed, 1.0) for seed in (1, 2)]
    runs.append(write_run(tmp_path / "two", data, "two", 1, 1.0, unseen=range(600)))
    code, _, _ = e2egraph("compare", *runs, "--group", "--resamples", 100, "--json", tmp_path / "all.json")
    assert code == 0
    aucs = [json.loads((run / METRICS_NAME).read_text())["auc"] for run in runs]
    rows = json.loads((tmp_path / "all.json").read_text())["rows"]
    assert [row["auc"] for row in rows[:2]] == pytest.approx([np.mean(aucs[:2]), aucs[2]])


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
