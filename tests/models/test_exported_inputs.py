"""ONNX files of networks for few inputs, small regions and whole events: what ONNX Runtime computes is torch's."""

import pytest

from e2egraph.tasks.inputs import Inputs
from tests.models.other_inputs import CROP, EVENT, HITS, SIX
from tests.models.zoo import FOR_FEWER_INPUTS, build, classes, parity


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        pytest.param("tracks-and-cells", CROP, id="tokens of channels in another order"),
        pytest.param("gravnet", HITS, id="no energies to share"),
        pytest.param("resnet15", EVENT, id="an image closed in phi"),
        pytest.param("vit", SIX, id="fewer planes"),
    ],
)
def test_the_exported_network_scores_as_torch_does(name: str, inputs: Inputs) -> None:
    model = build(name, settings=FOR_FEWER_INPUTS.get(name, ()), inputs=inputs)
    report = parity(model, 60, classes(3), inputs)
    assert report.largest_difference < 1e-4
    assert report.cases > 40
