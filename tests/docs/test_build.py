"""The documentation builds without a warning or the network, and what it lists is complete."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

import e2egraph
from e2egraph.api.configurations import kinds
from e2egraph.cli import cli
from tests.docs.fences import ROOT
from tests.evaluation.pages.conftest import Browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built anew; every warning fails, unknown links among them."""
    folder = tmp_path_factory.mktemp("site")
    # A proxy that leads nowhere: whoever asks the network fails.
    environment = {**os.environ, "https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-E", "-d", str(folder / "doctrees")]
    done = subprocess.run(
        [*command, str(ROOT / "docs"), str(folder / "html")],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "html"


def text_of(page: Path) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))


def test_every_command_and_option_has_its_entry(site: Path) -> None:
    for name, command in cli.commands.items():
        shown = text_of(site / "generated/commands" / f"{name}.html")
        for each in getattr(command, "commands", {name: command}).values():
            for parameter in each.params:
                for option in parameter.opts:
                    assert parameter.param_type_name == "argument" or option in shown, f"{name}: {option}"


def test_every_key_of_every_configuration_has_its_row(site: Path) -> None:
    for name, kind in kinds().items():
        shown = text_of(site / "generated/configuration" / f"{name}.html")
        for key in kind.keys(None):
            assert key.name in shown, f"{name}: {key.name}"
        for each in kind.names:
            assert each in shown, f"{name}: {each}"


def test_every_function_of_the_interface_has_its_page_with_its_arguments(site: Path) -> None:
    for name in e2egraph.__all__:
        assert f"e2egraph.{name}" in text_of(site / "generated/python" / f"{name}.html"), name
    train = text_of(site / "generated/python/train.html")
    assert all(word in train for word in ("Parameters", "Returns", "Raises", "on_epoch", "Name in configs/recipes"))


def test_every_link_inside_the_site_leads_somewhere(site: Path) -> None:
    anchors = {
        page: set(re.findall(r'\bid="([^"]+)"', page.read_text(encoding="utf-8"))) for page in site.rglob("*.html")
    }
    seen = 0
    for page in anchors:
        for target in re.findall(r'(?:href|src)="([^"]+)"', page.read_text(encoding="utf-8")):
            if re.match(r"[a-z]+:", target) or "_static" in target:
                continue
            name, _, anchor = html.unescape(target).partition("#")
            there = (page.parent / name.partition("?")[0]).resolve() if name else page
            assert there.exists(), f"{page.relative_to(site)}: {target}"
            if anchor and there in anchors:
                assert anchor in anchors[there], f"{page.relative_to(site)}: {target}"
            seen += 1
    assert seen > 1000


def test_the_site_asks_no_network_by_itself(site: Path) -> None:
    for page in site.rglob("*.html"):
        content = page.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe)[^>]*\bsrc="([^"]+)"', content)
        loaded += re.findall(r'<link[^>]*rel="stylesheet"[^>]*href="([^"]+)"', content)
        assert not [target for target in loaded if target.startswith(("http", "//"))], page


# One of each kind of made pages; the others are made alike.
MADE = [
    "generated/commands/benchmark.html",
    "generated/configuration/detector.html",
    "generated/configuration/model.html",
    "generated/python/Tagger.html",
    "generated/results/tau_inputs.html",
    "generated/how-it-was-found.html",
]

WIDER_THAN_THE_SCREEN = """
const scrolls = (node) => ["auto", "scroll", "hidden"].includes(getComputedStyle(node).overflowX);
const outside = (node) => {
  const box = node.getBoundingClientRect();
  if (box.width === 0 || box.right <= innerWidth + 1) return false;
  for (let one = node.parentElement; one; one = one.parentElement) if (scrolls(one)) return false;
  return true;
};
return [...document.querySelectorAll("article *")].filter(outside).map((node) => node.textContent.slice(0, 60));
"""


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_a_phone_or_a_desktop(site: Path, browser: Browser, width: int) -> None:
    written = [path for path in site.rglob("*.html") if not {"generated", "_static"} & set(path.parts)]
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        for page in (*written, *(site / name for name in MADE)):
            browser.open(page)
            assert browser.run(WIDER_THAN_THE_SCREEN) == [], page.relative_to(site)
            assert browser.run("return document.scrollingElement.scrollWidth") <= width + 1, page.relative_to(site)
            assert [text for text in browser.messages() if "favicon" not in text] == [], page.relative_to(site)
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_page_of_jets_shows_those_of_the_task_that_is_clicked(site: Path, browser: Browser) -> None:
    driver = browser.open(site / "explanation/jets.html").driver
    driver.find_element(By.CSS_SELECTOR, '.tasks a[href*="/tau.html"]').click()
    driver.switch_to.frame("display")
    try:
        WebDriverWait(driver, 60).until(lambda tab: tab.execute_script("return document.title").endswith("tau"))
        WebDriverWait(driver, 60).until(lambda tab: tab.find_elements(By.CSS_SELECTOR, "[data-part=points] *"))
        assert len(driver.find_elements(By.CSS_SELECTOR, "[data-part=list] button")) == 4
        assert not driver.find_element(By.CSS_SELECTOR, "[data-part=effects]").is_displayed()
    finally:
        driver.switch_to.default_content()
