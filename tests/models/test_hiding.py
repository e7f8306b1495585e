"""Hidden variables: zero for the network, whatever else is done with it."""

import numpy as np
import onnxruntime
import pytest
import torch

from e2egraph.errors import UsageError
from e2egraph.export.onnx import to_onnx
from e2egraph.models.hiding import hide
from e2egraph.models.network import feature_index
from e2egraph.models.registry import build_model, load_model_config, parameter_count
from tests.models.jets import jets

HIDDEN = ("d0", "dz_sig", "charge")
SETTINGS = ["hide=[d0,dz_sig,charge]"]


def cleared(features):
    features = features.clone()
    features[..., [feature_index(name) for name in HIDDEN]] = 0.0
    return features


def network(name, settings=()):
    torch.manual_seed(3)
    return build_model(load_model_config(name, settings), 2).eval()


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
    session = onnxruntime.InferenceSession(to_onnx(network("tracks-and-cells-small", SETTINGS), 2).SerializeToString())
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
    hide(hiding, ())
    assert torch.equal(plain(points, features, mask, jet), hiding(points, features, mask, jet))


@pytest.mark.parametrize("names", ["[d7]", "[d0,d0]", "[is_TRACK]"])
def test_unknown_variables_are_refused_by_name(names):
    with pytest.raises(UsageError, match="hidden variables must be different names out of rho, value, d0"):
        load_model_config("gravnet", [f"hide={names}"])
