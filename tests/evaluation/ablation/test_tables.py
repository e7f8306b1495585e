import re
from dataclasses import replace

from e2egraph.evaluation.ablation.table import Table, latex_text
from e2egraph.evaluation.ablation.tables import tables
from tests.evaluation.ablation.made import MODELS, made_ablation


def cells_of(markdown):
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if not line.startswith("|-")]


def test_the_table_of_inputs_holds_every_row_and_model_with_figures_published_ones_and_costs():
    (table, *_) = tables(made_ablation())
    header, *rows = cells_of(table.markdown())
    assert len(rows) == 20
    first = dict(zip(header, rows[0], strict=True))
    assert first == {
        "inputs": "track pT",
        "model": "image",
        "AUC": "0.9000 ± 0.0012",
        "efficiency at 1%": "0.300 ± 0.020",
        "published AUC": "0.955",
        "published efficiency at 1%": "0.396",
        "parameters": "90,194",
        "MFLOPs/object": "100",
        "training objects/s": "159",
        "ONNX ms/object": "1.5",
        "seeds": "1",
    }
    assert dict(zip(header, rows[1], strict=True))["ONNX ms/object"] == "–"
    calorimeters = next(row for row in rows if row[0] == "ECAL, HCAL")
    assert calorimeters[4:6] == ["–", "–"]
    assert "CMS Open Data, full simulation" in table.note
    assert "another sample" in table.note


def test_figures_of_different_jets_have_their_number_next_to_them():
    plain = made_ablation()
    cells = tuple(replace(cell, test_jets=18_000 + len(cell.row)) for cell in plain.cells)
    inputs, curve, models, layers = tables(made_ablation(cells=cells, same_test_jets=False))
    for table, first in ((inputs, "pt"), (curve, "all")):
        assert table.rows[0][table.header.index("test objects")] == f"{18_000 + len(first):,}"
    assert inputs.note.startswith("Figures are of different objects: of 20,000 test objects, those with nodes for the")
    for table in (models, layers):
        assert table.note.startswith("Paired on the same test objects, those with nodes for all networks compared: ")
    cells = tuple(replace(cell, test_jets=19_500) for cell in plain.cells)
    inputs, *_ = tables(made_ablation(cells=cells, same_test_jets=True))
    assert "test objects" not in inputs.header
    assert inputs.note.startswith("19,500 of 20,000 test objects, those with nodes. ±")
    # What an earlier version wrote does not say, and neither do its tables.
    inputs, *_ = tables(plain)
    assert inputs.note.startswith("20,000 test objects. ±")


def test_tables_call_the_objects_what_they_are():
    words = " ".join(
        f"{' '.join(table.header)} {table.title} {table.note}" for table in tables(made_ablation(object="cluster"))
    )
    assert "object" not in words
    for expected in ("MFLOPs/cluster", "training clusters/s", "p clusters", "10,000 training clusters"):
        assert expected in words


def test_differences_and_the_learning_curve_have_tables_of_their_own():
    _, curve, models, layers = tables(made_ablation())
    assert [row[1] for row in curve.rows[:3]] == ["2,500", "10,000", "40,000"]
    assert models.rows == (
        ("track pT", MODELS[1], "10000", "−0.0051 ± 0.0012", "4.1e-09", "4.1e-09", "−0.005 ± 0.001", "1.0e-412",
         "1.0e-412", "0.95 ± 0.01"),
    )  # fmt: skip
    assert layers.rows == (
        (MODELS[1], "track pT → track pT, d0, dz", "−0.0051 ± 0.0012", "–", "–", "too few", "–", "–", "–"),
    )
    assert len(tables(made_ablation(model_differences=(), layer_differences=()))) == 2
    assert tables(made_ablation(cells=(), model_differences=(), layer_differences=())) == ()


def test_latex_is_balanced_escaped_and_has_as_many_cells_in_each_line_as_columns():
    for table in tables(made_ablation()):
        text = table.latex()
        environments = re.findall(r"\\(begin|end)\{(\w+)\}", text)
        assert environments == [("begin", "table"), ("begin", "tabular"), ("end", "tabular"), ("end", "table")]
        bare = text.replace(r"\{", "").replace(r"\}", "")
        depth = 0
        for character in bare:
            depth += (character == "{") - (character == "}")
            assert depth >= 0
        assert depth == 0
        assert bare.replace(r"\$", "").count("$") % 2 == 0
        assert text.isascii()
        assert not re.search(r"(?<!\\)[%#_]", re.sub(r"\\label\{[^}]*\}", "", text))
        (columns,) = re.findall(r"\\begin\{tabular\}\{([lr]+)\}", text)
        body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
        lines = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert len(lines) == len(table.rows) + 1
        assert {len(re.findall(r"(?<!\\)&", line)) + 1 for line in lines} == {len(columns)} == {len(table.header)}


def test_text_of_commands_and_powers_of_ten_is_set_as_text_and_powers():
    assert latex_text(r"50% & a_b {x} \y $ #1 ~ ^") == (
        r"50\% \& a\_b \{x\} \textbackslash{}y \$ \#1 \textasciitilde{} \textasciicircum{}"
    )
    assert latex_text("4.1e-09") == r"$4.1\times 10^{-9}$"
    assert latex_text("0.9 ± 0.1 → ΔAUC") == r"0.9 $\pm$ 0.1 $\to$ $\Delta$AUC"
    assert latex_text("type-1e5x") == "type-1e5x"


def test_a_bar_in_a_name_does_not_end_a_cell_of_markdown():
    table = Table("t", "T", ("a", "b"), (("x|y", "1"),))
    assert r"| x\|y | 1 |" in table.markdown()
