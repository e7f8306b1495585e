"""Merging between stages: each group against a plain loop, and what it must leave as it was."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from e2egraph.models.layers.ordering.merging import Merge
from e2egraph.models.layers.ordering.serialization import order_code, serialize
from tests.models.jets import jets
from tests.models.zoo import build, graph_models


def inputs(counts: list[int], lattice: bool = True, width: int = 5) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    points, _, mask, _ = jets(counts, lattice=lattice)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(*mask.shape, width, generator=generator)
    energy = torch.rand(*mask.shape, 3, generator=generator) * mask.unsqueeze(-1)
    return x, points, energy, mask


@pytest.mark.parametrize("lattice", [False, True])
@pytest.mark.parametrize("factor", [2, 3, 8])
def test_each_group_is_mean_and_maximum_of_its_members(factor: int, lattice: bool) -> None:
    torch.manual_seed(0)
    merge, counts = Merge(5, factor), [19, 8, 1, 0]
    x, points, energy, mask = inputs(counts, lattice)
    new_x, new_points, new_energy, new_mask = merge(x, points, energy, mask)
    row = serialize(order_code(points), x, mask, 1).node
    for b, n in enumerate(counts):
        assert new_mask[b].sum() == -(-n // factor)
        for g, start in enumerate(range(0, n, factor)):
            members = row[b, start : min(start + factor, n)]
            joined = torch.cat([x[b, members].mean(0), x[b, members].amax(0)])
            torch.testing.assert_close(new_x[b, g], merge.combine(joined))
            torch.testing.assert_close(new_points[b, g], points[b, members].mean(0))
            torch.testing.assert_close(new_energy[b, g], energy[b, members].sum(0))
    assert new_x.isfinite().all()
    assert not new_energy[~new_mask].any()


def test_no_energy_is_lost() -> None:
    x, points, energy, mask = inputs([50, 31, 2, 0])
    merged = Merge(5, 4)(x, points, energy, mask)[2]
    torch.testing.assert_close(merged.sum(1), energy.sum(1))


def test_merging_by_one_only_sorts() -> None:
    x, points, energy, mask = inputs([12, 5])
    _, new_points, new_energy, new_mask = Merge(5, 1)(x, points, energy, mask)
    row = serialize(order_code(points), x, mask, 1).node.unsqueeze(-1)
    assert torch.equal(new_points[new_mask], points.gather(1, row.expand(-1, -1, 2))[new_mask])
    assert torch.equal(new_energy[new_mask], energy.gather(1, row.expand(-1, -1, 3))[new_mask])


def test_places_and_energies_do_not_depend_on_the_order_of_summation() -> None:
    # Sums in float32 would: these are the same to the last bit however the input is ordered.
    x, points, energy, mask = inputs([64], lattice=False)
    points = points * 0.01  # all in one crystal: groups are made by content alone
    order = torch.randperm(64, generator=torch.Generator().manual_seed(2))
    merge = Merge(5, 7)
    before = merge(x, points, energy, mask)
    after = merge(x[:, order], points[:, order], energy[:, order], mask[:, order])
    assert torch.equal(before[1], after[1])
    assert torch.equal(before[2], after[2])


def test_the_gradient_reaches_every_member() -> None:
    x, points, energy, mask = inputs([11, 3])
    x.requires_grad_()
    Merge(5, 4)(x, points, energy, mask)[0].square().sum().backward()
    assert x.grad is not None
    assert (x.grad[mask].abs().sum(-1) > 0).all()
    assert not x.grad[~mask].any()


def test_onnx_merges_the_same_nodes() -> None:
    torch.manual_seed(0)
    merge = Merge(5, 3).eval()
    dynamic = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    names = ("x", "points", "energy", "mask")
    program = torch.onnx.export(
        merge,
        (*inputs([7, 7, 7])[:3], torch.ones(3, 7, dtype=torch.bool)),
        dynamo=True,
        opset_version=18,
        input_names=names,
        dynamic_shapes=(dynamic,) * 4,
        verbose=False,
    )
    assert program is not None
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    for counts in ([1], [2, 0], [47, 30, 3]):
        for lattice in (False, True):
            tensors = inputs(counts, lattice)
            results = session.run(None, {name: t.numpy() for name, t in zip(names, tensors, strict=True)})
            with torch.no_grad():
                expected = merge(*tensors)
            np.testing.assert_allclose(results[0], expected[0].numpy(), atol=1e-5)
            for ours, theirs in zip(expected[1:], results[1:], strict=True):
                np.testing.assert_array_equal(theirs, ours.numpy())


@pytest.mark.parametrize("lattice", [False, True])
@pytest.mark.parametrize(
    ("name", "merge"), [*((name, "[1,4]") for name in graph_models()), ("gravnet", "[2]"), ("gravnet", "[3,5]")]
)
def test_a_network_that_merges_keeps_the_promises_of_networks(name: str, merge: str, lattice: bool) -> None:
    model = build(name, settings=(f"options.merge={merge}",))
    counts = [41, 17, 6, 1, 0]
    points, features, mask, jet = jets(counts, lattice=lattice, n=43)
    order = torch.randperm(43, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        result = model(points, features, mask, jet)
        shuffled = model(points[:, order], features[:, order], mask[:, order], jet)
        alone = [model(points[i : i + 1, :n], features[i : i + 1, :n], mask[i : i + 1, :n], jet[i : i + 1])
                 for i, n in enumerate(counts)]  # fmt: skip
    torch.testing.assert_close(shuffled, result, atol=2e-5, rtol=0)
    torch.testing.assert_close(torch.cat(alone), result, atol=1e-5, rtol=0)
    model.train()(points, features, mask, jet)[:, 1:].square().sum().backward()
    for name, p in model.named_parameters():
        assert p.grad is not None and p.grad.isfinite().all(), name
        # GravNet's coordinates count by their differences alone: the gradient of their bias is 0 but for rounding.
        assert p.grad.abs().sum() > 0 or name.endswith("kernel.coordinates.bias"), name
