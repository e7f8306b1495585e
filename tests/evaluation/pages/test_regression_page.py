"""The page of a regression, and of a network that classifies and regresses at once."""

import json
import re

import pytest

from e2egraph.evaluation.evaluate import evaluate
from e2egraph.evaluation.objectives.evaluation import SECTIONS, Evaluation, evaluation_of
from e2egraph.evaluation.pages.page import Page, render
from e2egraph.evaluation.pages.sections import registry
from e2egraph.evaluation.pages.sections.registry import Evaluated, make_sections, section
from e2egraph.training.train import train
from tests.evaluation.pages.png_alone import png_alone
from tests.evaluation.pages.test_page import Tags
from tests.toy_dataset import toy_task, write_toy_dataset
from tests.training.tiny_model import write_tiny_model

UNIT = "GeV<b>&"
REGRESSION = {
    "kind": "regression",
    "classes": ["qcd", "top"],
    "targets": [
        {"name": "gen_mass", "unit": UNIT, "offset": 100.0, "scale": 100.0},
        {"name": "gen_pt", "unit": "GeV", "offset": 500.0, "scale": 100.0},
    ],
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    data = write_toy_dataset(folder / "data", 1200, nodes=(0, 20), objective=REGRESSION)
    settings = ("training.epochs=2", "training.batch_size=64", "training.learning_rate=0.01")
    train(write_tiny_model(folder), data, folder / "run", settings=settings, progress=False)
    with png_alone():
        evaluate(folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def metrics(run):
    return json.loads((run / "metrics.json").read_text())


def test_the_page_of_a_regression_shows_figures_plots_and_bins_of_every_target(run, metrics, browser):
    page = browser.open(run / "report.html")
    assert page.messages() == []
    assert page.requests() == [(run / "report.html").resolve().as_uri()]
    headings = page.run("return [...document.querySelectorAll('h2')].map((one) => one.textContent)")
    assert headings == ["Summary", "Regression", "Jets", "Configuration", "Provenance"]
    rows = page.run(
        "return [...document.querySelector('#regression table').tBodies[0].rows].map((row) =>"
        " [...row.cells].map((cell) => cell.textContent))"
    )
    shown = {(target, figure): (value, error) for target, figure, value, error in rows}
    for name in ("gen_mass", "gen_pt"):
        found = metrics["targets"][name]
        unit = UNIT if name == "gen_mass" else "GeV"
        expected = (f"{found['mae']:.{found['digits']}f}", f"{found['mae_error']:.{found['digits']}f}")
        assert shown[name, f"Mean absolute error [{unit}]"] == expected
        expected = (f"{found['resolution']:.4f}", f"{found['resolution_error']:.4f}")
        assert shown[name, "Relative resolution"] == expected
    assert page.run("return document.querySelectorAll('#regression figure').length") == 6
    captions = page.run("return [...document.querySelectorAll('#regression caption')].map((one) => one.textContent)")
    assert f"gen_mass in bins of true gen_mass [{UNIT}]" in captions
    assert "gen_pt in bins of pT [GeV]" in captions
    assert page.run("return document.querySelectorAll('.jet-list button').length") == 24
    assert page.run("return document.querySelectorAll('b').length") == 0
    cards = page.run("return document.querySelector('.cards').textContent")
    assert f"{metrics['mae']:.{metrics['targets']['gen_mass']['digits']}f} {UNIT}" in cards


def test_bins_of_the_page_are_those_of_metrics_json(run, metrics):
    html = (run / "report.html").read_text()
    for one in metrics["targets"]["gen_mass"]["bins"]["gen_mass"]:
        figures, errors = one["figures"], one["errors"]
        assert f">{figures['response']:.4f} ± {errors['response']:.4f}</td>" in html
    assert set(metrics["targets"]["gen_pt"]["bins"]) == {"gen_pt", "jet_pt", "jet_abs_eta"}


def made(metrics, folder):
    judge = evaluation_of(toy_task(objective=REGRESSION).objective)
    return judge, Evaluated(folder, metrics, None, judge.report(metrics))


def test_figures_that_are_not_known_are_dashes_with_the_reason(metrics, tmp_path):
    content = json.loads(json.dumps(metrics))
    found = content["targets"]["gen_pt"]
    found |= {"resolution": None, "resolution_error": None, "response": None, "response_error": None}
    found["bins"] = {"jet_pt": [{**found["bins"]["jet_pt"][0], "figures": None, "errors": None, "limit": "no weight"}]}
    content["limits"] = ["gen_pt: no relative resolution"]
    judge, evaluated = made(content, tmp_path)
    text = render(Page("t", (), make_sections(judge.sections[:2], evaluated), (), {}))
    assert "No plots were made." in text
    assert "<li>gen_pt: no relative resolution</li>" in text
    assert "<dt>Relative resolution of gen_pt</dt><dd>–<small></small></dd>" in text
    (row,) = re.findall(r"<tr>.*no weight.*</tr>", text)
    assert row.count(">–</td>") == 5


def test_a_joint_objective_has_the_sections_of_both_in_their_order():
    classification = {"kind": "classification", "classes": ["qcd", "top"], "signal": "top"}
    joint = evaluation_of(toy_task(objective={"kind": "joint", "heads": [classification, REGRESSION]}).objective)
    assert joint.sections == (
        "summary",
        "regression",
        "significance",
        "plots",
        "jets",
        "tables",
        "configuration",
        "provenance",
    )
    assert Evaluation.sections == SECTIONS


def test_an_objective_can_name_a_section_of_its_own(metrics, tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_MAKERS", dict(registry._MAKERS))

    @section("worst")
    def worst(evaluated):
        from e2egraph.evaluation.pages.elements import Section, table

        rows = [[name, str(one["mae"])] for name, one in evaluated.metrics["targets"].items()]
        return Section("Worst", "tables.html.j2", {"tables": [table("Worst", ["target", "error"], rows)]})

    _, evaluated = made(metrics, tmp_path)
    sections = make_sections(("worst", "tables", "regression"), evaluated)
    # Without tables of its own there is no section of them.
    assert list(sections) == ["worst", "regression"]
    page = Tags(render(Page("t", (), sections, (), {})))
    assert str(metrics["targets"]["gen_pt"]["mae"]) in page.text
    with pytest.raises(ValueError, match="no section best; there are"):
        make_sections(("best",), evaluated)
    with pytest.raises(ValueError, match="section worst exists already"):
        section("worst")(lambda evaluated: None)
