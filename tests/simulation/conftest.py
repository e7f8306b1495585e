"""Simulated tops that several files of tests look at: with images and pile-up, and without either."""

import pytest

from e2egraph.simulation.simulate import simulate
from tests.simulation.particle_gun import read
from tests.simulation.top_events import ALONE, EVENTS, FEW, SEED


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("simulated")


@pytest.fixture(scope="session")
def summary(folder):
    return simulate("ttbar", EVENTS, SEED, folder / "ttbar.root", settings=FEW)


@pytest.fixture(scope="session")
def events(summary):
    return read(summary.path)


@pytest.fixture(scope="session")
def alone(folder):
    """Without images and pile-up."""
    return read(simulate("ttbar", EVENTS, SEED, folder / "alone.root", images=False, settings=ALONE).path)
