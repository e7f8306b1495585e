import json
import re

import pytest
from PIL import Image

from e2egraph.evaluation.pages.elements import (
    Cell,
    Section,
    bullets,
    cards,
    count_cell,
    facts,
    figure_cell,
    folded,
    paragraph,
    picture,
    plots_section,
    table,
)
from e2egraph.evaluation.pages.page import Page, embedded_json, render

HOSTILE = "</script></style></title><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>\"'&"


def hostile_page():
    parts = (
        paragraph(HOSTILE, HOSTILE),
        bullets([HOSTILE]),
        cards({HOSTILE: (HOSTILE, HOSTILE)}),
        table(HOSTILE, [HOSTILE], [[HOSTILE]]),
        facts(HOSTILE, {HOSTILE: HOSTILE}),
        folded(HOSTILE, HOSTILE),
    )
    return Page(HOSTILE, (HOSTILE,), (Section(HOSTILE, HOSTILE, parts),), ("tables.js",), {HOSTILE: [HOSTILE]})


def test_no_text_becomes_markup():
    text = render(hostile_page())
    assert text.count("<script") == 2
    assert text.count("</script>") == 2
    assert "<img" not in text
    assert text.count("</style>") == text.count("</title>") == 1


def test_the_data_of_a_page_are_read_back_as_they_were():
    content = {HOSTILE: [HOSTILE, "<!-- \u2028 é", 1.5, None]}
    text = embedded_json(content)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == content
    with pytest.raises(ValueError, match="JSON"):
        embedded_json({"x": float("nan")})


def test_a_page_names_no_address_but_that_of_svg():
    text = render(Page("t", (), (), ("tables.js", "window.js", "jets.js"), {}))
    assert set(re.findall(r"\w+://[^\"'\s]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.findall(r"@import|url\(|<link[^>]*stylesheet|\ssrc=", text)


def test_cells_carry_the_number_they_are_sorted_by():
    html = table("t", ["name", "auc"], [["a", figure_cell(0.98765, 0.00123)], ["b", figure_cell(None)]])
    assert '<td class="number" data-number="0.98765">0.9877 ± 0.0012</td>' in html
    assert '<td class="number">–</td>' in html
    assert '<th scope="col" aria-sort="none" class="number">' in html
    assert count_cell(1234567) == Cell("1,234,567", 1234567.0)
    with pytest.raises(ValueError, match="zip"):
        table("t", ["name", "auc"], [["a", figure_cell(1.0), "one too many"]])


def test_plots_that_are_not_there_are_said_to_be_missing(tmp_path):
    assert "No plots were made" in plots_section(tmp_path, {"roc": ("ROC", "what is seen")}).html
    (tmp_path / "roc.png").write_bytes(b"\x89PNG")
    html = plots_section(tmp_path, {"roc": ("ROC", "what is seen"), "absent": ("", "")}).html
    assert '<img src="data:image/png;base64,iVBORw==" alt="what is seen">' in html
    assert html.count("<figure>") == 1


def test_a_picture_of_several_panels_takes_the_whole_width(tmp_path):
    for stem, size in (("one", (4, 3)), ("many", (6, 3))):
        Image.new("RGB", size).save(tmp_path / f"{stem}.png")
    assert picture(tmp_path / "one.png", "", "").startswith("<figure><img")
    assert picture(tmp_path / "many.png", "", "").startswith('<figure class="wide"><img')
