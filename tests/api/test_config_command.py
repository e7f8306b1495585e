"""``e2egraph config``: every kind lists its keys, and every shipped configuration its values."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from e2egraph.api.configurations import kinds
from e2egraph.cli import main
from e2egraph.config import configs_folder, override

SHIPPED = [(kind, name) for kind, found in kinds().items() for name in found.names]


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main(["config", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    following = shlex.split(lines[-1].partition("; next: ")[2])
    assert following[0] == "e2egraph" and main(following[1:]) == 0
    capsys.readouterr()
    return lines


def test_the_list_has_every_shipped_file_of_every_kind(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, "list")
    listed = [tuple(line.split()[:2]) for line in lines[1:-1]]
    assert [row for row in listed if row[0] != "samples"] == SHIPPED
    files = [path.relative_to(configs_folder()) for path in configs_folder().rglob("*.yaml")]
    of_kinds = [path for path in files if path.parts[0] not in ("merged", "variants")]
    assert len(SHIPPED) == len(of_kinds)
    assert all(len(line.split()) > 2 for line in lines[1:-1]), "each says what it is"
    assert {line.split()[0] for line in shown(capsys, "list", "recipe")[1:-1]} == {"recipe"}


@pytest.mark.parametrize("kind", kinds())
def test_a_kind_lists_its_keys_with_what_they_mean(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, "show", kind)
    assert lines[0].split() == ["key", "default", "unit", "meaning"]
    assert lines[-1].startswith(f"{len(lines) - 2} keys; ")
    assert len({line.split()[0] for line in lines[1:-1]}) == len(lines) - 2


@pytest.mark.parametrize(("kind", "name"), SHIPPED)
def test_every_shipped_configuration_shows_its_values(kind: str, name: str) -> None:
    rows = list(kinds()[kind].keys(name))
    assert rows and any(key.value is not None for key in rows)
    assert all(key.description.meaning for key in rows)


def test_values_stand_next_to_defaults_and_own_files_count(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lines = shown(capsys, "show", "recipe", "short")
    row = next(line for line in lines if line.startswith("training.optimizer "))
    assert row.split()[:3] == ["training.optimizer", "adamw", "adam"]
    own = tmp_path / "mine.yaml"
    own.write_text("samples:\n  - {class: top, files: '*.root', cross_section: 250.0}\nluminosity: 20\n")
    lines = shown(capsys, "show", "samples", str(own))
    assert next(line for line in lines if line.startswith("samples.0.cross_section ")).split()[1:4] == [
        "250.0",
        "null",
        "pb",
    ]


def test_keys_are_those_that_settings_take() -> None:
    """What is shown of a task, given back as settings, makes the same task."""
    from e2egraph.api.configurations import kind_of
    from e2egraph.tasks.task import load_task

    settings = [
        f"{key.name}={key.value}"
        for key in kind_of("task").keys("top")
        if key.value is not None and not key.name.startswith("truth.decays.top.daughters.")
    ]
    assert load_task("top", settings) == load_task("top")
    assert override({}, settings)["object"]["pt_min"] == 400.0


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("show", "tsk"), "unknown kind 'tsk'; choose one of task, samples, images"),
        (("show", "task", "tops"), "unknown task 'tops' (did you mean 'top'?); choose one of"),
        (("show", "samples", "none.yaml"), "none.yaml: no such file"),
        (("list", "models"), "unknown kind 'models'"),
    ],
)
def test_what_does_not_exist_is_wrong_usage(words, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", *words]) == 2
    assert reason in capsys.readouterr().err
