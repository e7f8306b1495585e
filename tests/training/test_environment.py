"""What a run records of the code it was made with."""

import json
import subprocess
from pathlib import Path

import pytest

from e2egraph.training.runs import environment
from e2egraph.training.runs.environment import code_state, record_environment


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of one commit, as the one that the package runs from."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "layer.py").write_text("width = 64\n")
    git(folder, "add", "layer.py")
    git(folder, "commit", "--quiet", "--message", "A layer")
    monkeypatch.setattr(environment, "CHECKOUT", folder)
    return folder


def test_the_checkout_is_the_folder_that_the_package_lies_in() -> None:
    assert Path(__file__).parents[2] == environment.CHECKOUT
    assert (environment.CHECKOUT / "e2egraph" / "training" / "train.py").is_file()


def test_a_run_knows_its_commit_and_has_no_patch_where_nothing_was_changed(checkout: Path, tmp_path: Path) -> None:
    assert code_state() == {"commit": git(checkout, "rev-parse", "HEAD"), "modified": False}
    record_environment(tmp_path, goes_on=False)
    assert "patch" not in json.loads((tmp_path / "environment.json").read_text())["code"]


def test_what_the_code_differs_by_from_its_commit_is_kept_with_the_run(checkout: Path, tmp_path: Path) -> None:
    (checkout / "layer.py").write_text("width = 128\n")
    (checkout / "new.py").write_text("")
    record_environment(tmp_path, goes_on=False)
    code = json.loads((tmp_path / "environment.json").read_text())["code"]
    assert code["commit"] == git(checkout, "rev-parse", "HEAD") and code["modified"]
    patch = (tmp_path / code["patch"]).read_text()
    assert "# not in the commit: new.py" in patch
    git(checkout, "checkout", "--quiet", "layer.py")
    git(checkout, "apply", str(tmp_path / code["patch"]))
    assert (checkout / "layer.py").read_text() == "width = 128\n"


def test_a_package_outside_a_checkout_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "CHECKOUT", tmp_path)
    assert code_state() == {"commit": None, "modified": None}
