"""Quality against cost: which models are on the front, and what is asked of the files."""

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from e2egraph.benchmark.pareto import LATENCY, Contender, compared_figures, contenders, front, pareto_records
from e2egraph.benchmark.report import Record, write_report
from e2egraph.cli import main
from e2egraph.data.scores import IDENTITY, NODES, write_scores
from e2egraph.errors import InputError
from e2egraph.evaluation.compare.evaluated_run import read_evaluated
from e2egraph.evaluation.objectives.evaluation import ComparedFigure
from e2egraph.plots import pareto as pareto_plot
from e2egraph.plots.pareto import plot_pareto

AREA = ComparedFigure("auc", "AUC", 4, highest=True)
ERROR = ComparedFigure("mae", "mean absolute error", 2, highest=False, unit="GeV")
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
    best = front(models, LATENCY, AREA)
    assert [one.model for one in best] == ["fast and poor", "as fast, better", "slow and good"]
    # By definition, in a loop over pairs.
    for one in models:
        beaten = any(
            other.costs[LATENCY] <= one.costs[LATENCY] and other.figures["auc"] >= one.figures["auc"]
            for other in models
            if other is not one
        )
        assert (one in best) == (not beaten)
    on = {r.case for r in pareto_records(models, [AREA]) if r.metric == "on_front" and r.value == 1}
    assert on == {one.model for one in best}


def test_of_errors_the_lowest_is_the_best() -> None:
    models = [
        Contender(name, 1, {"mae": mae, "parameters": 1e4}, {LATENCY: ms})
        for name, mae, ms in (("slow and good", 5.0, 9.0), ("fast and poor", 9.0, 0.1), ("beaten", 9.5, 0.2))
    ]
    assert [one.model for one in front(models, LATENCY, ERROR)] == ["fast and poor", "slow and good"]
    records = pareto_records(models, [ERROR])
    assert {r.unit for r in records if r.metric == "mae"} == {"GeV"}
    assert {r.note for r in records if r.metric == "on_front"} == {f"mean absolute error against {LATENCY}"}


def write_run(folder: Path, model: str, seed: int, auc: float, low: float | None, **changes: object) -> Path:
    folder.mkdir()
    content = {
        "model": model, "seed": seed, "split": "test", "data_set": {"digest": "d", "folder": "data"}, "parameters": 7,
        "objective": OBJECTIVE, "training_jets_per_second": 10.0, "auc": auc, "auc_error": 0.01,
        "signal_efficiency_at_1pct_mistag": 0.5, "signal_efficiency_at_1pct_mistag_error": 0.1,
        "signal_efficiency_at_0p1pct_mistag": low,
    }  # fmt: skip
    (folder / "metrics.json").write_text(json.dumps(content | changes))
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
    (found,) = contenders(read_evaluated(runs), costs)
    assert found.runs == 2
    assert found.figures["auc"] == pytest.approx(0.97)
    # With too few background jets in one of them there is no mean.
    assert "signal_efficiency_at_0p1pct_mistag" not in found.figures
    assert found.costs == {LATENCY: 2.0, "latency_ms_per_jet_p50@64": 1.5, "train_jets_per_second": 300.0}


def test_too_little_background_for_the_efficiency_at_1_per_cent_leaves_it_out_of_means_alone(tmp_path, costs) -> None:
    few = {"background_passing": 9.2}
    runs = [write_run(tmp_path / f"a{seed}", "a", seed, 0.9, None, **few) for seed in (1, 2)]
    (mean,), (single,) = contenders(read_evaluated(runs), costs), contenders(read_evaluated(runs[:1]), costs)
    assert "signal_efficiency_at_1pct_mistag" not in mean.figures
    assert single.figures["signal_efficiency_at_1pct_mistag"] == 0.5
    enough = [write_run(tmp_path / f"b{seed}", "a", seed, 0.9, None, background_passing=10.0) for seed in (1, 2)]
    assert contenders(read_evaluated(enough), costs)[0].figures["signal_efficiency_at_1pct_mistag"] == 0.5


