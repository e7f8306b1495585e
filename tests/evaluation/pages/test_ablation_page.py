import re
from dataclasses import replace

import pytest

from e2egraph.errors import InputError
from e2egraph.evaluation.ablation.results import (
    SCHEMA_VERSION,
    Ablation,
    Cell,
    DataSet,
    InputRow,
    RunEntry,
    write_ablation,
)
from e2egraph.evaluation.compare.over_seeds import MeanFigure
from e2egraph.evaluation.metrics.registry import FIGURES
from e2egraph.evaluation.pages.ablation_page import number_cell, write_ablation_report
from tests.evaluation.ablation.made import FIGURES_SHOWN

AUC, EFFICIENCY = "auc", "signal_efficiency_at_1pct_mistag"
ROWS = (
    InputRow("pt", "track pT <b>", ("TRACK",), ("track_pt",), ("d0", "dz"), None),
    InputRow("all", "all", None, None, (), None),
)


def figures(auc):
    values = dict.fromkeys(FIGURES, MeanFigure(None, None, None, None))
    return values | {AUC: MeanFigure(auc, 0.0012, 0.001, None), EFFICIENCY: MeanFigure(auc / 2, 0.02, 0.02, None)}


def run(row, model, auc):
    values = {**dict.fromkeys(FIGURES), AUC: auc, EFFICIENCY: auc / 2}
    errors = {**dict.fromkeys(FIGURES), AUC: 0.0012, EFFICIENCY: 0.02}
    return RunEntry(row, model, 100, 1, "runs/x", (), values, errors, 321, 100, 3, 2, 0.9, 50.0, 6.0, "cpu")


def cell(row, model, auc):
    return Cell(row, model, 100, 100, (1,), figures(auc), 321, 50.0, None)


PAIRS = (("pt", "image", 0.91), ("pt", "graph", 0.93), ("all", "image", 0.97), ("all", "graph", 0.98765))


@pytest.fixture
def ablation():
    return Ablation(
        schema_version=SCHEMA_VERSION,
        e2egraph="0.1.0",
        command="e2egraph ablate --data /home/someone/train --output ablation",
        task="top",
        classes=("qcd", "top"),
        objective="classification (classes qcd, top)",
        signal="top",
        figures=FIGURES_SHOWN,
        best="AUC",
        recipe="short",
        recipe_settings={"training": {"epochs": 3}},
        settings=("training.epochs=3",),
        models=("image", "graph"),
        reference="image",
        rows=ROWS,
        training_jets=100,
        training_data=DataSet("train", "a" * 64, 400),
        test_data=DataSet("test", "b" * 64, 200),
        split="test",
        signal_jets=80,
        background_jets=120,
        weighted=False,
        simulation=True,
        resamples=200,
        runs=tuple(run(*pair) for pair in PAIRS),
        cells=tuple(cell(*pair) for pair in PAIRS),
        model_differences=(),
        layer_differences=(),
        failures=(),
        limits=("pt, graph, seed 2: no such file /home/someone/x.parquet",),
        machine={"host": "node7", "processor": "some"},
    )


def text_of(html):
    return re.sub(r"<[^>]+>", " ", html)


def test_the_page_of_an_ablation_shows_its_tables_plots_and_making(ablation, tmp_path):
    write_ablation(tmp_path, ablation)
    (tmp_path / "inputs.png").write_bytes(b"\x89PNG")
    path = write_ablation_report(tmp_path)
    assert path == tmp_path / "report.html"
    html = path.read_text()
    assert "<title>image and graph: ablation of inputs on task top</title>" in html
    for auc in ("0.9100 ± 0.0012", "0.9300 ± 0.0012", "0.9700 ± 0.0012", "0.9877 ± 0.0012"):
        assert html.count(f">{auc}</td>") == 2
    assert html.count("<figure>") == 1
    assert "graph: AUC</dt><dd>0.9877<small>± 0.0012; 100 training objects, 1 seed</small>" in html
    text = text_of(html)
    assert "epochs: 3" in text
    assert "b" * 64 in text
    assert "no such file x.parquet" in text
    assert "parametric simulation, not CMS simulation" in text
    assert "/home/someone" not in html
    assert "node7" not in html
    assert "track pT <b>" not in html


def test_an_ablation_without_the_row_of_all_inputs_says_so(ablation, tmp_path):
    cells = [one for one in ablation.cells if one.row == "pt"]
    runs = [one for one in ablation.runs if one.row == "pt"]
    write_ablation(tmp_path, replace(ablation, rows=ROWS[:1], cells=tuple(cells), runs=tuple(runs)))
    text = text_of(write_ablation_report(tmp_path).read_text())
    assert "No row holds all inputs." in text
    assert "No plots were made." in text


def test_a_folder_without_an_ablation_is_refused(tmp_path):
    with pytest.raises(InputError, match="e2egraph ablate"):
        write_ablation_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.9885 ± 0.0006", 0.9885),
        ("−0.0031 ± 0.0002", -0.0031),
        ("+0.2 ± 0.1", 0.2),
        ("4.1e-09", 4.1e-09),
        ("< 1e-300", 1e-300),
        ("123,906", 123906.0),
        ("12", 12.0),
        ("–", None),
        ("too few", None),
        ("2 of 3 seeds: none", 2.0),
    ],
)
def test_figures_in_words_sort_by_the_number_they_begin_with(text, number):
    assert number_cell(text).number == number
    assert number_cell(text).text == text
