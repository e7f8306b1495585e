import numpy as np
import pytest

from e2egraph.data.padding import FEATURE_NAMES, node_features, pad
from e2egraph.detector.channels import Channel, channels
from e2egraph.errors import InputError
from e2egraph.graphs.columns import JET_VARIABLES, VARIABLES
from e2egraph.graphs.pointclouds import PointClouds
from tests.toy_dataset import toy_clouds


@pytest.fixture
def clouds() -> PointClouds:
    return toy_clouds(1, 13, np.random.default_rng(5), nodes=(0, 17))


def test_every_node_stands_in_its_jets_row_in_order_with_its_own_values(clouds):
    dense = pad(clouds)
    for jet in range(len(clouds)):
        start, stop = clouds.offsets[jet : jet + 2]
        n = stop - start
        assert dense.mask[jet].tolist() == [True] * n + [False] * (dense.mask.shape[1] - n)
        for column, name in enumerate(("deta", "dphi")):
            np.testing.assert_array_equal(dense.points[jet, :n, column], clouds.nodes[name][start:stop])
        for column, name in enumerate(VARIABLES):
            np.testing.assert_array_equal(dense.features[jet, :n, column], clouds.nodes[name][start:stop])
        one_hot = dense.features[jet, :n, len(VARIABLES) :]
        assert (one_hot.sum(axis=1) == 1).all()
        np.testing.assert_array_equal(one_hot.argmax(axis=1), clouds.nodes["channel"][start:stop])


def test_padding_is_zero_and_shapes_follow_the_contract(clouds):
    dense = pad(clouds, n_nodes=40)
    assert dense.points.shape == (13, 40, 2)
    assert dense.features.shape == (13, 40, len(VARIABLES) + len(channels())) == (13, 40, len(FEATURE_NAMES))
    assert dense.jet.shape == (13, len(JET_VARIABLES))
    assert not dense.points[~dense.mask].any()
    assert not dense.features[~dense.mask].any()
    assert FEATURE_NAMES[len(VARIABLES) + Channel.HCAL] == "is_HCAL"


def test_jet_quantities_label_weight_and_targets_are_carried(clouds):
    clouds.jets["target_mass"] = np.arange(13.0)
    dense = pad(clouds, targets=("mass",))
    np.testing.assert_array_equal(dense.jet[:, 3], clouds.jets["softdrop_mass"].astype(np.float32))
    np.testing.assert_array_equal(dense.target[:, 0], np.arange(13.0))
    assert (dense.label == 1).all()
    assert dense.weight.dtype == np.float32


def test_no_jets_and_jets_without_nodes_give_empty_arrays(clouds):
    assert pad(clouds.take(np.array([], int))).points.shape == (0, 0, 2)
    bare = clouds.keep_nodes(np.zeros(clouds.offsets[-1], bool))
    assert pad(bare).features.shape == (13, 0, len(FEATURE_NAMES))
    assert pad(bare, n_nodes=3).mask.sum() == 0


def test_unpadded_features_are_the_padded_ones_where_the_mask_is_true(clouds):
    dense = pad(clouds)
    np.testing.assert_array_equal(node_features(clouds), dense.features[dense.mask])


def test_too_small_a_block_and_an_unknown_channel_are_refused(clouds):
    with pytest.raises(InputError, match="more than the 2 asked for"):
        pad(clouds, n_nodes=2)
    clouds.nodes["channel"][0] = len(channels())
    with pytest.raises(InputError, match=f"channel {len(channels())} is unknown"):
        pad(clouds)
