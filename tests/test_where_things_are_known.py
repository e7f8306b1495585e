"""Numbers of the jet window and words of classification stand where DESIGN §5 has them, and nowhere else."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "e2egraph"

# What runs for every objective: it asks the objective, and knows no loss, activation or figure by itself.
OF_ALL_OBJECTIVES = (
    "data",
    "graphs",
    "training",
    "evaluation/evaluate.py",
    "evaluation/predictions.py",
    "evaluation/compare/comparison.py",
    "evaluation/compare/paired_runs.py",
    "evaluation/compare/evaluated_run.py",
    "evaluation/pages/evaluation_page.py",
    "inference/predict.py",
    "models/registry.py",
)


def code_of(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every name, number and string but documentation and comments."""
    text = path.read_text()
    before = tokenize.NEWLINE
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT):
            continue
        documentation = token.type == tokenize.STRING and before in (tokenize.NEWLINE, tokenize.ENCODING)
        before = token.type
        if not documentation and token.type in (tokenize.NAME, tokenize.NUMBER, tokenize.STRING):
            yield token.start[0], token.string


def found(pattern: str, inside: tuple[str, ...], allowed: tuple[str, ...]) -> list[str]:
    """Places in ``inside`` of the package, without those ``allowed``, whose code holds the pattern."""
    places = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name.startswith(allowed) or not name.startswith(inside):
            continue
        places += [f"{name}:{line}: {text}" for line, text in code_of(path) if re.search(pattern, text)]
    return places


def test_the_jet_window_is_known_to_detector_and_tasks_alone() -> None:
    assert not found(r"^(62|125|125_?000)$", ("",), ("detector/", "tasks/", "training/steps/augmentation.py"))
    # Random bits are taken from places 62 and 63 there.
    assert found(r"^62$", ("training/steps/augmentation.py",), ("detector/",))


@pytest.mark.parametrize("pattern", [r"cross_entropy", r"softmax", r"(?i)\bauc\b"])
def test_what_serves_every_objective_knows_no_classification(pattern: str) -> None:
    allowed = ("training/objectives/classification.py", "training/objectives/nodes.py")
    if pattern == "softmax":
        # An activation of heads, whatever their objective: DESIGN §5 (outputs).
        allowed += ("training/objectives/learning.py", "data/scores.py", "evaluation/predictions.py")
    assert not found(pattern, OF_ALL_OBJECTIVES, allowed)


def test_the_search_finds_what_it_looks_for() -> None:
    assert found("cross_entropy", ("training",), ("detector/",))
    assert found(r"^62$", ("detector",), ("tasks/",))
