"""Every other network: of images, of tokens, of jet variables, trains, is evaluated, leaves as ONNX and predicts."""

from pathlib import Path

import pytest

from tests.e2e.zoo_journey import JOURNEYS, journey
from tests.models.zoo import graph_models
from tests.toy_dataset import write_toy_dataset

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_dataset(tmp_path_factory.mktemp("data") / "toy", 120)


@pytest.mark.parametrize("name", [name for name in JOURNEYS if name not in graph_models()])
def test_the_whole_way_from_shards_to_scores(name: str, toy: Path, tmp_path: Path) -> None:
    journey(name, toy, tmp_path)
