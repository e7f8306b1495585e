import numpy as np
import pytest
import torch

from e2egraph.data.batch import JetBatch
from e2egraph.data.padding import FEATURE_NAMES, pad
from e2egraph.graphs.columns import JET_VARIABLES
from e2egraph.training.augmentation import reflect
from tests.toy_dataset import toy_clouds


@pytest.fixture
def batch():
    return JetBatch.from_arrays(pad(toy_clouds(0, 200, np.random.default_rng(1), nodes=(1, 9))))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("eta", "phi", "axis", "features", "jet"),
    [
        (True, False, 0, {"dz", "dz_sig"}, {"jet_eta"}),
        (False, True, 1, {"d0", "d0_sig", "charge"}, set()),
    ],
)
def test_a_reflection_turns_over_what_the_mirror_does_and_nothing_else(batch, eta, phi, axis, features, jet):
    mirrored = reflect(batch, eta, phi, generator())
    flipped = (mirrored.points[:, :, axis] != batch.points[:, :, axis]).any(1)
    assert 60 < flipped.sum() < 140
    sign = torch.where(flipped, -1.0, 1.0)
    assert torch.equal(mirrored.points[:, :, axis], batch.points[:, :, axis] * sign[:, None])
    assert torch.equal(mirrored.points[:, :, 1 - axis], batch.points[:, :, 1 - axis])
    for column, name in enumerate(FEATURE_NAMES):
        expected = batch.features[:, :, column] * (sign[:, None] if name in features else 1.0)
        assert torch.equal(mirrored.features[:, :, column], expected), name
    for column, name in enumerate(JET_VARIABLES):
        assert torch.equal(mirrored.jet[:, column], batch.jet[:, column] * (sign if name in jet else 1.0)), name
    assert mirrored.mask is batch.mask


def test_both_reflections_are_independent_and_the_same_generator_repeats_them(batch):
    mirrored = reflect(batch, True, True, generator(5))
    assert torch.equal(mirrored.points, reflect(batch, True, True, generator(5)).points)
    patterns = {tuple(p) for p in (mirrored.points[:, 0] * batch.points[:, 0] > 0).tolist()}
    assert len(patterns) == 4
