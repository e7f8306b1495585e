"""scripts/jet_display.py: a page for a data set, with objects of each class and no network."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.scripts.loading import script
from tests.toy_dataset import write_toy_dataset

DISPLAYED = Path(__file__).parents[2] / "docs/_static/jets"


def data_of(page: Path) -> dict:
    (content,) = re.findall(r'id="report-data">(.*?)</script>', page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return json.loads(content)["jets"]


def test_a_page_has_objects_of_each_class_and_no_effects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_toy_dataset(tmp_path / "data", 60)
    monkeypatch.setattr("sys.argv", ["x", str(tmp_path / "data"), "--output", str(tmp_path / "out"), "--objects", "3"])
    with script("jet_display") as module:
        module.main()
    shown = data_of(tmp_path / "out/toy.html")
    assert [jet["group"] for jet in shown["jets"]] == ["qcd"] * 3 + ["top"] * 3
    assert shown["effect"] is None
    assert all(len(jet["nodes"]["deta"]) == int(jet["headline"].split()[0]) for jet in shown["jets"])
    assert all(jet["nodes"]["effect"] == [] for jet in shown["jets"])


@pytest.mark.parametrize("page", sorted(DISPLAYED.glob("*.html")), ids=lambda path: path.stem)
def test_the_committed_pages_are_small_and_hold_objects_without_effects(page: Path) -> None:
    assert page.stat().st_size < 500_000
    shown = data_of(page)
    assert shown["jets"] and shown["effect"] is None


def test_each_task_of_the_documentations_page_has_its_jets() -> None:
    text = (DISPLAYED.parents[1] / "explanation/jets.md").read_text()
    named = set(re.findall(r"_static/jets/([\w-]+)\.html", text))
    assert named == {path.stem for path in DISPLAYED.glob("*.html")} and len(named) >= 8
