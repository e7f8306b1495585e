"""Pages as a browser shows them."""

import json
import math
import shutil

import pytest
from matplotlib.figure import Figure
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from e2egraph.cli import main
from e2egraph.evaluation.evaluate import evaluate
from e2egraph.evaluation.pages.elements import Section, figure_cell, table
from e2egraph.evaluation.pages.page import Page, write_page
from e2egraph.training.train import train
from tests.evaluation.pages.png_alone import png_alone
from tests.evaluation.pages.test_page import hostile_page
from tests.toy_dataset import write_toy_dataset
from tests.training.tiny_model import write_tiny_model

HACK = "</script></pre><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """An evaluated run whose folder and task have hostile names."""
    folder = tmp_path_factory.mktemp("runs")
    data = write_toy_dataset(folder / "data", 400, nodes=(0, 30))
    manifest = json.loads((data / "manifest.json").read_text())
    manifest["configuration"]["description"] = manifest["task"] = HACK
    (data / "manifest.json").write_text(json.dumps(manifest))
    run = folder / "<img src=x onerror='window.hacked = 1'>"
    settings = ("training.epochs=3", "training.batch_size=16", "training.learning_rate=0.01")
    train(write_tiny_model(folder), data, run, settings=settings, progress=False)
    with png_alone():
        evaluate(run, analysis="top")
    return run


@pytest.fixture(scope="module")
def metrics(run):
    return json.loads((run / "metrics.json").read_text())


@pytest.fixture
def page(browser, run):
    page = browser.open(run / "report.html")
    # On a busy machine the page's scripts come later than its load event.
    WebDriverWait(page.driver, 60).until(lambda driver: driver.find_elements(By.CSS_SELECTOR, ".jet-list button"))
    return page


def part(page, name):
    return page.driver.find_element(By.CSS_SELECTOR, f"[data-part='{name}']")


def drawn(page, selector="[data-part=points] .node"):
    return page.run("return [...document.querySelectorAll(arguments[0])].map((one) => one.outerHTML)", selector)


def image(page):
    return page.run("return document.querySelector('[data-part=image] image').getAttribute('href')")


def choose(page, name, value):
    page.run(
        "const one = document.querySelector(`[data-part=${arguments[0]}]`); one.value = arguments[1];"
        "one.dispatchEvent(new Event('input'))",
        name,
        value,
    )


def test_the_page_opens_without_an_error_and_asks_for_nothing(page, run):
    assert page.driver.title == "tiny: evaluation on " + HACK + " jets"
    assert drawn(page)
    assert page.messages() == []
    assert page.requests() == [(run / "report.html").resolve().as_uri()]
    assert page.run("return [...document.images].every((one) => one.complete && one.naturalWidth > 100 && one.alt)")
    assert page.run("return document.images.length") == 5
    headings = page.run("return [...document.querySelectorAll('h1, h2')].map((one) => one.textContent)")
    assert headings[1:] == [
        "Summary",
        "Expected significance",
        "Plots",
        "Jets",
        "Tables",
        "Configuration",
        "Provenance",
    ]
    links = page.run("return [...document.querySelectorAll('nav a')].map((one) => one.getAttribute('href'))")
    assert all(page.run("return document.querySelector(arguments[0]) !== null", link) for link in links)


def test_a_task_without_significances_has_its_jets_drawn(browser, run, tmp_path):
    html = (run / "report.html").read_text(encoding="utf-8")
    start = html.index('id="report-data">') + len('id="report-data">')
    end = html.index("</script>", start)
    data = json.loads(html[start:end])
    for jet in data["jets"]["jets"]:
        jet["nodes"]["d0"] = jet["nodes"].pop("d0_sig")
        del jet["nodes"]["dz_sig"]
    changed = json.dumps(data).replace("<", "\\u003c")
    (tmp_path / "report.html").write_text(html[:start] + changed + html[end:], encoding="utf-8")
    page = browser.open(tmp_path / "report.html")
    WebDriverWait(page.driver, 60).until(lambda driver: driver.find_elements(By.CSS_SELECTOR, ".jet-list button"))
    tracks = [text for text in drawn(page) if "<title>TRACK" in text]
    assert tracks and all(" cm; " in text and "undefined" not in text for text in tracks)
    assert part(page, "facts").text
    assert page.messages() == []


def test_no_name_from_outside_runs_as_code(page, browser, tmp_path):
    assert page.run("return window.hacked") is None
    assert "window.hacked" in page.run("return document.querySelector('#configuration').textContent")
    other = browser.open(write_page(hostile_page(), tmp_path / "report.html"))
    assert other.run("return window.hacked") is None
    assert other.messages() == []
    assert other.run("return [...document.images].every((one) => one.src.startsWith('data:'))")
    assert other.run("return document.images.length") == 3


def test_the_printed_figures_are_those_of_metrics_json(page, metrics):
    rows = page.run(
        "return [...document.querySelector('#summary table').tBodies[0].rows].map((row) =>"
        " [...row.cells].map((cell) => cell.textContent))"
    )
    shown = {name: (value, error) for name, value, error in rows}
    assert shown["AUC"] == (f"{metrics['auc']:.4f}", f"{metrics['auc_error']:.4f}")
    efficiency = metrics["signal_efficiency_at_1pct_mistag"]
    assert shown["Signal efficiency at 1% mistag"][0] == f"{efficiency:.3f}"
    assert shown["Accuracy"][0] == f"{metrics['accuracy']:.4f}"
    assert shown["Signal efficiency at 0.1% mistag"] == ("–", "–")
    limits = page.run("return [...document.querySelectorAll('#summary .limits li')].map((one) => one.textContent)")
    assert limits == metrics["limits"]
    cards = page.run("return document.querySelector('.cards').textContent")
    assert f"{metrics['auc']:.4f}" in cards
    assert f"{metrics['signal_jets']} signal, {metrics['background_jets']} background" in cards


def test_the_expected_significance_is_that_of_its_file(page, run):
    found = json.loads((run / "significance.json").read_text())
    cells = page.run("return [...document.querySelector('#significance tbody tr').cells].map((one) => one.textContent)")
    assert cells[:3] == [
        f"score ≥ {found['optimum']['threshold']:.4f}",
        f"{found['optimum']['z_exact']:.2f}",
        f"{found['optimum']['z_asimov']:.2f}",
    ]


@pytest.mark.parametrize("column", [1, 2])
def test_a_click_on_a_header_sorts_by_number_up_and_then_down(page, metrics, column):
    head = page.driver.find_elements(By.CSS_SELECTOR, "#summary thead button")[column]
    script = (
        "return [...document.querySelector('#summary table').tBodies[0].rows].map((row) =>"
        " [row.cells[arguments[0]].textContent, row.cells[0].textContent])"
    )
    before = page.run(script, column)
    for sign, state in ((1, "ascending"), (-1, "descending")):
        page.driver.execute_script("arguments[0].click()", head)
        after = page.run(script, column)
        values = [math.inf if text == "–" else sign * float(text) for text, _ in after]
        assert values == sorted(values)
        assert sorted(after) == sorted(before)
        assert page.run("return arguments[0].parentNode.getAttribute('aria-sort')", head) == state
    assert len({text for text, _ in before}) > 3


def test_numbers_sort_as_numbers_and_figures_that_are_absent_stand_last(browser, tmp_path):
    values = [9.0, 10.0, -3.0, 1e-05, None, 0.5, 1e3, None]
    one = table("t", ["value"], [[figure_cell(value)] for value in values])
    page = Page("t", (), {"t": Section("t", "tables.html.j2", {"tables": [one]})}, ("tables.js",), {})
    browser.open(write_page(page, tmp_path / "report.html"))
    for shown in (
        sorted(v for v in values if v is not None),
        sorted((v for v in values if v is not None), reverse=True),
    ):
        browser.driver.find_element(By.CSS_SELECTOR, "thead button").click()
        cells = [cell.text for cell in browser.driver.find_elements(By.CSS_SELECTOR, "td")]
        assert cells == [f"{value:.4f}" for value in shown] + ["–", "–"]


def test_a_header_sorts_words_with_the_keyboard_alone(page):
    head = page.driver.find_element(By.CSS_SELECTOR, "#summary thead button")
    head.send_keys(Keys.ENTER)
    names = page.run(
        "return [...document.querySelector('#summary table').tBodies[0].rows].map((row) => row.cells[0].textContent)"
    )
    assert names[0] == "Accuracy"
    assert names.index("Background rejection at 30% efficiency") < names.index("Background rejection at 50% efficiency")


def test_choosing_a_jet_draws_it_with_its_score(page, run):
    data = json.loads(page.run("return document.getElementById('report-data').textContent"))["jets"]
    before = drawn(page), image(page)
    buttons = page.driver.find_elements(By.CSS_SELECTOR, ".jet-list button")
    assert len(buttons) == len(data["jets"]) == 24
    place = max(range(1, 24), key=lambda number: len(data["jets"][number]["nodes"]["deta"]))
    buttons[place].click()
    jet = data["jets"][place]
    after = drawn(page), image(page)
    assert len(after[0]) == len(jet["nodes"]["deta"])
    assert before[0] != after[0]
    assert before[1] != after[1]
    score = dict(jet["outputs"])["score (top)"]
    status = part(page, "status").text
    assert status.startswith(f"Jet {place + 1} of 24 ({jet['group']})")
    assert status.endswith(score)
    facts = part(page, "facts").text
    assert score in facts
    assert f"run : lumi : event 1 : {jet['identity']['lumi']} : {jet['identity']['event']}" in facts
    buttons[place].send_keys(Keys.ARROW_LEFT)
    assert part(page, "status").text.startswith(f"Jet {place} of 24")


def test_a_channel_can_be_hidden_and_shown_again(page):
    page.driver.find_elements(By.CSS_SELECTOR, ".jet-list button")[0].click()
    whole = drawn(page)
    boxes = page.driver.find_elements(By.CSS_SELECTOR, "[data-part=channels] input")
    present = {box.get_attribute("value") for box in boxes}
    shown = set(page.run("return [...document.querySelectorAll('.node')].map((one) => one.dataset.channel)"))
    assert shown <= present == {"TRACK", "BPIX1", "BPIX2", "BPIX3", "ECAL", "HCAL"}
    channel = sorted(shown)[0]
    box = next(box for box in boxes if box.get_attribute("value") == channel)
    box.send_keys(Keys.SPACE)
    left = page.run("return [...document.querySelectorAll('.node')].map((one) => one.dataset.channel)")
    assert set(left) == shown - {channel}
    box.click()
    assert drawn(page) == whole


def test_zoom_colours_and_planes_change_what_is_drawn(page):
    data = json.loads(page.run("return document.getElementById('report-data').textContent"))["jets"]
    place = max(range(24), key=lambda number: len(data["jets"][number]["nodes"]["deta"]))
    page.driver.find_elements(By.CSS_SELECTOR, ".jet-list button")[place].click()
    first, plane = drawn(page), image(page)
    choose(page, "colour", "effect")
    coloured = drawn(page)
    assert coloured != first
    choose(page, "colour", "channel")
    assert drawn(page) == first
    choose(page, "scale", "3")
    assert drawn(page) != first
    choose(page, "scale", "1")
    assert "ECAL" in part(page, "image-note").text
    choose(page, "plane", "0")
    assert image(page) != plane
    assert "track pT" in part(page, "image-note").text
    frame = "return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    axes = drawn(page, "[data-part=points] .axes text")
    part(page, "points").send_keys("+")
    page.run(frame)
    assert drawn(page) != first
    assert drawn(page, "[data-part=points] .axes text") == drawn(page, "[data-part=image] .axes text") != axes
    part(page, "zoom-reset").click()
    page.run(frame)
    assert drawn(page) == first
    assert page.messages() == []


def test_on_paper_the_controls_go_and_the_configuration_is_open(page):
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert page.run("return [...document.querySelectorAll('.controls')].every((one) => one.offsetHeight === 0)")
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert page.run("return [...document.querySelectorAll('details')].every((one) => one.open)")
    page.run("dispatchEvent(new Event('afterprint'))")
    assert not page.run("return [...document.querySelectorAll('details')].some((one) => one.open)")
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_the_page_names_neither_the_machine_nor_its_folders(run):
    text = (run / "report.html").read_text()
    recorded = json.loads((run / "environment.json").read_text())
    assert str(run.parent) not in text
    assert recorded["packages"]["torch"] in text
    assert json.loads((run / "metrics.json").read_text())["data_set"]["digest"] in text
    assert "parametric simulation, not CMS simulation" in text
    assert len(text) < 2_000_000


def test_a_report_that_is_not_wanted_does_not_stay(run, tmp_path, monkeypatch):
    copy = shutil.copytree(run, tmp_path / "copy")
    assert (copy / "report.html").is_file()
    # Drawing takes most of an evaluation's time and is not asked about here.
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **options: path.touch())
    assert main(["evaluate", str(copy), "--no-report"]) == 0
    assert (copy / "metrics.json").is_file()
    assert not (copy / "report.html").exists()
