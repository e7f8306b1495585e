"""Attributions of networks whose answer is known: linear, smooth, and such as read the mask alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from e2egraph.data.loading.batch import JetBatch
from e2egraph.errors import InputError
from e2egraph.evaluation.explain.attribution import (
    PLACE,
    class_score,
    column_score,
    completeness_gap,
    integrated_gradients,
    log_odds,
    occlusion,
    occlusion_by_cell,
    occlusion_by_channel,
    occlusion_by_node,
    quantity_score,
)
from e2egraph.models.layers.geometry.grid import region_pixels
from e2egraph.models.registry import build_model, load_model_config
from e2egraph.tasks.outputs import Head, Outputs
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.models.jets import jets

COUNTS = [7, 0, 12, 1]
FEATURE_NAMES = INPUTS.feature_names
ON_ONE = class_score(1)


def gradients(model, batch, **settings):
    return integrated_gradients(model, batch, inputs=INPUTS, **settings)


def by_cell(model, batch, **settings):
    return occlusion_by_cell(model, batch, region=INPUTS.region, **settings)


def by_channel(model, batch, **settings):
    return occlusion_by_channel(model, batch, inputs=INPUTS, **settings)


BY_NODE = [gradients, occlusion_by_node, by_cell]


class Linear(nn.Module):
    """Log-odds of class 1: Σ over nodes of w · features, so that every attribution is known."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-1.0, 2.0, len(FEATURE_NAMES)))

    def forward(self, points, features, mask, jet):
        score = (features @ self.weight * mask).sum(1)
        return torch.stack([torch.zeros_like(score), score], 1)


class Smooth(Linear):
    """Nodes that see each other: their sums pass through a smooth function."""

    def forward(self, points, features, mask, jet):
        seen = torch.tanh(features * self.weight) * mask.unsqueeze(2)
        score = torch.tanh(seen.sum((1, 2)) / 5.0) + (seen.sum((1, 2)) / 20.0) ** 2
        return torch.stack([-score, score, 0.3 * score], 1)


class Sharp(Linear):
    """A derivative without bound where a node's numbers are zero, as they are for one of its variables."""

    def forward(self, points, features, mask, jet):
        return super().forward(points, (features * 0).abs().sqrt(), mask, jet)


def batch(counts=COUNTS, n=None, seed=3, lattice=False):
    points, features, mask, jet = jets(counts, n=n, seed=seed, lattice=lattice)
    one = torch.zeros(len(counts))
    return JetBatch(points, features, mask, jet, one.long(), one, one.unsqueeze(1), one.long())


def resnet():
    torch.manual_seed(1)
    return build_model(load_model_config("resnet15"), INPUTS, TWO_CLASSES).eval()


def moved_part(features):
    return features * torch.tensor([name in INPUTS.variable_names and name != PLACE for name in FEATURE_NAMES])


def test_log_odds_are_those_of_the_softmax():
    logits = torch.randn(6, 4)
    p = logits.double().softmax(1)[:, 2]
    torch.testing.assert_close(log_odds(logits, 2).double(), (p / (1 - p)).log(), rtol=1e-5, atol=1e-5)


def test_a_quantity_is_explained_in_its_own_unit():
    class Energy(Linear):
        def forward(self, points, features, mask, jet):
            return (features[..., 1] * mask).sum(1, keepdim=True)

    given = batch()
    expected = given.features[..., 1] * given.mask
    torch.testing.assert_close(occlusion_by_node(Energy(), given, score=quantity_score(0)), expected)


