"""Evaluated runs of three models on one toy data set, made once, and the command."""

import shutil

import pytest

from e2egraph.cli import main
from tests.evaluation.compare.made_runs import write_run
from tests.toy_dataset import write_toy_dataset

RUNS = [("image", 1, 1.0), ("image", 2, 1.1), ("graph", 1, 1.9), ("graph", 2, 2.0), ("other", 1, 0.2)]


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy") / "data"
    return write_toy_dataset(folder, 4000, nodes=(0, 1), split_fractions=(0.3, 0.1, 0.6))


@pytest.fixture(scope="session")
def made(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("runs")
    return [write_run(folder / f"{model}{seed}", data, model, seed, shift) for model, seed, shift in RUNS]


@pytest.fixture
def runs(made, tmp_path):
    return [shutil.copytree(run, tmp_path / run.name) for run in made]


@pytest.fixture
def e2egraph(capsys):
    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run
