import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from jinja2 import UndefinedError
from PIL import Image

from e2egraph.evaluation.pages.elements import (
    Cell,
    Picture,
    Section,
    count_cell,
    figure_cell,
    picture,
    pictures,
    table,
)
from e2egraph.evaluation.pages.page import Page, embedded_json, render
from e2egraph.evaluation.pages.templating import environment, rendered

HOSTILE = (
    "</script></style></title><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>\"'&"
    "{{ 7 * 191 }}{% set x = 1 %}"
)
# One transparent pixel.
PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="


def hostile_values():
    """What every template of a section shows, all of it hostile."""
    tables = [table(HOSTILE, [HOSTILE], [[Cell(HOSTILE, None, HOSTILE)]], HOSTILE)]
    drawn = [Picture(PIXEL, HOSTILE, HOSTILE, True)]
    named = {HOSTILE: HOSTILE}
    return {
        "summary.html.j2": {
            "cards": {HOSTILE: (HOSTILE, HOSTILE)},
            "note": HOSTILE,
            "limits": [HOSTILE],
            "tables": tables,
        },
        "plots.html.j2": {"pictures": drawn},
        "tables.html.j2": {"tables": tables},
        "figures_and_tables.html.j2": {"pictures": drawn, "note": HOSTILE, "tables": tables},
        "details.html.j2": {"tables": tables, "facts": {HOSTILE: named}, "folded": named},
        "significance.html.j2": {"summary": HOSTILE, "limits": [HOSTILE], "table": tables[0], "analysis": HOSTILE},
        "regression.html.j2": {
            "figures": tables[0],
            "targets": [{"name": HOSTILE, "note": HOSTILE, "pictures": drawn, "tables": tables}],
        },
        "jets.html.j2": {"words": [HOSTILE], "object": HOSTILE},
    }


def hostile_page():
    values = {name: of for name, of in hostile_values().items() if name != "jets.html.j2"}
    sections = {f"{HOSTILE} {name}": Section(HOSTILE, name, of) for name, of in values.items()}
    return Page(HOSTILE, (HOSTILE,), sections, ("tables.js",), {HOSTILE: [HOSTILE]})


class Tags(HTMLParser):
    """Which elements a page has, and all its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.attributes = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data):
        self.text.append(data)


def test_no_text_becomes_markup():
    text = render(hostile_page())
    assert text.count("<script") == 2
    assert text.count("</script>") == 2
    assert text.count("</style>") == text.count("</title>") == 1
    assert "onerror" not in Tags(text).attributes
    assert "1337" not in text


@pytest.mark.parametrize(("template", "values"), hostile_values().items())
def test_every_template_shows_its_text_as_it_is_and_escaped(template, values):
    html = rendered(Section("t", template, values))
    read = Tags(html)
    assert HOSTILE in "".join(read.text)
    assert "script" not in read.tags
    assert set(read.tags).isdisjoint({"style", "title", "iframe"})
    assert read.tags.count("img") == html.count("<figure")
    assert "onerror" not in read.attributes
    plain = rendered(Section("t", template, json_of(values, HOSTILE, "plain")))
    assert Tags(plain).tags == read.tags


def json_of(values, old, new):
    """``values`` with the text ``old`` replaced by ``new``, in all that they hold."""
    if isinstance(values, dict):
        return {json_of(key, old, new): json_of(one, old, new) for key, one in values.items()}
    if isinstance(values, list | tuple) and not hasattr(values, "_fields"):
        return type(values)(json_of(one, old, new) for one in values)
    if isinstance(values, str):
        return values.replace(old, new)
    if hasattr(values, "__dataclass_fields__"):
        return type(values)(**{name: json_of(one, old, new) for name, one in vars(values).items()})
    return values


def test_every_template_is_one_that_sections_show_or_that_makes_them_up_and_is_in_the_wheel():
    folder = files("e2egraph.evaluation.pages") / "templates"
    names = {path.name for path in folder.iterdir()}
    assert names == {*hostile_values(), "page.html.j2", "elements.html.j2"}
    assert set(environment().list_templates()) == names
    root = Path(__file__).parents[3]
    shipped = {entry.distribution_path for entry in WheelBuilder(str(root)).recurse_included_files()}
    assert {f"e2egraph/evaluation/pages/templates/{name}" for name in names} <= shipped


def test_a_value_that_a_template_lacks_is_an_error_and_not_an_empty_place():
    with pytest.raises(UndefinedError, match="pictures"):
        rendered(Section("t", "plots.html.j2", {}))


def test_the_data_of_a_page_are_read_back_as_they_were():
    content = {HOSTILE: [HOSTILE, "<!-- \u2028 é", 1.5, None]}
    text = embedded_json(content)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == content
    with pytest.raises(ValueError, match="JSON"):
        embedded_json({"x": float("nan")})


def test_a_page_names_no_address_but_that_of_svg():
    text = render(Page("t", (), {}, ("tables.js", "window.js", "jets.js"), {}))
    assert set(re.findall(r"\w+://[^\"'\s]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.findall(r"@import|url\(|<link[^>]*stylesheet|\ssrc=", text)


def shown(one):
    return rendered(Section("t", "tables.html.j2", {"tables": [one]}))


def test_cells_carry_the_number_they_are_sorted_by():
    html = shown(table("t", ["name", "auc"], [["a", figure_cell(0.98765, 0.00123)], ["b", figure_cell(None)]]))
    assert '<td class="number" data-number="0.98765">0.9877 ± 0.0012</td>' in html
    assert '<td class="number">–</td>' in html
    assert '<th scope="col" aria-sort="none" class="number">' in html
    assert "<td>a</td>" in html
    assert count_cell(1234567) == Cell("1,234,567", 1234567.0)
    assert 'data-number="1e-320"' in shown(table("t", ["p"], [[Cell("0", 1e-320)]]))
    with pytest.raises(ValueError, match="a row of 3 cells under a header of 2"):
        table("t", ["name", "auc"], [["a", figure_cell(1.0), "one too many"]])


def test_plots_that_are_not_there_are_said_to_be_missing(tmp_path):
    absent = pictures(tmp_path, {"roc": ("ROC", "what is seen")})
    assert "No plots were made" in rendered(Section("Plots", "plots.html.j2", {"pictures": absent}))
    (tmp_path / "roc.png").write_bytes(b"\x89PNG")
    found = pictures(tmp_path, {"roc": ("ROC", "what is seen"), "absent": ("", "")})
    html = rendered(Section("Plots", "plots.html.j2", {"pictures": found}))
    assert '<img src="data:image/png;base64,iVBORw==" alt="what is seen">' in html
    assert html.count("<figure>") == 1


def test_a_picture_of_several_panels_takes_the_whole_width(tmp_path):
    for stem, size in (("one", (4, 3)), ("many", (6, 3))):
        Image.new("RGB", size).save(tmp_path / f"{stem}.png")
    drawn = [picture(tmp_path / f"{stem}.png", "", "") for stem in ("one", "many")]
    assert [one.wide for one in drawn] == [False, True]
    html = rendered(Section("Plots", "plots.html.j2", {"pictures": drawn}))
    assert html.count("<figure><img") == html.count('<figure class="wide"><img') == 1