@pytest.mark.parametrize("first", ["class", "mass"])
def test_log_odds_are_of_the_classes_alone_where_a_network_gives_more(first):
    classes = Head(name="class", columns=("b", "s", "t"), activation="softmax")
    mass = Head(name="mass", columns=("m", "y"), units=("GeV", ""))
    outputs = Outputs(heads=(classes, mass) if first == "class" else (mass, classes))
    given = torch.randn(6, 5) * 10
    logits = given[:, outputs.slices["class"]]
    for number, p in enumerate(logits.double().softmax(1).T):
        found = column_score(outputs, outputs.slices["class"].start + number)(given)
        torch.testing.assert_close(found.double(), (p / (1 - p)).log(), rtol=1e-4, atol=1e-4)
    for place in range(5)[outputs.slices["mass"]]:
        torch.testing.assert_close(column_score(outputs, place)(given), given[:, place])


def test_a_column_that_no_head_has_is_no_score():
    with pytest.raises(IndexError, match="column 2 of outputs that have 2"):
        column_score(TWO_CLASSES, 2)


def test_log_odds_of_one_class_are_refused():
    with pytest.raises(ValueError, match="two classes"):
        log_odds(torch.zeros(3, 1), 0)


def test_integrated_gradients_of_a_linear_network_are_its_terms():
    model, given = Linear(), batch()
    expected = (moved_part(given.features) @ model.weight).detach()
    torch.testing.assert_close(gradients(model, given, score=ON_ONE, steps=3), expected)


def test_occlusion_of_a_linear_network_is_its_terms():
    model, given = Linear(), batch()
    expected = (given.features @ model.weight * given.mask).detach()
    torch.testing.assert_close(occlusion_by_node(model, given, score=ON_ONE), expected, rtol=1e-4, atol=1e-4)


def test_attributions_to_the_other_class_have_the_other_sign():
    model, given = Linear(), batch()
    for method in BY_NODE:
        torch.testing.assert_close(method(model, given, score=class_score(0)), -method(model, given, score=ON_ONE))


