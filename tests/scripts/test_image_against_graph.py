"""``scripts/image_against_graph.py``: its table is that of the stored results, and a line that they lack is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from e2egraph.errors import InputError
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
    assert [script.p_value(power) for power in (-0.3, -3.0, -400.5)] == ["0.5", "0.001", "3e-401"]
