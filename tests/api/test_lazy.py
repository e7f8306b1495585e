"""``import e2egraph``: what it offers, and that it costs nothing until it is used."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import e2egraph


def fresh(program: str, *words: object) -> None:
    """Run a program in a Python of its own, with the package of these tests."""
    root = str(Path(e2egraph.__file__).parents[1])
    program = f"import sys; sys.path.insert(0, {root!r}); {program}"
    subprocess.run([sys.executable, "-c", program, *map(str, words)], check=True)


def test_importing_it_imports_nothing_else_and_dir_lists_the_interface() -> None:
    fresh(
        "before = set(sys.modules); import e2egraph; new = set(sys.modules) - before;"
        "assert not {'torch', 'numpy', 'pyarrow', 'awkward', 'pydantic', 'yaml'} & new, new;"
        "assert set(dir(e2egraph)) == {*e2egraph.__all__, '__version__'}"
    )


def test_every_name_is_there_documented_and_known_to_type_checkers() -> None:
    for name in e2egraph.__all__:
        value = getattr(e2egraph, name)
        assert inspect.getdoc(value), name
        assert getattr(e2egraph, name) is value
    tree = ast.parse(Path(e2egraph.__file__).read_text())
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    imported = {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == e2egraph._HOMES
    assert sorted(imported) == sorted(e2egraph.__all__)
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = e2egraph.trian


def test_a_bundle_scores_events_and_data_sets_without_torch(made: Path) -> None:
    fresh(
        "import e2egraph as e2e; tagger = e2e.Tagger(sys.argv[1]);"
        "assert len(tagger.score(sys.argv[2])) > 0 and len(e2e.load(sys.argv[1]).predict(sys.argv[3])) > 0;"
        "assert not {'torch', 'torch_geometric', 'lightning_fabric'} & set(sys.modules)",
        *(made / "exports/g", made / "ttbar.root", made / "data/top"),
    )
