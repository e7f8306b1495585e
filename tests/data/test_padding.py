import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2egraph.data.padding import node_features, object_features, pad
from e2egraph.detector.channels import channels
from e2egraph.errors import InputError
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.tasks.inputs import resolve
from e2egraph.tasks.objects.jet import KIND
from e2egraph.tasks.region import JET_REGION
from tests.all_inputs import INPUTS
from tests.toy_dataset import CHANNEL_NAMES, toy_clouds

N_VARIABLES = len(INPUTS.variables)


@pytest.fixture
def clouds() -> PointClouds:
    return toy_clouds(1, 13, np.random.default_rng(5), nodes=(0, 17))


def test_every_node_stands_in_its_jets_row_in_order_with_its_own_values(clouds):
    dense = pad(clouds, INPUTS)
    for jet in range(len(clouds)):
        start, stop = clouds.offsets[jet : jet + 2]
        n = stop - start
        assert dense.mask[jet].tolist() == [True] * n + [False] * (dense.mask.shape[1] - n)
        for column, name in enumerate(("deta", "dphi")):
            np.testing.assert_array_equal(dense.points[jet, :n, column], clouds.nodes[name][start:stop])
        for column, name in enumerate(INPUTS.variable_names):
            np.testing.assert_array_equal(dense.features[jet, :n, column], clouds.nodes[name][start:stop])
        one_hot = dense.features[jet, :n, N_VARIABLES:]
        assert (one_hot.sum(axis=1) == 1).all()
        np.testing.assert_array_equal(one_hot.argmax(axis=1), clouds.nodes["channel"][start:stop])


@given(
    st.permutations(list(INPUTS.variable_names)).flatmap(
        lambda names: st.integers(0, len(names)).map(lambda n: names[:n])
    ),
    st.permutations(CHANNEL_NAMES),
    st.permutations(list(KIND.quantities)).map(lambda names: names[:2]),
)
def test_any_choice_of_inputs_in_any_order_picks_its_columns_of_all_of_them(of_nodes, of_channels, of_jets):
    clouds = toy_clouds(1, 4, np.random.default_rng(5), nodes=(0, 17))
    inputs = resolve(of_nodes, of_channels, of_jets, JET_REGION, KIND.quantities)
    chosen, whole = pad(clouds, inputs), pad(clouds, INPUTS)
    assert chosen.features.shape[2] == inputs.n_features == len(of_nodes) + len(of_channels)
    for name in inputs.feature_names:
        place = INPUTS.index(name)
        np.testing.assert_array_equal(chosen.features[..., inputs.index(name)], whole.features[..., place])
    for column, name in enumerate(of_jets):
        np.testing.assert_array_equal(chosen.jet[:, column], whole.jet[:, INPUTS.object_index(name)])
    for name in ("points", "mask", "label", "weight"):
        np.testing.assert_array_equal(getattr(chosen, name), getattr(whole, name))
    np.testing.assert_array_equal(node_features(clouds, inputs), chosen.features[chosen.mask])
    np.testing.assert_array_equal(object_features(clouds, inputs), chosen.jet)


def test_padding_is_zero_and_shapes_follow_the_contract(clouds):
    dense = pad(clouds, INPUTS, n_nodes=40)
    assert dense.points.shape == (13, 40, 2)
    assert dense.features.shape == (13, 40, N_VARIABLES + len(channels())) == (13, 40, INPUTS.n_features)
    assert dense.jet.shape == (13, len(INPUTS.object))
    assert not dense.points[~dense.mask].any()
    assert not dense.features[~dense.mask].any()


def test_jet_quantities_label_weight_and_targets_are_carried(clouds):
    clouds.jets["target_mass"] = np.arange(13.0)
    dense = pad(clouds, INPUTS, targets=("mass",))
    softdrop = dense.jet[:, INPUTS.object_index("softdrop_mass")]
    np.testing.assert_array_equal(softdrop, clouds.jets["softdrop_mass"].astype(np.float32))
    np.testing.assert_array_equal(dense.target[:, 0], np.arange(13.0))
    assert (dense.label == 1).all()
    assert dense.weight.dtype == np.float32


def test_no_jets_and_jets_without_nodes_give_empty_arrays(clouds):
    assert pad(clouds.take(np.array([], int)), INPUTS).points.shape == (0, 0, 2)
    bare = clouds.keep_nodes(np.zeros(clouds.offsets[-1], bool))
    assert pad(bare, INPUTS).features.shape == (13, 0, INPUTS.n_features)
    assert pad(bare, INPUTS, n_nodes=3).mask.sum() == 0


def test_too_small_a_block_and_an_unknown_channel_are_refused(clouds):
    with pytest.raises(InputError, match="more than the 2 asked for"):
        pad(clouds, INPUTS, n_nodes=2)
    tracks = resolve(["value"], ["TRACK"], [], JET_REGION, {})
    with pytest.raises(InputError, match=r"nodes of channel \d+ are none of the inputs TRACK; .*data\.nodes\.channels"):
        pad(clouds, tracks)
    clouds.nodes["channel"][0] = 255
    with pytest.raises(InputError, match="nodes of channel 255 are none of the inputs"):
        pad(clouds, INPUTS)


def test_a_column_that_was_not_read_is_named(clouds):
    del clouds.nodes["time"]
    with pytest.raises(ValueError, match="column 'time' was not read"):
        pad(clouds, INPUTS)
