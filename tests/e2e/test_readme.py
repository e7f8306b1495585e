"""Every command of the README runs, in its order, at a size for tests."""

import re
import shlex
from pathlib import Path

import pytest

from e2egraph.cli import main

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line.startswith("e2egraph ")]

# What takes long is made small; everything else runs to the letter.
SMALLER = (
    (r"--events \d+", "--events 250"),
    (r"training\.epochs=\d+", "training.epochs=1"),
    (r"--trials \d+", "--trials 2"),
)


@pytest.mark.journey
def test_the_readmes_commands_run_in_their_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for command in COMMANDS:
        for pattern, replacement in SMALLER:
            command = re.sub(pattern, replacement, command)
        assert main(shlex.split(command, comments=True)[1:]) == 0, command
        # the last line says what was done and what to try next
        assert "; next: " in capsys.readouterr().out.splitlines()[-1], command
    for written in ("jet.png", "masses.png", "runs/gravnet/roc.png", "exports/gravnet/model.onnx", "scores.parquet"):
        assert (tmp_path / written).stat().st_size > 0


def test_the_readme_shows_every_command():
    shown = {shlex.split(command, comments=True)[1] for command in COMMANDS}
    assert shown >= {"simulate", "build-graphs", "inspect", "train", "tune", "evaluate", "export", "predict", "compare"}


def test_the_other_commands_of_the_readme_are_the_two_scripts_and_the_installation():
    others = [
        line.split("#")[0].strip()
        for block in BLOCKS
        for line in block.splitlines()
        if not line.startswith("e2egraph ")
    ]
    assert others == [
        "bash scripts/demo.sh",
        "bash scripts/test.sh",
        'pip install -c scripts/constraints.txt ".[sim]"',
    ]


def test_files_and_pictures_that_the_readme_names_exist():
    root = Path(__file__).parents[2]
    for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README) + re.findall(
        r"`((?:configs|scripts|tests)/[\w/.]*)`", README
    ):
        assert (root / name).exists(), name
