"""Orders along physical coordinates and the blocks cut from them, against plain loops and sorts."""

import math

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from e2egraph.detector.geometry import ETA_PITCH, PHI_PITCH
from e2egraph.models.layers.ordering.serialization import Blocks, order_code, serialize
from tests.models.jets import jets

PITCH = torch.tensor([ETA_PITCH, PHI_PITCH], dtype=torch.float32)


def inputs(counts: list[int], lattice: bool = True, width: int = 6, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    points, _, mask, _ = jets(counts, lattice=lattice, seed=seed)
    x = torch.randn(*mask.shape, width, generator=torch.Generator().manual_seed(seed))
    return x, points, mask


def test_the_curve_is_mortons_bit_by_bit() -> None:
    # Middles of cells of an eighth of a crystal; a crystal's centre is a border between its middle cells.
    cells = torch.randint(-2048, 2048, (200, 2), generator=torch.Generator().manual_seed(0))
    code = order_code((((cells + 0.5) / 8 - 0.5) * PITCH).unsqueeze(0))[0]
    for (row, column), number in zip(cells.tolist(), code.tolist(), strict=True):
        expected = 0
        for bit in range(12):
            expected += ((column + 2048) >> bit & 1) * 2 ** (2 * bit) + ((row + 2048) >> bit & 1) * 2 ** (2 * bit + 1)
        assert number == expected


def test_what_lies_in_one_crystal_follows_each_other_on_the_curve() -> None:
    crystals = torch.randint(-40, 40, (60, 2), generator=torch.Generator().manual_seed(0)).unique(dim=0)
    inside = torch.rand(len(crystals), 9, 2, generator=torch.Generator().manual_seed(1)) - 0.5
    code = order_code(((crystals.unsqueeze(1) + 0.98 * inside) * PITCH).flatten(0, 1).unsqueeze(0))[0]
    owner = torch.arange(len(crystals)).repeat_interleave(9)[torch.argsort(code, stable=True)]
    assert len(owner.unique_consecutive()) == len(crystals)


def test_points_beyond_the_grid_and_undefined_ones_have_codes_too() -> None:
    far = torch.tensor([[[1e30, -1e30], [-1e30, 1e30], [math.nan, math.nan], [math.inf, 0.0]]])
    for order in ("curve", "eta", "phi"):
        code = order_code(far[:, [0, 1, 3]], order)
        assert ((code >= 0) & (code < 2**24) & (code == code.floor())).all()
    assert 0 <= order_code(far)[0, 2] < 2**24  # padding may hold NaN


@pytest.mark.parametrize(("order", "axis"), [("eta", 0), ("phi", 1)])
def test_along_a_coordinate_the_order_is_that_of_the_coordinate(order: str, axis: int) -> None:
    points = (torch.rand(1, 300, 2, generator=torch.Generator().manual_seed(1)) * 2 - 1) * math.pi
    order = torch.argsort(order_code(points, order)[0], stable=True)
    steps = points[0, order, axis].diff()
    assert (steps > -2 * math.pi / 2**18).all()


@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("size", [1, 4, 7, 64])
@pytest.mark.parametrize("counts", [[13, 7, 1, 0], [64, 63], [1], [0, 0]])
def test_joining_undoes_splitting_and_every_node_stands_once(counts: list[int], size: int, wrap: bool) -> None:
    x, points, mask = inputs(counts)
    for shift in {0, size // 2, size - 1}:
        blocks = serialize(order_code(points), x, mask, size, shift=shift, wrap=wrap)
        parts = blocks.split(x)
        assert parts.shape[2:] == (size, x.shape[2])
        assert blocks.mask.shape == parts.shape[:3]
        assert torch.equal(blocks.join(parts)[mask], x[mask])
        assert blocks.mask.sum((1, 2)).tolist() == counts
        assert not parts[~blocks.mask].any()
        for row, present, n in zip(blocks.node, blocks.mask.flatten(1), counts, strict=True):
            assert sorted(row[present].tolist()) == list(range(n))


@pytest.mark.parametrize("wrap", [False, True])
def test_blocks_are_pieces_of_the_sorted_row_moved_by_the_shift(wrap: bool) -> None:
    x, points, mask = inputs([23, 10], lattice=False)
    code = order_code(points)
    for b, n in enumerate([23, 10]):
        row = sorted(range(n), key=lambda i, b=b: float(code[b, i]))
        for shift in (0, 3):
            moved = row[n - shift :] + row[: n - shift] if wrap else [None] * shift + row
            blocks = serialize(code, x, mask, 5, shift=shift, wrap=wrap)
            nodes, present = blocks.node[b].tolist(), blocks.mask[b].flatten().tolist()
            found = [node if there else None for node, there in zip(nodes, present, strict=True)]
            assert found[: len(moved)] == moved
            assert not any(present[len(moved) :])


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_which_nodes_share_a_block_does_not_depend_on_the_order_of_the_input(scale: float) -> None:
    # All on few cells: nearly every order is decided by content. Between blocks vectors may be large.
    x, points, mask = inputs([61, 40, 2])
    points, x = (points * 0.1 / PITCH).round() * PITCH, x * scale
    order = torch.randperm(61, generator=torch.Generator().manual_seed(5))
    before = serialize(order_code(points), x, mask, 4).split(x)
    after = serialize(order_code(points[:, order]), x[:, order], mask[:, order], 4).split(x[:, order])
    assert len(order_code(points)[mask].unique()) < 60
    assert torch.equal(before, after)


def test_what_padding_holds_and_how_much_there_is_changes_nothing() -> None:
    x, points, mask = inputs([17, 5])
    plain = serialize(order_code(points), x, mask, 4)
    wider = torch.nn.functional.pad(mask, (0, 9))
    junk_x = torch.nn.functional.pad(x.masked_fill(~mask.unsqueeze(-1), 7.0), (0, 0, 0, 9), value=-3.0)
    junk_points = torch.nn.functional.pad(
        points.masked_fill(~mask.unsqueeze(-1), math.nan), (0, 0, 0, 9), value=math.nan
    )
    padded = serialize(order_code(junk_points), junk_x, wider, 4)
    n_blocks = plain.mask.shape[1]
    assert torch.equal(padded.split(junk_x)[:, :n_blocks], plain.split(x))
    assert torch.equal(padded.mask[:, :n_blocks], plain.mask)
    assert not padded.mask[:, n_blocks:].any()
    assert not padded.split(junk_x)[:, n_blocks:].any()


def rounds_of_orders(B: int = 2, N: int = 7, rounds: int = 3, size: int = 3) -> tuple[Blocks, Tensor]:
    """Blocks of several random orders of each jet, and vectors of its nodes; the second jet has four."""
    generator = torch.Generator().manual_seed(2)
    mask = (torch.arange(N) < torch.tensor([[N], [4]])).repeat_interleave(rounds, 0)
    code = torch.randint(0, 9, (B * rounds, N), generator=generator).double()
    x = torch.randn(B, N, 2, dtype=torch.float64, generator=generator)
    return serialize(code, x.repeat_interleave(rounds, 0), mask, size), x.requires_grad_()


def test_several_orders_are_split_and_joined_as_one_order_at_a_time() -> None:
    blocks, x = rounds_of_orders()
    split = blocks.split(x, 3)
    assert torch.equal(split, blocks.split(x.repeat_interleave(3, 0)))
    rows = torch.randn_like(split)
    torch.testing.assert_close(blocks.join(rows, 3), blocks.join(rows).unflatten(0, (2, 3)).sum(1))


def test_the_hand_written_gradients_of_split_and_join_are_the_derivatives() -> None:
    blocks, x = rounds_of_orders()
    real = torch.arange(7) < torch.tensor([[7], [4]])
    assert torch.autograd.gradcheck(lambda x: blocks.split(x, 3), (x,))
    rows = blocks.split(x, 3).detach().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda rows: blocks.join(rows.masked_fill(~blocks.mask.unsqueeze(-1), 0.0), 3)[real], (rows,)
    )


class RoundTrip(nn.Module):
    def forward(self, x: Tensor, points: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        blocks = serialize(order_code(points), x, mask > 0.5, 4, shift=2, wrap=True)
        parts = blocks.split(x)
        return parts, blocks.mask, blocks.join(parts)


def test_onnx_cuts_the_same_blocks() -> None:
    dynamic = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    example = (torch.zeros(3, 7, 6), torch.zeros(3, 7, 2), torch.ones(3, 7))
    program = torch.onnx.export(
        RoundTrip().eval(),
        example,
        dynamo=True,
        opset_version=18,
        input_names=["x", "points", "mask"],
        dynamic_shapes=(dynamic,) * 3,
        verbose=False,
    )
    assert program is not None
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    for counts in ([1, 0], [4, 3, 2], [61, 17]):
        for lattice in (False, True):
            x, points, mask = inputs(counts, lattice)
            feeds = {"x": x.numpy(), "points": points.numpy(), "mask": mask.float().numpy()}
            parts, present, joined = session.run(None, feeds)
            expected_parts, expected_present, _ = RoundTrip()(x, points, mask.float())
            np.testing.assert_array_equal(parts, expected_parts.numpy())
            np.testing.assert_array_equal(present, expected_present.numpy())
            np.testing.assert_array_equal(joined[mask.numpy()], x[mask].numpy())
