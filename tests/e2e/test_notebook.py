"""``scripts/ablation.ipynb``: executed on an ablation of tiny networks, and fit to be read as it is committed."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from e2egraph.cli import main
from tests.evaluation.ablation.tiny_image import write_tiny_image
from tests.toy_dataset import write_toy_dataset
from tests.training.tiny_model import write_tiny_model

REPOSITORY = Path(__file__).parents[2]
NOTEBOOK = REPOSITORY / "scripts" / "ablation.ipynb"
EXECUTE = REPOSITORY / "scripts" / "execute_notebook.py"
LARGEST = 3_000_000

# Cells that draw something whatever rows, costs and numbers of training jets an ablation has.
ALWAYS_DRAWN = {"one-jet-plot", "roc-plot", "where-plot", "attribution-cells", "channel-plot", "gradients-plot"}
ALWAYS_DRAWN |= {"every-task-table"}
LOCAL = re.compile(r"(?<![\w.])/(?:home|root|tmp|work|Users|mnt|data|scratch|var|opt)/")


def execute(notebook, output, ablation, data, *options):
    folders = {"E2EGRAPH_ABLATION": str(ablation), "E2EGRAPH_DATA": str(data), "PYTHONPATH": str(REPOSITORY)}
    folders["E2EGRAPH_RESULTS"] = str(REPOSITORY / "exports" / "figures")
    words = [sys.executable, str(EXECUTE), str(notebook), "--output", str(output), *options]
    return subprocess.run(words, env={**os.environ, **folders}, capture_output=True, text=True, check=False)


def script():
    """``scripts/execute_notebook.py`` as a module."""
    spec = importlib.util.spec_from_file_location("execute_notebook", EXECUTE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def code_cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def text_of(cell):
    """What a cell printed, and the tables it showed."""
    parts = [output.get("text", "") + output.get("data", {}).get("text/markdown", "") for output in cell.outputs]
    return "".join(parts)


def pictures(cell):
    return sum("image/png" in output.get("data", {}) for output in cell.outputs)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy") / "data"
    return write_toy_dataset(folder, 900, nodes=(0, 20), split_fractions=(0.3, 0.1, 0.6))


@pytest.fixture(scope="module")
def ablation(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("ablation")
    models = f"{write_tiny_image(folder)},{write_tiny_model(folder)}"
    words = ["ablate", "--data", data, "--models", models, "--output", folder / "ablation", "--rows", "pt,all"]
    words += ["--full-seeds", "1", "--learning-curve", "60", "--resamples", "100", "--set", "training.epochs=1"]
    words += ["--set", "training.loggers=[]"]
    assert main([str(word) for word in words]) == 0
    return folder / "ablation"


@pytest.fixture(scope="module")
def executed(tmp_path_factory, ablation, data):
    """The notebook's code cells after execution, by their names."""
    output = tmp_path_factory.mktemp("executed") / "ablation.ipynb"
    result = execute(NOTEBOOK, output, ablation, data)
    assert result.returncode == 0, result.stderr
    return {cell.id: cell for cell in code_cells(output)}


def test_every_section_has_something_to_show(executed):
    for name, cell in executed.items():
        assert cell.outputs, name
    drawn = {name for name, cell in executed.items() if pictures(cell)}
    assert drawn == ALWAYS_DRAWN | {"table-all", "cost-plot", "learning-plot"}


def test_its_figures_are_those_of_the_ablation(executed, ablation):
    content = json.loads((ablation / "ablation.json").read_text())
    (tiny,) = [
        cell
        for cell in content["cells"]
        if (cell["row"], cell["model"]) == ("all", "tiny") and not cell["training_jets"]
    ]
    figure = tiny["figures"]["auc"]
    assert f"tiny: AUC = {figure['mean']:.4f} ± {figure['error']:.4f}" in text_of(executed["roc-plot"])
    assert f"tiny: {tiny['parameters']:,} parameters" in text_of(executed["cost-plot"])
    assert content["command"] in text_of(executed["setup"])


def test_image_and_graph_are_shown_to_be_the_same_deposits(executed):
    lines = text_of(executed["equivalence-check"]).splitlines()
    found = [float(line.split("largest difference ")[1].split()[0]) for line in lines if "largest difference" in line]
    assert len(found) == 8
    assert max(found) < 1e-5


def test_an_executed_notebook_is_fit_to_be_committed(executed):
    assert not LOCAL.search(json.dumps(list(executed.values())))


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        ("1 / 0", [], "ZeroDivisionError"),
        ("import os; os._exit(1)", [], "the kernel ended"),
        ("import time; time.sleep(600)", ["--timeout", "1"], "a cell took more than 1 seconds"),
    ],
)
def test_an_error_in_a_cell_is_refused_and_the_file_left_as_it_was(tmp_path, source, options, words):
    path = tmp_path / "notebook.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(source)]), path)
    before = path.read_bytes()
    result = execute(path, path, tmp_path, tmp_path, *options)
    assert result.returncode == 1
    assert words in result.stderr
    assert f"{path}: " in result.stderr
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (new_output("stream", name="stderr", text="mind this"), "writes to stderr: mind this"),
        (new_output("stream", name="stdout", text="/data/set/part.parquet"), "shows /data/set/"),
        (new_output("display_data", {"text/plain": "PosixPath('/data/set/x')"}), "shows /data/set/"),
        (new_output("error", ename="KeyError"), "ends with KeyError"),
    ],
)
def test_outputs_that_are_not_fit_to_be_committed_are_named(monkeypatch, output, words):
    monkeypatch.setenv("E2EGRAPH_DATA", "/data/set")
    cell = new_code_cell("", execution_count=1, outputs=[output])
    assert [words in fault for fault in script().unfit(new_notebook(cells=[cell]))] == [True]


def test_fit_outputs_and_cells_that_were_not_run_are_told_apart():
    fit = new_code_cell("", execution_count=1, outputs=[new_output("stream", name="stdout", text="AUC = 0.98")])
    assert script().unfit(new_notebook(cells=[fit, new_markdown_cell("/tmp/x")])) == []
    assert script().unfit(new_notebook(cells=[fit, new_code_cell("")])) == ["cell 1 was not run"]


def test_the_committed_notebook_was_executed_as_a_whole():
    cells = code_cells(NOTEBOOK)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert cell.outputs, cell.id
        assert all(output.output_type != "error" for output in cell.outputs), cell.id
        assert all(output.get("name") != "stderr" for output in cell.outputs), cell.id
    assert {cell.id for cell in cells if pictures(cell)} >= ALWAYS_DRAWN


def test_the_committed_notebook_is_small_and_holds_no_local_path():
    assert NOTEBOOK.stat().st_size <= LARGEST
    for cell in code_cells(NOTEBOOK):
        assert not LOCAL.search(cell.source + text_of(cell)), cell.id
