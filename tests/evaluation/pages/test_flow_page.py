"""The page of a comparison of particle flow as a browser shows it."""

import json
from dataclasses import replace

import pytest

from e2egraph.evaluation.particleflow.columns import PUPPI, RULES, TARGET, read_events
from e2egraph.evaluation.particleflow.compare import compare
from e2egraph.evaluation.particleflow.report import JSON_NAME, write_comparison
from tests.evaluation.pages.png_alone import png_alone

HACK = "<img src=x onerror='window.hacked = 1'>"


@pytest.fixture(scope="module")
def folder(flow_data, tmp_path_factory):
    """A comparison with a network of a hostile name, jets calibrated, two events drawn."""
    folder = tmp_path_factory.mktemp("flow")
    events = read_events(flow_data)
    rules = events.columns[RULES]
    events = replace(events, columns={**events.columns, HACK: replace(rules, pt=1.1 * rules.pt)})
    found = compare(events, 10, calibrate_on=events)
    about = {"data_set": "0123456789abcdef", "split": "all", "resamples": 10, "calibrated_on": "validation"}
    with png_alone():
        page = write_comparison(folder, found, events, "e2egraph compare-particles /home/x/data --output y", about, 2)
    assert page == folder / "report.html"
    return folder


@pytest.fixture
def page(browser, folder):
    return browser.open(folder / "report.html")


def test_the_page_needs_nothing_else_and_shows_every_part(page, folder):
    assert page.messages() == []
    assert page.requests() == [(folder / "report.html").resolve().as_uri()]
    assert page.run("return window.hacked") is None
    headings = page.run("return [...document.querySelectorAll('h2')].map((one) => one.textContent)")
    assert headings == ["Summary", "Jets", "Jets after one calibration", "Recoil", "Particles by class", "Pile-up",
                        "Event displays", "Provenance"]  # fmt: skip
    assert "Parametric simulation, not CMS simulation." in page.run(
        "return document.querySelector('header').textContent"
    )
    shown = page.run(
        "return [...document.images].map((one) => [one.src.slice(0, 15), one.naturalWidth, one.alt.length])"
    )
    assert len(shown) == 4 + 2 + 2
    assert all(source == "data:image/png;" and width > 100 and alt > 20 for source, width, alt in shown)
    text = page.run("return document.body.textContent")
    assert "compare-particles data --output y" in text and "/home/x" not in text


def test_its_tables_hold_the_figures_of_the_json(page, folder):
    content = json.loads((folder / JSON_NAME).read_text())
    rows = page.run(
        "return [...document.querySelectorAll('#jets table')].map((table) => [table.caption.textContent,"
        " [...table.tHead.rows[0].cells].map((cell) => cell.textContent),"
        " [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.innerText))])"
    )
    assert [caption for caption, *_ in rows][:2] == ["Median response", "Resolution"]
    header, body = rows[1][1:]
    assert header == ["generated jet pT", "n", RULES, PUPPI, TARGET, "perfect association", HACK]
    (row,) = [row for row in body if row[0] == "30-50 GeV"]
    for place, column in enumerate(content["columns"]):
        (figure,) = [each for each in content["figures"] if (each["part"], each["quantity"], each["bin"],
                     each["column"]) == ("jets", "resolution", "30-50 GeV", column)]  # fmt: skip
        first, *second = row[2 + place].split("\n")
        assert first == f"{figure['value']:.4f} ± {figure['error']:.4f}"
        assert (second == []) == (figure["difference"] is None)
    captions = page.run("return [...document.querySelectorAll('#calibration caption')].map((one) => one.textContent)")
    assert captions == ["Median response before", "Resolution before", "Median response after", "Resolution after"]
    assert content["calibration"].keys() == set(content["columns"])


def test_on_a_phone_nothing_is_wider_than_the_screen_but_what_moves_by_itself(page):
    size = {"width": 375, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        assert page.run("return document.documentElement.scrollWidth") <= 375
        displays = "[...document.querySelectorAll('#displays figure')]"
        # Panels stay legible: the picture is wider than the screen and scrolls in its frame.
        assert page.run(f"return {displays}.every((one) => one.scrollWidth > 700 && one.clientWidth < 376)")
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
