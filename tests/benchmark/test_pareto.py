"""Quality against cost: which models are on the front, and what is asked of the files."""

import json
from pathlib import Path

import pytest

from e2egraph.benchmark.pareto import LATENCY, Contender, contenders, front, pareto_records
from e2egraph.benchmark.report import Record, write_report
from e2egraph.errors import InputError
from e2egraph.plots.pareto import plot_pareto

OBJECTIVE = {"kind": "classification", "classes": ["qcd", "top"], "signal": "top"}


def contender(model: str, auc: float, ms: float) -> Contender:
    return Contender(model, 1, {"auc": auc, "parameters": 1e4}, {LATENCY: ms})


def test_the_front_holds_each_model_that_none_of_lower_or_equal_cost_beats() -> None:
    models = [
        contender("slow and good", 0.99, 9.0),
        contender("fast and poor", 0.90, 0.1),
        contender("beaten by the fast one", 0.89, 0.2),
        contender("as fast, better", 0.95, 1.0),
        contender("as fast, worse", 0.94, 1.0),
        contender("slowest and no better", 0.99, 10.0),
    ]
    assert [one.model for one in front(models, LATENCY)] == ["fast and poor", "as fast, better", "slow and good"]
    # By definition, in a loop over pairs.
    for one in models:
        beaten = any(
            other.costs[LATENCY] <= one.costs[LATENCY] and other.figures["auc"] >= one.figures["auc"]
            for other in models
            if other is not one
        )
        assert (one in front(models, LATENCY)) == (not beaten)
    on = {r.case for r in pareto_records(models) if r.metric == "on_front" and r.value == 1}
    assert on == {one.model for one in front(models, LATENCY)}


def write_run(folder: Path, model: str, seed: int, auc: float, low: float | None) -> Path:
    folder.mkdir()
    content = {
        "model": model, "seed": seed, "split": "test", "data_set": {"digest": "d", "folder": "data"}, "parameters": 7,
        "objective": OBJECTIVE, "training_jets_per_second": 10.0, "auc": auc, "auc_error": 0.01,
        "signal_efficiency_at_1pct_mistag": 0.5, "signal_efficiency_at_1pct_mistag_error": 0.1,
        "signal_efficiency_at_0p1pct_mistag": low,
    }  # fmt: skip
    (folder / "metrics.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def costs(tmp_path: Path) -> list[Path]:
    records = [
        Record("a", 1, "latency_ms_per_jet_p50", 2.0, "ms"),
        Record("a", 64, "latency_ms_per_jet_p50", 1.5, "ms"),
        Record("a", 1, "cpu_ms_per_jet_p50", 9.0, "ms"),
    ]
    write_report(tmp_path / "infer.json", "e2egraph benchmark infer", records)
    write_report(tmp_path / "train.json", "…", [Record("a", 640, "train_jets_per_second", 300.0, "1/s")])
    return [tmp_path / "infer.json", tmp_path / "train.json"]


def test_a_model_is_the_mean_over_its_seeds_with_what_the_benchmarks_measured(tmp_path: Path, costs) -> None:
    runs = [write_run(tmp_path / "a1", "a", 1, 0.96, 0.2), write_run(tmp_path / "a2", "a", 2, 0.98, None)]
    (found,) = contenders(runs, costs)
    assert found.runs == 2
    assert found.figures["auc"] == pytest.approx(0.97)
    # With too few background jets in one of them there is no mean.
    assert "signal_efficiency_at_0p1pct_mistag" not in found.figures
    assert found.costs == {LATENCY: 2.0, "latency_ms_per_jet_p50@64": 1.5, "train_jets_per_second": 300.0}


def test_what_is_missing_is_named(tmp_path: Path, costs) -> None:
    other = write_run(tmp_path / "b1", "b", 1, 0.9, None)
    with pytest.raises(InputError, match="b: no latency in the benchmark files"):
        contenders([other], costs)
    (tmp_path / "wrong.json").write_text('{"records": [{"case": "a"}]}')
    with pytest.raises(InputError, match=r"wrong\.json: not what a benchmark writes"):
        contenders([other], [tmp_path / "wrong.json"])


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    models = [contender("a", 0.95, 1.0), contender("b", 0.97, 3.0)]
    png, pdf = plot_pareto(models, front(models, LATENCY), LATENCY, tmp_path / "pareto", "simulation")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert pdf.read_bytes().startswith(b"%PDF")
