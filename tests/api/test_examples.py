"""The examples in the documentation of the interface run and give what they say."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

import e2egraph as e2e

# What an example makes, and therefore must not be there before.
MADE_BY = {"simulate": "ttbar.root", "build": "data/top", "train": "runs/g", "Run.export": "exports/g"}


def examples() -> dict[str, doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = {}
    for name in e2e.__all__:
        for test in finder.find(getattr(e2e, name), name, module=False, globs={"e2e": e2e}):
            found[test.name] = test
    return found


EXAMPLES = examples()


def test_every_function_and_method_of_the_interface_has_an_example() -> None:
    functions = {name for name in e2e.__all__ if name.islower()}
    classes = {
        "Dataset",
        "EpochBatches",
        "Scores",
        "Run",
        "Run.predict",
        "Run.export",
        "Tagger",
        "Tagger.score",
        "Tagger.predict",
    }

    assert {name for name, test in EXAMPLES.items() if test.examples} >= functions | classes


@pytest.mark.parametrize("name", [name for name, test in EXAMPLES.items() if test.examples])
def test_an_example_runs(name: str, workspace: Path) -> None:
    if name in MADE_BY:
        (workspace / MADE_BY[name]).rename(workspace / "aside")
    said: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(EXAMPLES[name], out=said.append, clear_globs=False)
    assert result.failed == 0, "".join(said)
    assert result.attempted > 0
