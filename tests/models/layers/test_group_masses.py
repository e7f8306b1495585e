"""Masses of learned groups of tokens, against four-momenta added in double precision."""

import numpy as np
import pytest
import torch

from e2egraph.errors import UsageError
from e2egraph.models.layers.readout.group_masses import SMALLEST_MASS, GroupMasses
from e2egraph.models.registry import build_model, load_model_config
from e2egraph.tasks.inputs import Inputs
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.models.other_inputs import CROP, EVENT, HITS
from tests.models.zoo import parity

TOKENS, WIDTH, GROUPS = 30, 8, 3


def mass(pt, eta, phi):
    """Of the sum of massless four-momenta."""
    px, py, pz, energy = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta)
    return np.sqrt(energy.sum() ** 2 - px.sum() ** 2 - py.sum() ** 2 - pz.sum() ** 2), np.hypot(px.sum(), py.sum())


def tokens(spread: float, seed: int = 1):
    """x, points, energies in two channels, and which tokens there are, of two jets."""
    torch.manual_seed(seed)
    energy = torch.rand(2, TOKENS, 2) * 40.0
    found = torch.arange(TOKENS).expand(2, -1) < torch.tensor([[TOKENS], [11]])
    return torch.randn(2, TOKENS, WIDTH), torch.randn(2, TOKENS, 2) * spread, energy, found


@pytest.mark.parametrize(("spread", "tolerance"), [(0.02, 1e-3), (0.1, 0.02)])
def test_masses_and_momenta_are_those_of_added_four_momenta(spread: float, tolerance: float) -> None:
    x, points, energy, found = tokens(spread)
    make = GroupMasses(GROUPS, WIDTH, 2, INPUTS)
    with torch.no_grad():
        values = torch.expm1(make(x, points, energy, found)).double().numpy()
        share = torch.sigmoid(make.share(x)).unflatten(-1, (GROUPS, 2))
        weight = ((share * energy.unsqueeze(2)).sum(-1) * found.unsqueeze(-1)).double().numpy()
    assert values.shape == (2, make.out_width) and make.out_width == 3 + 3 + 3
    for jet in range(2):
        eta, phi = points[jet].double().numpy().T
        sets = [weight[jet, :, group] for group in range(GROUPS)]
        sets += [sets[0] + sets[1], sets[0] + sets[2], sets[1] + sets[2]]
        for number, pt in enumerate(sets):
            expected, momentum = mass(pt, eta, phi)
            assert values[jet, GROUPS + number] == pytest.approx(expected, rel=tolerance)
            if number < GROUPS:
                assert values[jet, number] == pytest.approx(momentum, rel=tolerance)


def test_padding_and_the_order_of_tokens_change_nothing() -> None:
    x, points, energy, found = tokens(0.1)
    make = GroupMasses(GROUPS, WIDTH, 2, INPUTS)
    order = torch.randperm(TOKENS)
    changed = torch.where(found.unsqueeze(-1), points, 7.0), torch.where(found.unsqueeze(-1), energy, 50.0)
    with torch.no_grad():
        values = make(x, points, energy, found)
        torch.testing.assert_close(make(x, *changed, found), values)
        again = make(x[:, order], points[:, order], energy[:, order], found[:, order])
    torch.testing.assert_close(again, values, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("there", [0, 1])
def test_nothing_and_a_single_token_have_no_mass_and_a_finite_slope(there: int) -> None:
    x, points, energy, _ = tokens(0.1)
    found = torch.arange(TOKENS).expand(2, -1) < there
    x.requires_grad_()
    make = GroupMasses(GROUPS, WIDTH, 2, INPUTS)
    values = make(x, points, energy, found)
    torch.testing.assert_close(
        torch.expm1(values[:, GROUPS:]), torch.full((2, 6), SMALLEST_MASS), rtol=0.05, atol=0.005
    )
    values.sum().backward()
    assert x.grad is not None and torch.isfinite(x.grad).all()


@pytest.mark.parametrize("inputs", [INPUTS, CROP])
def test_a_network_with_masses_is_exported_as_it_is(inputs: Inputs) -> None:
    torch.manual_seed(2)
    settings = ["options.masses=4", "options.width=16", "options.tracks=12"]
    network = build_model(load_model_config("tracks-and-cells", settings), inputs, TWO_CLASSES).eval()
    assert parity(network, max_nodes=120, inputs=inputs).largest_difference < 1e-4


def test_whole_events_and_inputs_without_momenta_are_refused() -> None:
    for inputs, what in ((EVENT, "whole events"), (HITS, "channels without energies")):
        with pytest.raises(UsageError, match=rf"model\.options\.masses .*{what}.*; set it to 0"):
            GroupMasses(2, WIDTH, 0 if inputs is HITS else 2, inputs)