def test_records_say_how_many_objects_figures_are_of(tmp_path: Path) -> None:
    models = [
        Contender(name, 1, {"auc": 0.9, "parameters": 1.0}, {LATENCY: 1.0}, jets)
        for name, jets in (("a", 50), ("b", 40))
    ]
    records = pareto_records(models, [AREA])
    assert [r.note for r in records if r.metric == "auc"] == ["one run, of 50 objects", "one run, of 40 objects"]
    assert all(r.note.endswith(", of different objects") for r in records if r.metric == "on_front")
    assert not any("different" in r.note for r in pareto_records(models[:1], [AREA]))


def test_runs_that_are_no_seeds_are_refused_without_naming_an_option_of_another_command(tmp_path: Path, costs) -> None:
    runs = [write_run(tmp_path / name, "a", 1, 0.9, None) for name in ("a1", "again")]
    with pytest.raises(InputError, match=r"one seed \(1, 1\), but a mean needs different seeds; give one of them\."):
        contenders(read_evaluated(runs), costs)
    other = write_run(tmp_path / "a2", "a", 2, 0.9, None, parameters=8)
    with pytest.raises(InputError, match="both 'a', but of different parameters; give one of them, or give"):
        contenders(read_evaluated([runs[0], other]), costs)
    with pytest.raises(InputError, match="given twice"):
        read_evaluated([runs[0], runs[0]])


def test_a_regression_has_its_own_figures_and_picture(tmp_path: Path, costs, capsys) -> None:
    target = {"name": "gen_mass", "unit": "GeV", "offset": 100.0, "scale": 100.0}
    regression = {"kind": "regression", "classes": ["qcd", "top"], "targets": [target]}
    figures = {"mae": 12.0, "resolution": 0.2, "bias": -1.0}
    run = write_run(tmp_path / "a1", "a", 1, 0.9, None, objective=regression, **figures)
    jets = {name: np.ones(2, np.int64) for name in IDENTITY} | {"target_gen_mass": np.ones(2)}
    write_scores(run / "scores.parquet", jets, np.ones((2, 1)), ("predicted_gen_mass",))
    output = tmp_path / "pareto.json"
    assert main(["benchmark", "pareto", str(run), "--costs", str(costs[0]), "--output", str(output)]) == 0
    records = {r["metric"]: r for r in json.loads(output.read_text())["records"]}
    assert {name: records[name]["value"] for name in figures} == figures
    assert (records["mae"]["unit"], records["on_front"]["value"]) == ("GeV", 1.0)
    assert "mean absolute error" in capsys.readouterr().out
    assert compared_figures(read_evaluated([run]))[0].name == "mae"
    (run / "metrics.json").write_text((run / "metrics.json").read_text().replace('"mae": 12.0', '"mae": null'))
    with pytest.raises(InputError, match="a: no mean absolute error among its metrics"):
        contenders(read_evaluated([run]), costs)


def test_what_is_missing_is_named(tmp_path: Path, costs) -> None:
    other = write_run(tmp_path / "b1", "b", 1, 0.9, None)
    with pytest.raises(InputError, match="b: no latency in the benchmark files"):
        contenders(read_evaluated([other]), costs)
    (tmp_path / "wrong.json").write_text('{"records": [{"case": "a"}]}')
    with pytest.raises(InputError, match=r"wrong\.json: not what a benchmark writes"):
        contenders(read_evaluated([other]), [tmp_path / "wrong.json"])


