"""``scripts/filter_efficiency.py``: shares of a process's events, and filters that are none."""

import json

import pytest

from e2egraph.errors import UsageError
from tests.scripts import loading


@pytest.fixture(scope="module")
def script():
    with loading.script("filter_efficiency") as module:
        yield module


def test_shares_and_cross_sections_of_the_own_filter_and_others(script, tmp_path):
    path = tmp_path / "tops.yaml"
    lines = ["Top:gg2ttbar = on", "PhaseSpace:pTHatMin = 300", "PartonLevel:MPI = off"]
    path.write_text(
        f"title: tops\ngenerator: {{settings: {json.dumps(lines)}, filter: {{jets: {{number: 2, min_pt: 100}}}}}}\n"
        "cross_section: {pb: 5.0, source: test}\n"
    )
    name, harder = script.named_filter("hard={jets: {number: 2, min_pt: 100, ht: 900}}")
    records = {(r.case, r.metric): r for r in script.efficiencies(str(path), 60, {name: harder})}
    own, hard = (records[f"tops, {each}", "efficiency"].value for each in ("own", "hard"))
    assert 0 < hard < own <= 1
    assert records["tops, own", "cross section"].value == pytest.approx(5 * own)
    assert records["tops, own", "cross section"].unit == "pb"


@pytest.mark.parametrize("text", ["hard", "hard=3", "={jets: {ht: 3}}", "hard={jets: {hat: 3}}", "hard={}"])
def test_filters_that_are_none_are_named(script, text):
    with pytest.raises(UsageError, match="--filter"):
        script.named_filter(text)
