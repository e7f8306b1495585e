"""Hidden variables: zero for the network, whatever else is done with it."""

import numpy as np
import onnxruntime
import pytest
import torch

from e2egraph.errors import UsageError
from e2egraph.export.onnx import to_onnx
from e2egraph.models.hiding import hide
from e2egraph.models.registry import build_model, load_model_config, parameter_count
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.models.jets import jets
from tests.models.other_inputs import SIX

HIDDEN = ("d0", "dz_sig", "charge")
SETTINGS = ["hide=[d0,dz_sig,charge]"]


def cleared(features):
    features = features.clone()
    features[..., [INPUTS.index(name) for name in HIDDEN]] = 0.0
    return features


def network(name, settings=()):
    torch.manual_seed(3)
    return build_model(load_model_config(name, settings), INPUTS, TWO_CLASSES).eval()


@pytest.mark.parametrize("name", ["tracks-and-cells-small", "gravnet", "resnet15"])
def test_scores_are_those_of_jets_without_these_variables(name):
    points, features, mask, jet = jets([40, 3])
    hiding, plain = network(name, SETTINGS), network(name)
    expected = plain(points, cleared(features), mask, jet)
    assert torch.equal(hiding(points, features, mask, jet), expected)
    assert not torch.equal(plain(points, features, mask, jet), expected)


def test_weights_keep_their_number_and_their_names():
    hiding, plain = network("gravnet", SETTINGS), network("gravnet")
    assert list(hiding.state_dict()) == list(plain.state_dict())
    assert parameter_count(hiding) == parameter_count(plain)


def test_the_exported_model_does_not_see_them_either():
    points, features, mask, jet = jets([40, 3])
    exported = to_onnx(network("tracks-and-cells-small", SETTINGS), INPUTS, TWO_CLASSES)
    session = onnxruntime.InferenceSession(exported.SerializeToString())
    inputs = [points, features, mask.float().unsqueeze(-1)]
    named = {
        given.name: np.ascontiguousarray(value.transpose(1, 2).numpy())
        for given, value in zip(session.get_inputs(), inputs, strict=True)
    }
    logits = dict(zip([output.name for output in session.get_outputs()], session.run(None, named), strict=True))
    expected = network("tracks-and-cells-small")(points, cleared(features), mask, jet).detach().numpy()
    np.testing.assert_allclose(logits["logits"], expected, atol=1e-4)


def test_hiding_nothing_changes_nothing():
    points, features, mask, jet = jets([40, 3])
    plain, hiding = network("gravnet"), network("gravnet")
    hide(hiding, (), INPUTS)
    assert torch.equal(plain(points, features, mask, jet), hiding(points, features, mask, jet))


@pytest.mark.parametrize("name", ["d7", "is_TRACK"])
def test_what_is_no_variable_of_the_inputs_is_refused_by_name(name):
    with pytest.raises(UsageError, match=rf"model.hide names {name}, which is none of .* rho, value, d0"):
        network("gravnet", [f"hide=[{name}]"])


def test_a_name_that_stands_twice_is_refused():
    with pytest.raises(UsageError, match="hidden variables must be different names"):
        load_model_config("gravnet", ["hide=[d0,d0]"])


def test_names_are_found_wherever_the_task_has_them():
    config = load_model_config("gravnet", ["hide=[dz_sig]"])
    points, features, mask, jet = jets([40, 3], inputs=SIX)
    torch.manual_seed(3)
    hiding = build_model(config, SIX, TWO_CLASSES).eval()
    without = features.clone()
    without[..., SIX.index("dz_sig")] = 0.0
    assert torch.equal(hiding(points, features, mask, jet), hiding(points, without, mask, jet))
    assert not torch.equal(hiding(points, features, mask, jet), hiding(points, without * 2.0, mask, jet))
