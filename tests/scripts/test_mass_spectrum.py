"""``scripts/mass_spectrum.py``: figures of known spectra, and files that hold none."""

import numpy as np
import pytest

from e2egraph.data.scores import Scores
from e2egraph.errors import InputError
from tests.scripts import loading


@pytest.fixture(scope="module")
def script():
    with loading.script("mass_spectrum") as module:
        yield module


def scores(predicted, true):
    n = len(predicted)
    jets = {"run": np.ones(n), "target_gen_mass": np.full(n, true, np.float32)}
    return Scores(jets, np.asarray(predicted, np.float32)[:, None], ("predicted_gen_mass",), {})


def test_figures_are_those_of_the_spectrum_with_errors_of_its_size(script):
    rng = np.random.default_rng(1)
    found = {r.metric: r for r in script.figures("a", scores(rng.normal(0.1, 0.2, 10_000), 0.1), "gen_mass")}
    assert found["median"].value == pytest.approx(0.1, abs=0.01)
    assert found["width"].value == pytest.approx(0.2, rel=0.03)
    assert found["below_zero"].value == pytest.approx(0.3085, abs=0.015)  # Φ(−1/2)
    assert found["response"].value == pytest.approx(found["median"].value / 0.1)
    error = float(found["median"].note.removeprefix("± "))
    assert error == pytest.approx(1.2533 * 0.2 / 100, rel=0.2)  # √(π/2) σ / √n


def test_a_spectrum_of_no_one_true_value_has_no_response(script):
    spread = scores([0.1, 0.2, 0.3], 0.0)
    assert "response" not in {r.metric for r in script.figures("photon", spread, "gen_mass")}


def test_scores_without_the_quantity_are_refused(script):
    with pytest.raises(InputError, match="hold gen_mass, not gen_pt"):
        script.predictions(scores([1.0, 2.0], 1.0), "gen_pt", "a.parquet")
    with pytest.raises(InputError, match="fewer than two"):
        script.predictions(scores([1.0, np.nan], 1.0), "gen_mass", "a.parquet")


def test_two_files_of_one_name_are_refused(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(script, "read_scores", lambda path: scores([0.1, 0.2], 0.1))
    paths = ["a/scores.parquet", "b/scores.parquet"]
    monkeypatch.setattr("sys.argv", ["mass_spectrum.py", *paths, "--output", str(tmp_path / "out")])
    with pytest.raises(SystemExit):
        script.main()
    assert "another file is called scores; give each a name of its own, NAME=FILE" in capsys.readouterr().err
