from dataclasses import replace

import numpy as np
import pytest
import torch

from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.padding import pad
from e2egraph.training.steps.augmentation import reflect, reflection_signs
from tests.all_inputs import INPUTS
from tests.toy_dataset import toy_clouds


@pytest.fixture
def batch():
    return JetBatch.from_arrays(pad(toy_clouds(0, 200, np.random.default_rng(1), nodes=(1, 9)), INPUTS))


def mirrored_as(batch, eta, phi, seed=0, epoch=0):
    signs, one = reflection_signs(batch.number.numpy(), seed, epoch), torch.ones(len(batch))
    return reflect(batch, INPUTS, signs[0] if eta else one, signs[1] if phi else one)


@pytest.mark.parametrize(
    ("eta", "phi", "axis", "features", "jet"),
    [
        (True, False, 0, {"dz", "dz_sig"}, {"jet_eta"}),
        (False, True, 1, {"d0", "d0_sig", "charge"}, set()),
    ],
)
def test_a_reflection_turns_over_what_the_mirror_does_and_nothing_else(batch, eta, phi, axis, features, jet):
    mirrored = mirrored_as(batch, eta, phi)
    flipped = (mirrored.points[:, :, axis] != batch.points[:, :, axis]).any(1)
    assert 60 < flipped.sum() < 140
    sign = torch.where(flipped, -1.0, 1.0)
    assert torch.equal(mirrored.points[:, :, axis], batch.points[:, :, axis] * sign[:, None])
    assert torch.equal(mirrored.points[:, :, 1 - axis], batch.points[:, :, 1 - axis])
    for column, name in enumerate(INPUTS.feature_names):
        expected = batch.features[:, :, column] * (sign[:, None] if name in features else 1.0)
        assert torch.equal(mirrored.features[:, :, column], expected), name
    for column, name in enumerate(INPUTS.object_names):
        assert torch.equal(mirrored.jet[:, column], batch.jet[:, column] * (sign if name in jet else 1.0)), name
    assert mirrored.mask is batch.mask


def test_a_direction_that_is_learnt_is_mirrored_along_and_a_mass_is_not(batch):
    names = ("gen_mass", "gen_eta", "gen_phi")
    batch = replace(batch, target=torch.randn(len(batch), 3))
    eta, phi = reflection_signs(batch.number.numpy(), 0, 0)
    mirrored = reflect(batch, INPUTS, eta, phi, names)
    assert torch.equal(mirrored.target, batch.target * torch.stack([torch.ones_like(eta), eta, phi], dim=1))


def test_both_reflections_are_independent_and_fair():
    signs = reflection_signs(np.arange(40_000), 3, 1)
    assert set(signs.unique().tolist()) == {-1.0, 1.0}
    for product in (signs[0], signs[1], signs[0] * signs[1]):
        assert abs(product.mean()) < 4 / 200  # four standard errors of 40,000 coins
    neighbours = signs[0, 1:] * signs[0, :-1]
    assert abs(neighbours.mean()) < 4 / 200


def test_a_jet_is_mirrored_alike_in_whatever_company_and_differently_in_each_epoch_and_seed(batch):
    number = batch.number.numpy()
    whole = reflection_signs(number, 5, 2)
    assert torch.equal(reflection_signs(number[7:20], 5, 2), whole[:, 7:20])
    assert not torch.equal(reflection_signs(number, 5, 3), whole)
    assert not torch.equal(reflection_signs(number, 6, 2), whole)
