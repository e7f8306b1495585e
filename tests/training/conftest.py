"""What tests of interrupted and failing trainings share; a file that needs other things makes its own."""

import pytest

from tests.toy_dataset import write_toy_dataset
from tests.training.fragile_model import write_fragile_model


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_toy_dataset(tmp_path_factory.mktemp("toy") / "data", 200, nodes=(0, 20))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_fragile_model(tmp_path_factory.mktemp("model"))
