"""``scripts/robustness.py``: the variations of detector and generator are what their names say."""

from dataclasses import asdict

import pytest

from e2egraph.simulation.simulate import read_settings
from tests.scripts import loading


def flat(values: dict, prefix: str = "") -> dict[str, object]:
    """Nested settings as ``a.b.c`` → value."""
    found: dict[str, object] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


@pytest.fixture(scope="module")
def varied():
    """Name of a variation → setting → (shipped value, its own), of those that differ."""
    with loading.script("robustness") as script:
        settings = {
            name: {process: flat(asdict(read_settings(process, given))) for process in script.SAMPLES}
            for name, given in script.VARIATIONS.items()
        }
    return {
        name: {
            key: (shipped, process[key])
            for kind, process in of.items()
            for key, shipped in settings["nominal"][kind].items()
            if process[key] != shipped
        }
        for name, of in settings.items()
    }


def test_every_variation_but_the_nominal_changes_the_simulation(varied):
    # The shipped pile-up is 10 in the mean.
    assert {name for name, changed in varied.items() if not changed} == {"nominal", "pile-up 10"}
    kinds = {"calorimeter noise x2", "pile-up 40", "BPIX1 dead", "field 3.4 T", "tune 4C"}
    assert kinds <= set(varied)


@pytest.mark.parametrize(
    ("name", "factor"), [("calorimeter noise x2", 2.0), ("2% fewer tracks", 0.98), ("d0, dz resolution +10%", 1.1)]
)
def test_factors_are_of_the_shipped_values(varied, name, factor):
    assert {"calorimeter noise x2": 2, "2% fewer tracks": 1, "d0, dz resolution +10%": 4}[name] == len(varied[name])
    for shipped, own in varied[name].values():
        assert own == pytest.approx(factor * shipped)


def test_a_dead_layer_has_neither_hits_nor_noise(varied):
    of_layer = {key.rpartition(".")[2]: own for key, (_, own) in varied["BPIX1 dead"].items()}
    assert of_layer == {"efficiency": 0, "noise": 0}


@pytest.mark.parametrize(("runs", "words"), [(("a/seed_1", "b/seed_1"), "two runs are called seed_1"), (("c",), "c")])
def test_runs_that_cannot_be_told_apart_or_read_are_named_before_any_work(runs, words, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["robustness.py", *runs, "--output", str(tmp_path / "out")])
    with loading.script("robustness") as script:
        if len(runs) > 1:
            monkeypatch.setattr(script, "read_run", lambda run: None)
        with pytest.raises(SystemExit) as ended:
            script.main()
    assert ended.value.code == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
