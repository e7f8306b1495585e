"""One small simulated sample a session, and a way to run commands as a user would."""

import shutil
from pathlib import Path

import pytest

from e2egraph.cli import main
from tests.made_once import simulated_once


@pytest.fixture
def run(capsys):
    """Run a command line; returns (exit code, standard output, standard error)."""

    def _run(*words):
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return _run


@pytest.fixture(scope="session")
def simulated(tmp_path_factory) -> Path:
    """A folder with ttbar.root (images too) and qcd.root (vectors alone)."""
    folder = tmp_path_factory.mktemp("simulated")
    for process, images in (("ttbar", "--images"), ("qcd", "--no-images")):
        words = ("--process", process, "--events", "120", "--seed", "7", images)
        shutil.copy(simulated_once(tmp_path_factory, *words), folder / f"{process}.root")
    return folder
