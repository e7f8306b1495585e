"""Small ntuples, and the data set of them, that several files of tests look at."""

import pytest

from e2egraph.graphs.building.build import build
from tests.graphs.builds import ntuple, samples_of, task


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """One ntuple of QCD and two of tops, by name."""
    folder = tmp_path_factory.mktemp("ntuples")
    return {name: ntuple(folder / f"{name}.root", seed) for name, seed in (("qcd", 1), ("top", 2), ("more", 3))}


@pytest.fixture(scope="session")
def plain(files, tmp_path_factory):
    """The data set of the three files."""
    output = tmp_path_factory.mktemp("data") / "plain"
    return build(task(), samples_of([files["qcd"]], [files["top"], files["more"]]), output)
