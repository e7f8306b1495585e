"""Nodes to jets: masked summaries, shares of energy, and running standardisation."""

from dataclasses import replace

import pytest
import torch

from e2egraph.models.layers.readout.pooling import Energies, Pooling, masked_max, masked_mean, masked_sum
from e2egraph.models.layers.standardize import RunningStandardize
from e2egraph.tasks.inputs import Inputs
from tests.all_inputs import INPUTS
from tests.models.jets import jets
from tests.models.other_inputs import CROP, HITS, SIX


def test_masked_summaries_are_those_of_the_nodes_alone() -> None:
    x = torch.randn(4, 9, 5) - 3.0
    counts = [9, 4, 1, 0]
    mask = torch.arange(9) < torch.tensor(counts).unsqueeze(1)
    for i, n in enumerate(counts[:3]):
        torch.testing.assert_close(masked_sum(x, mask)[i], x[i, :n].sum(0))
        torch.testing.assert_close(masked_mean(x, mask)[i], x[i, :n].mean(0))
        assert torch.equal(masked_max(x, mask)[i], x[i, :n].amax(0))
    for summary in (masked_sum, masked_mean, masked_max):
        assert not summary(x, mask)[3].any()
        assert summary(x[:, :0], mask[:, :0]).shape == (4, 5)


def test_energies_are_those_of_tracks_crystals_and_towers() -> None:
    features = torch.zeros(1, 5, INPUTS.n_features)
    for i, (channel, value) in enumerate(
        [("TRACK", 3.0), ("BPIX1", 1.0), ("ECAL", 2.5), ("HCAL", 7.0), ("ECAL", -0.2)]
    ):
        features[0, i, INPUTS.index("value")] = value
        features[0, i, INPUTS.index(f"is_{channel}")] = 1.0
    assert Energies(INPUTS)(features)[0].tolist() == [[3, 0, 0], [0, 0, 0], [0, 2.5, 0], [0, 0, 7], [0, 0, 0]]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (SIX, ("TRACK", "HCAL", "ECAL")),
        (CROP, ("ECAL", "TRACK", "HCAL")),
        (HITS, ()),
        (replace(SIX, variables=SIX.variables[:1]), ()),
    ],
    ids=["other order", "tracks not first", "hits alone", "no value"],
)
def test_energies_follow_the_channels_that_the_inputs_hold(inputs: Inputs, expected: tuple[str, ...]) -> None:
    energies = Energies(inputs)
    assert energies.channels == expected
    _, features, mask, _ = jets([40, 7, 0], inputs=inputs)
    found = energies(features)
    assert found.shape == (3, 40, len(expected))
    for i, name in enumerate(expected):
        own = features[..., inputs.index("value")] * features[..., inputs.index(f"is_{name}")]
        assert torch.equal(found[..., i], own)
    pooling = Pooling(5, len(expected))
    assert pooling(torch.randn(3, 40, 5), found, mask).shape == (3, pooling.out_width) == (3, (3 + len(expected)) * 5)


def test_the_energy_weighted_part_is_the_same_when_a_deposit_is_split_in_two() -> None:
    pooling = Pooling(6, 3)
    x = torch.randn(1, 3, 6)
    energy = torch.tensor([[[4.0, 0, 0], [6.0, 0, 0], [0, 0, 2.0]]])
    whole = pooling(x, energy, torch.ones(1, 3, dtype=torch.bool))[0, 18:]
    split = torch.tensor([[[1.0, 0, 0], [6.0, 0, 0], [0, 0, 2.0], [3.0, 0, 0]]])
    halves = pooling(torch.cat([x, x[:, :1]], 1), split, torch.ones(1, 4, dtype=torch.bool))[0, 18:]
    torch.testing.assert_close(halves, whole)
    assert not whole[6:12].any()  # no crystal in this jet


def test_running_statistics_become_those_of_the_jets_seen() -> None:
    torch.manual_seed(0)
    standardize = RunningStandardize(2).train()
    x = torch.randn(50, 200, 2) * torch.tensor([0.3, 20.0]) + torch.tensor([5.0, -100.0])
    for batch in x:
        standardize(batch)
    standardize.eval()
    result = standardize(x.view(-1, 2))
    torch.testing.assert_close(result.mean(0), torch.zeros(2), atol=0.02, rtol=0)
    torch.testing.assert_close(result.std(0), torch.ones(2), atol=0.02, rtol=0)


def test_training_and_evaluation_standardise_alike() -> None:
    standardize = RunningStandardize(3).train()
    x = torch.randn(8, 3)
    standardize(x)
    trained = standardize(x)
    assert torch.equal(standardize.eval()(x), trained)


def test_evaluation_and_lone_jets_leave_the_statistics_alone() -> None:
    standardize = RunningStandardize(3)
    standardize.train()(torch.randn(1, 3))
    standardize.eval()(torch.randn(9, 3))
    assert standardize.batches == 0
    assert not standardize.mean.any()


def test_two_forward_passes_before_one_backward_are_allowed() -> None:
    standardize = RunningStandardize(3).train()
    x = torch.randn(4, 3, requires_grad=True)
    (standardize(x) + standardize(2 * x)).sum().backward()
    assert x.grad is not None


def test_jets_without_energy_pool_to_finite_numbers() -> None:
    _, features, mask, _ = jets([4, 0])
    features[..., INPUTS.index("value")] = 0.0
    assert Pooling(5, 3)(torch.randn(2, 4, 5), Energies(INPUTS)(features), mask).isfinite().all()
