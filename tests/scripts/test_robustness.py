"""``scripts/robustness.py``: the variations of detector and generator are what their names say."""

import json
from dataclasses import asdict
from types import SimpleNamespace

import pytest

from e2egraph.errors import InputError
from e2egraph.simulation.simulate import read_settings
from e2egraph.tasks.task import load_task
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


def test_runs_of_another_objective_are_refused_before_any_work(tmp_path):
    with loading.script("robustness") as script:
        script.check_task(SimpleNamespace(folder=tmp_path, objective=load_task("top").objective))
        for other in ("tau", "top-mass"):
            with pytest.raises(InputError, match=f"{tmp_path}: trained for another objective than that of task top"):
                script.check_task(SimpleNamespace(folder=tmp_path, objective=load_task(other).objective))


def test_a_command_that_fails_is_named(tmp_path):
    with (
        loading.script("robustness") as script,
        pytest.raises(InputError, match=r"'e2egraph inspect .*none' ended with exit code 1; see its message above"),
    ):
        script.e2egraph("inspect", str(tmp_path / "none"))


def test_figures_without_an_error_are_given_as_such_and_damaged_ones_named(tmp_path, monkeypatch):
    report = {"jets": 40, "auc": 0.9, "auc_error": 0.01, "signal_efficiency_at_1pct_mistag": 0.2}
    folder = tmp_path / "nominal" / "run"
    folder.mkdir(parents=True)
    with loading.script("robustness") as script:
        monkeypatch.setattr(script, "make_data", lambda *others: tmp_path)
        given = ("nominal", [], [tmp_path / "run"], tmp_path, 1, 1)
        content = {**report, "signal_efficiency_at_1pct_mistag_error": None}
        (folder / "metrics.json").write_text(json.dumps(content), encoding="utf-8")
        assert [record.note for record in script.measured(*given)] == ["error 0.0100", "no error"]
        for damaged in ("{", json.dumps(report)):
            (folder / "metrics.json").write_text(damaged, encoding="utf-8")
            with pytest.raises(InputError, match=r"metrics\.json: damaged, or not of a classification"):
                script.measured(*given)