def test_files_that_disagree_on_a_cost_are_refused_and_latencies_of_several_runs_are_said_to_be(
    tmp_path: Path, costs
) -> None:
    runs = [write_run(tmp_path / f"{name}1", name, 1, 0.9, None) for name in "ab"]
    later = tmp_path / "later.json"
    write_report(later, "…", [Record("b", 1, "latency_ms_per_jet_p50", 4.0, "ms")])
    one, two = contenders(read_evaluated(runs), [*costs, later])
    assert (one.timed_in, two.timed_in) == (costs[0], later)
    notes = {r.note for r in pareto_records([one, two], [AREA]) if r.metric == "on_front"}
    assert notes == {f"AUC against {LATENCY}, timed in different runs of the benchmark"}
    assert contenders(read_evaluated(runs[:1]), [costs[0], costs[0]])[0].costs[LATENCY] == 2.0
    write_report(later, "…", [Record("a", 1, "latency_ms_per_jet_p50", 4.0, "ms")])
    with pytest.raises(InputError, match=r"a: its latency_ms_per_jet_p50 is 2 in .*infer\.json and 4 in .*later\.json"):
        contenders(read_evaluated(runs[:1]), [costs[0], later])


def test_objects_are_told_apart_by_which_they_are_and_not_by_number(tmp_path: Path, costs, capsys) -> None:
    of = {"jets": 2, "jets_without_nodes": 1}
    runs = [write_run(tmp_path / f"{name}1", name, 1, auc, None, **of) for name, auc in (("a", 0.9), ("b", 0.95))]
    write_report(costs[1], "…", [Record("b", 1, "latency_ms_per_jet_p50", 4.0, "ms")])
    output, words = tmp_path / "pareto.json", [str(run) for run in runs]
    for unseen, different in ((1, False), (0, True)):
        for run, without in zip(runs, (1, unseen), strict=True):
            jets = {name: np.arange(3) for name in IDENTITY} | {NODES: (np.arange(3) != without).astype(int)}
            write_scores(run / "scores.parquet", jets, np.full((3, 2), 0.5), ("score_qcd", "score_top"))
        options = [word for path in costs for word in ("--costs", str(path))]
        assert main(["benchmark", "pareto", *words, *options, "--output", str(output)]) == 0
        records = json.loads(output.read_text())["records"]
        assert {r["note"].endswith(", of different objects, timed in different runs of the benchmark")
                for r in records if r["metric"] == "on_front"} == {different}  # fmt: skip


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    models = [contender("a", 0.95, 1.0), contender("b", 0.97, 3.0)]
    best = front(models, LATENCY, AREA)
    png, pdf = plot_pareto(models, best, LATENCY, AREA, tmp_path / "pareto", "simulation")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert pdf.read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("aucs", [(0.9,), (0.9, 0.9), (0.9, 0.95), (1.0, 1.0)])
def test_every_point_is_within_the_axes_and_the_better_one_above(aucs, monkeypatch, tmp_path: Path) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(pareto_plot, "save", lambda figure, stem: drawn.append(figure))
    for figure in (AREA, ERROR):
        values = aucs if figure is AREA else tuple(20.0 * (1.0 - auc) for auc in aucs)
        models = [
            Contender(str(place), 1, {figure.name: value, "parameters": 1e4}, {LATENCY: 1.0 + place})
            for place, value in enumerate(values)
        ]
        plot_pareto(models, front(models, LATENCY, figure), LATENCY, figure, tmp_path / "p", "simulation")
    for figure in drawn:
        (axes,) = figure.axes
        points = np.concatenate([found.get_offsets() for found in axes.collections])
        heights = axes.transAxes.inverted().transform(axes.transData.transform(points))
        assert len(points) == len(aucs) and ((heights > 0.0) & (heights < 1.0)).all()
        low, high = axes.transData.inverted().transform(axes.transAxes.transform([[0, 0], [0, 1]]))[:, 1]
        assert (low > high) == axes.get_ylabel().startswith(("1 −", "mean"))
        if len(set(aucs)) > 1:
            assert heights[np.argmin(points[:, 1]), 1] > heights[np.argmax(points[:, 1]), 1]
