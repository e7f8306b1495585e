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


def scores(predicted, true, weight=None):
    n = len(predicted)
    jets = {"run": np.ones(n), "target_gen_mass": np.full(n, true, np.float32)}
    if weight is not None:
        jets["weight"] = np.asarray(weight, np.float32)
    return Scores(jets, np.asarray(predicted, np.float32)[:, None], ("predicted_gen_mass",), {})


def figures(script, scored):
    return {record.metric: record for record in script.figures("a", script.spectrum(scored, "gen_mass", "a"))}


def test_figures_are_those_of_the_spectrum_with_errors_of_its_size(script):
    rng = np.random.default_rng(1)
    found = figures(script, scores(rng.normal(0.1, 0.2, 10_000), 0.1))
    assert found["median"].value == pytest.approx(0.1, abs=0.01)
    assert found["width"].value == pytest.approx(0.2, rel=0.03)
    assert found["below_zero"].value == pytest.approx(0.3085, abs=0.015)  # Φ(−1/2)
    assert found["response"].value == pytest.approx(found["median"].value / 0.1)
    error = float(found["median"].note.removeprefix("± "))
    assert error == pytest.approx(1.2533 * 0.2 / 100, rel=0.2)  # √(π/2) σ / √n


def test_a_spectrum_of_no_one_true_value_has_no_response(script):
    spread = scores([0.1, 0.2, 0.3], 0.0)
    assert "response" not in figures(script, spread)


def test_objects_count_by_their_weights(script):
    rng = np.random.default_rng(2)
    low, high = rng.normal(-1.0, 0.1, 3_000), rng.normal(1.0, 0.1, 1_000)
    three_times = scores(np.concatenate([low[:1_000], high]), 0.0, np.repeat([3.0, 1.0], 1_000))
    found = figures(script, three_times)
    assert found["below_zero"].value == pytest.approx(0.75)
    assert found["median"].value == pytest.approx(-1.0, abs=0.1)
    # Of a share p of n/2 objects of weight 3 and n/2 of weight 1: √Σw²(c − p)² / Σw.
    expected = np.sqrt(1_000 * 9 * 0.25**2 + 1_000 * 0.75**2) / 4_000
    assert float(found["below_zero"].note.removeprefix("± ")) == pytest.approx(expected, rel=0.1)


def test_a_share_of_which_nothing_was_seen_has_a_limit_and_no_error(script):
    above = figures(script, scores(np.linspace(0.1, 1.0, 1_000), 0.5))["below_zero"]
    assert (above.value, above.note) == (0.0, "< 0.0011")  # −ln(1 − 0.6827) / 1000
    below = figures(script, scores(np.linspace(-1.0, -0.1, 1_000), 0.5))["below_zero"]
    assert (below.value, below.note) == (1.0, "> 0.9989")


def test_scores_without_the_quantity_are_refused(script):
    with pytest.raises(InputError, match="hold gen_mass, not gen_pt"):
        script.spectrum(scores([1.0, 2.0], 1.0), "gen_pt", "a.parquet")
    with pytest.raises(InputError, match="fewer than two"):
        script.spectrum(scores([1.0, np.nan], 1.0), "gen_mass", "a.parquet")
    assert script.spectrum(scores([1.0, np.nan, 2.0], 1.0), "gen_mass", "a.parquet").left_out == 1


def test_two_files_of_one_name_are_refused(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(script, "read_scores", lambda path: scores([0.1, 0.2], 0.1))
    paths = ["a/scores.parquet", "b/scores.parquet"]
    monkeypatch.setattr("sys.argv", ["mass_spectrum.py", *paths, "--output", str(tmp_path / "out")])
    with pytest.raises(SystemExit):
        script.main()
    assert "another file is called scores; give each a name of its own, NAME=FILE" in capsys.readouterr().err
