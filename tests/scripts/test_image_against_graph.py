"""``scripts/image_against_graph.py``: its table is that of the stored results, and a line that they lack is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from e2egraph.errors import InputError, UsageError
from tests.scripts import loading

EXPORTS = Path(__file__).parents[2] / "exports"
RESULTS = EXPORTS / "results"


@pytest.fixture(scope="module")
def script():
    with loading.script("image_against_graph") as script:
        yield script


def test_the_stored_table_is_that_of_the_stored_results(script):
    stored = (EXPORTS / "figures" / "image_against_graph.md").read_text(encoding="utf-8")
    assert script.table(script.read_lines(RESULTS)) == stored


def test_a_difference_is_that_of_the_two_values_beside_it(script):
    for line in script.read_lines(RESULTS):
        assert line.difference[0] == pytest.approx(line.of_graph[0] - line.of_image[0], abs=1e-4 * line.of_image[0])
        assert (line.better > 1) == ((line.difference[0] > 0) == (line.figure == "auc"))


def test_errors_of_several_seeds_are_of_seeds_and_test_objects(script):
    line = next(line for line in script.read_lines(RESULTS) if line.task == "Quark or gluon")
    standings = json.loads((RESULTS / "quark_gluon.json").read_text())["paired"]["standings"]
    (image,) = [one for one in standings if one["name"] == line.image and one["figure"] == "auc"]
    of_seeds = np.var(image["seeds"], ddof=1) / 3
    assert line.of_image[1] == pytest.approx((image["error"] ** 2 + of_seeds) ** 0.5, rel=1e-3)


def test_a_line_that_its_file_does_not_hold_is_refused(script, tmp_path):
    wanted = yaml.safe_load((RESULTS / script.LINES_NAME).read_text(encoding="utf-8"))[1]
    shutil.copy(RESULTS / wanted["file"], tmp_path)
    (tmp_path / script.LINES_NAME).write_text(json.dumps([{**wanted, "graph": "gravnet"}]), encoding="utf-8")
    with pytest.raises(InputError, match="gravnet has 0 entries of model gravnet"):
        script.read_lines(tmp_path)


def test_very_small_p_values_are_written_by_their_power(script):
    written = [script.p_value(power) for power in (-0.3, -3.0, -400.5, -4.01, None)]
    assert written == ["p = 0.5", "p = 0.001", "p = 3e-401", "p = 1e-4", "no p"]


def _line(script, image, graph, difference, figure="auc"):
    return script.Line("task", "all", "cnn", "gnn", figure, image, graph, difference, -3.0, 1)


@pytest.mark.parametrize(("figure", "shared"), [("auc", 0.9), ("auc", 0.0), ("mae", 0.5)])
def test_the_error_of_the_factor_is_the_spread_of_drawn_pairs(script, figure, shared):
    rng = np.random.default_rng(4)
    image, graph, of_image, of_graph = 0.03, 0.01, 0.0012, 0.0003
    covariance = [[of_image**2, shared * of_image * of_graph], [shared * of_image * of_graph, of_graph**2]]
    drawn = rng.multivariate_normal([image, graph], covariance, size=40_000)
    difference = graph - image, float(np.diff(drawn, axis=1).std())
    if figure == "auc":
        image, graph, difference = 1 - image, 1 - graph, (-difference[0], difference[1])
    line = _line(script, (image, of_image), (graph, of_graph), difference, figure)
    assert line.better_error == pytest.approx((drawn[:, 0] / drawn[:, 1]).std(), rel=0.02)


def test_a_difference_that_no_correlation_explains_leaves_no_error_below_zero(script):
    assert _line(script, (0.97, 0.001), (0.97, 0.001), (0.0, 1e-9)).better_error == pytest.approx(0.0, abs=1e-6)
    # No correlation makes the error of a difference larger than the sum of both.
    assert _line(script, (0.97, 0.001), (0.97, 0.001), (0.0, 1.0)).better_error == pytest.approx(0.002 / 0.03)


def _with(tmp_path, wanted, change):
    stored = json.loads((RESULTS / wanted["file"]).read_text(encoding="utf-8"))
    change(stored)
    (tmp_path / wanted["file"]).write_text(json.dumps(stored), encoding="utf-8")
    (tmp_path / "image_against_graph.yaml").write_text(json.dumps([wanted]), encoding="utf-8")


def test_a_result_without_an_error_or_a_p_value_says_so(script, tmp_path):
    def change(stored):
        for one in stored["paired"]["differences"]:
            one |= {"error": None, "log10_p_value": None}

    wanted = yaml.safe_load((RESULTS / script.LINES_NAME).read_text(encoding="utf-8"))[3]
    _with(tmp_path, wanted, change)
    (line,) = script.read_lines(tmp_path)
    assert line.better_error is None
    table = script.table([line])
    assert "+0.0140 (no p)" in table and "the stored result has no error" in table
    script.draw([line], tmp_path / "drawn")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"graphs": "gravnet"}, "image_against_graph.yaml: line 1: unknown key 'graphs'"),
        ({"figure": "acc"}, "image_against_graph.yaml: line 1: 'figure' is wrong"),
        ({"file": "none.json"}, "none.json: cannot be read"),
        ("a word", "expected a list of lines"),
    ],
)
def test_a_wrong_entry_is_one_sentence_that_names_the_file(script, tmp_path, entry, said):
    wanted = yaml.safe_load((RESULTS / script.LINES_NAME).read_text(encoding="utf-8"))[3]
    _with(tmp_path, wanted, lambda stored: None)
    entries = [{**wanted, **entry}] if isinstance(entry, dict) else [entry]
    (tmp_path / script.LINES_NAME).write_text(json.dumps(entries), encoding="utf-8")
    with pytest.raises((InputError, UsageError), match=said):
        script.read_lines(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"rows": []}', '{"rows": 3}', '{"cells": {}}'])
def test_a_damaged_result_is_one_sentence_that_names_it(script, tmp_path, content):
    wanted = yaml.safe_load((RESULTS / script.LINES_NAME).read_text(encoding="utf-8"))[3]
    _with(tmp_path, wanted, lambda stored: None)
    (tmp_path / wanted["file"]).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=wanted["file"]):
        script.read_lines(tmp_path)
