"""Data sets and bundles that the tests of a module share."""

from collections.abc import Callable
from pathlib import Path

import pytest
from torch import nn

from e2egraph.tasks.inputs import Inputs
from tests.inference.made_bundles import OBJECTIVES, bundle_of
from tests.toy_dataset import write_toy_dataset


@pytest.fixture(scope="module")
def data_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A toy data set of an objective."""
    folder = tmp_path_factory.mktemp("data")

    def made(objective: str) -> Path:
        path = folder / objective
        return path if path.exists() else write_toy_dataset(path, jets=60, seed=5, objective=OBJECTIVES[objective])

    return made


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Inputs], tuple[Path, nn.Module]]:
    """A bundle of an objective and inputs, with its network; not to be changed."""
    folder = tmp_path_factory.mktemp("bundles")
    made: dict[tuple[str, Inputs], tuple[Path, nn.Module]] = {}

    def bundle(objective: str, inputs: Inputs) -> tuple[Path, nn.Module]:
        key = (objective, inputs)
        if key not in made:
            made[key] = bundle_of(folder / str(len(made)), objective, inputs)
        return made[key]

    return bundle
