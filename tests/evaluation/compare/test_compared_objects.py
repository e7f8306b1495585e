"""``e2egraph compare`` of runs whose figures are of different jets."""

import json
import re

import pytest
from sklearn.metrics import roc_auc_score

from e2egraph.data.scores import read_scores
from e2egraph.data.table import read_table
from e2egraph.evaluation.compare.comparison import compare as rows_of
from e2egraph.evaluation.evaluate import SCORES_NAME
from tests.evaluation.compare.made_runs import write_run


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
