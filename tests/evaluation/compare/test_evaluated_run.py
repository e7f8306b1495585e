"""What ``metrics.json`` must hold to be compared."""

import json

import pytest

from e2egraph.evaluation.evaluate import METRICS_NAME, SCORES_NAME


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
    null = dict.fromkeys(("training_jets_per_second", "auc_error", "jets", "background_passing"))
    path.write_text(json.dumps(content | null))
    assert e2egraph("compare", *runs[:3])[0] == 0
    (runs[1] / SCORES_NAME).unlink()
    assert e2egraph("compare", *runs[:2], "--group")[0] == 0
    path.write_text(json.dumps({key: value for key, value in content.items() if key != "auc"}))
    code, _, error = e2egraph("compare", *runs[:3])
    assert code == 1
    assert f"{path}: there is no auc; evaluate the run again." in error


def test_a_run_that_is_given_twice_is_refused(runs, e2egraph):
    code, _, error = e2egraph("compare", runs[0], runs[2], runs[0].parent / "." / runs[0].name)
    assert code == 1
    assert "given twice; name each run once." in error