def test_integrated_gradients_of_a_smooth_network_add_up_to_the_change_from_the_baseline():
    model, given = Smooth(), batch()
    shares = gradients(model, given, score=ON_ONE, steps=64)
    empty = replace(given, features=given.features - moved_part(given.features))
    with torch.no_grad():
        change = log_odds(model(*given.inputs), 1) - log_odds(model(*empty.inputs), 1)
    assert change.abs().max() > 0.1
    torch.testing.assert_close(shares.sum(1), change, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(
        completeness_gap(model, given, shares, score=ON_ONE, inputs=INPUTS), change - shares.sum(1)
    )


def test_steps_in_one_pass_or_in_many_give_the_same():
    model, given = Smooth(), batch()
    for method in BY_NODE:
        at_once, singly = (method(model, given, score=ON_ONE, rows=rows) for rows in (10_000, 1))
        torch.testing.assert_close(at_once, singly)


@pytest.mark.parametrize("method", BY_NODE)
def test_attributions_move_with_their_nodes(method):
    model, given = Smooth(), batch(lattice=True)
    order = torch.randperm(given.mask.shape[1], generator=torch.Generator().manual_seed(5))
    moved = replace(given, points=given.points[:, order], features=given.features[:, order], mask=given.mask[:, order])
    expected = method(model, given, score=ON_ONE)[:, order]
    torch.testing.assert_close(method(model, moved, score=ON_ONE), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", BY_NODE)
@pytest.mark.parametrize("make", [Smooth, resnet])
def test_padding_has_no_attribution_and_changes_none(method, make):
    model, short, long = make(), batch([5, 0, 3]), batch([5, 0, 3], n=9)
    long.points[:, :5], long.features[:, :5] = short.points, short.features
    long.features[~long.mask] = float("nan") if make is resnet else 0.0
    found = method(model, long, score=ON_ONE)
    assert (found[~long.mask] == 0).all()
    torch.testing.assert_close(found[:, :5], method(model, short, score=ON_ONE), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("make", [Smooth, resnet])
def test_occluding_a_channel_is_masking_its_nodes(make):
    model, given = make(), batch([40, 25])
    found = by_channel(model, given, score=ON_ONE)
    assert found.shape == (2, len(INPUTS.channels))
    for place, channel in enumerate(INPUTS.channels):
        flag = given.features[..., FEATURE_NAMES.index(f"is_{channel.name}")] > 0
        with torch.no_grad():
            whole = log_odds(model(*given.inputs), 1)
            without = log_odds(model(given.points, given.features, given.mask & ~flag, given.jet), 1)
        torch.testing.assert_close(found[:, place], whole - without, rtol=1e-3, atol=1e-5)
    assert found.abs().max() > 1e-3


def test_occluding_a_node_is_masking_it_for_an_image_network():
    model, given = resnet(), batch([9, 6])
    found = occlusion_by_node(model, given, score=ON_ONE, rows=4)
    for node in range(9):
        left = given.mask.clone()
        left[:, node] = False
        with torch.no_grad():
            without = log_odds(model(given.points, given.features, left, given.jet), 1)
            change = log_odds(model(*given.inputs), 1) - without
        torch.testing.assert_close(found[:, node], change, rtol=1e-3, atol=1e-5)


def test_nodes_of_a_cell_share_the_change_of_their_cell():
    model, given = Linear(), batch([30, 17])
    found = by_cell(model, given, score=ON_ONE, crystals=25)
    row, column, inside = region_pixels(given.points, INPUTS.region, 1)
    terms = (given.features @ model.weight).detach()
    assert inside[given.mask].any()
    for jet in range(2):
        for node in range(int(given.mask[jet].sum())):
            same = (row[jet] // 25 == row[jet, node] // 25) & (column[jet] // 25 == column[jet, node] // 25)
            members = same & inside[jet] & given.mask[jet]
            expected = terms[jet][members].sum() if inside[jet, node] else torch.tensor(0.0)
            torch.testing.assert_close(found[jet, node], expected, rtol=1e-3, atol=1e-4)


def test_groups_left_alone_stay_and_groups_absent_have_zero():
    model, given = Linear(), batch([6, 4])
    groups = torch.full((2, 6), -1)
    groups[0, :2] = 3
    found = occlusion(model, given, groups, score=ON_ONE)
    terms = (given.features @ model.weight).detach()
    assert found.shape == (2, 4)
    torch.testing.assert_close(found[0, 3], terms[0, :2].sum(), rtol=1e-4, atol=1e-4)
    assert found.count_nonzero() == 1


@pytest.mark.parametrize("method", [*BY_NODE, by_channel])
def test_jets_without_any_node_have_zeros(method):
    found = method(Smooth(), batch([0, 0]), score=ON_ONE)
    assert found.shape == (2, len(INPUTS.channels) if method is by_channel else 0)
    assert (found == 0).all()


@pytest.mark.parametrize("method", [*BY_NODE, by_channel])
def test_the_network_is_left_as_it_was(method):
    model = nn.ModuleDict({"network": Smooth(), "dropout": nn.Dropout(0.5)})
    model.forward = lambda *inputs: model["dropout"](model["network"](*inputs))
    model.train()
    model["dropout"].eval()
    method(model, batch(), score=ON_ONE)
    assert (model.training, model["network"].training, model["dropout"].training) == (True, True, False)
    assert model["network"].weight.grad is None


def test_a_derivative_without_bound_is_an_error_that_names_occlusion():
    with pytest.raises(InputError, match="occlusion"):
        gradients(Sharp(), batch(), score=ON_ONE)


@pytest.mark.parametrize("name", ["gravnet", "tracks-and-cells-small", "resnet15"])
def test_shipped_networks_can_be_asked(name):
    torch.manual_seed(0)
    model, given = build_model(load_model_config(name), INPUTS, TWO_CLASSES).eval(), batch([20, 11])
    for method in BY_NODE:
        found = method(model, given, score=ON_ONE)
        assert found.shape == given.mask.shape
        assert found.isfinite().all()
        assert found.abs().max() > 0
