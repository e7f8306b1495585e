"""The LSH kernel against its dense form and a loop over bins, and its hash: many bins in use, neighbours together."""

import warnings

import onnx
import pytest
import torch
from torch import Tensor, nn

from e2egraph.config import validate
from e2egraph.detector.geometry import ETA_PITCH, PHI_PITCH
from e2egraph.errors import UsageError
from e2egraph.export.one_thread import one_thread_session
from e2egraph.models.kernels import bin_graph, hashing
from e2egraph.models.kernels.hashing import PointEmbedding, bin_numbers
from e2egraph.models.kernels.lsh import LshKernel, LshOptions
from tests.all_inputs import INPUTS
from tests.models.jets import jets
from tests.models.kept import kept_for_gradient

UNIT = INPUTS.region.half_eta


def kernel_of(
    bin_size: int = 8, rounds: int = 2, max_bins: int = 32, normalize: bool = True, width: int = 6
) -> LshKernel:
    torch.manual_seed(0)
    return LshKernel(width, 4, bin_size, rounds, max_bins, normalize, UNIT).double()


def nodes(counts: list[int], *, width: int = 6, n: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
    points, _, mask, _ = jets(counts, n=n)
    x = torch.randn(*mask.shape, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return x, points.double(), mask


def dense(kernel: LshKernel, x: Tensor, points: Tensor) -> Tensor:
    """The formula for nodes x [n, width] that all lie in one bin: D^(−1/2) A D^(−1/2) xθ, gated."""
    d = kernel.coordinates(x) + kernel.place(points)
    a = torch.exp(-0.1 * (d.unsqueeze(1) - d).norm(dim=-1).clamp(min=0.1))
    if kernel.normalize:
        degree = a.sum(1)
        a = a / (degree.unsqueeze(1) * degree).sqrt()
    return a @ (x @ kernel.message.weight.T)


def gated(kernel: LshKernel, x: Tensor, gathered: Tensor) -> Tensor:
    g = torch.sigmoid(kernel.gate(x))
    return torch.nn.functional.elu(g * gathered + (1 - g) * (x @ kernel.own.weight.T))


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("rounds", [1, 3])
def test_with_one_bin_for_all_the_kernel_is_its_dense_form(rounds: int, normalize: bool) -> None:
    kernel = kernel_of(bin_size=31, rounds=rounds, normalize=normalize)
    x, points, mask = nodes([31, 7, 1, 0])
    with torch.no_grad():
        ours = kernel(x, points, mask)
        for b, n in enumerate([31, 7, 1]):
            x_b = x[b, :n]
            expected = gated(kernel, x_b, dense(kernel, x_b, points[b, :n]))
            torch.testing.assert_close(ours[b, :n], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("normalize", [True, False])
def test_with_many_bins_the_kernel_is_its_formula_bin_by_bin_and_round_by_round(normalize: bool) -> None:
    kernel = kernel_of(normalize=normalize)
    x, points, mask = nodes([50, 17, 1])
    with torch.no_grad():
        ours = kernel(x, points, mask)
        bins = kernel.bins(x, points, mask)
        for b, n in enumerate([50, 17, 1]):
            gathered = torch.zeros(n, 6, dtype=torch.float64)
            for r in range(2):
                place = bins.place[2 * b + r, :n]
                for number in range(-(-n // 8)):
                    members = (place // 8 == number).nonzero().squeeze(1)
                    assert len(members) == min(8, n - 8 * number)
                    gathered[members] += dense(kernel, x[b, members], points[b, members]) / 2
            expected = gated(kernel, x[b, :n], gathered)
            torch.testing.assert_close(ours[b, :n], expected, rtol=1e-9, atol=1e-12)


def test_bins_worked_on_some_at_a_time_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, inputs = kernel_of(), nodes([50, 17, 0])
    with torch.no_grad():
        expected = kernel(*inputs)
        monkeypatch.setattr(bin_graph, "CPU_BLOCK", 3 * 8**2)
        ours = kernel(*inputs)
        assert kernel(*nodes([0, 0])).shape == (2, 0, 6)
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("block", [hashing.CPU_BLOCK, 4 * 14 * 25, 1])
def test_bin_numbers_are_the_argmax_over_the_directions_in_use_and_their_opposites(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(hashing, "CPU_BLOCK", block)  # all jets at once, some nodes of a jet, one node
    p = torch.randn(3, 60, 5, dtype=torch.float64)
    rotations = torch.randn(2, 5, 7)
    counts = [60, 33, 3]
    mask = torch.arange(60) < torch.tensor(counts).unsqueeze(1)
    numbers = bin_numbers(p, rotations, mask, 5)
    for b, (n, columns) in enumerate(zip(counts, [6, 4, 1], strict=True)):  # ⌈n / 10⌉
        centered = p[b, :n] - p[b, :n].mean(0)
        for r in range(2):
            directions = rotations[r, :, :columns].double()
            both = torch.cat([directions, -directions], dim=1)
            best = (centered @ both).argmax(1)
            expected = 2 * (best % columns) + best // columns
            assert torch.equal(numbers[b, r, :n], expected)


def test_spread_nodes_use_at_least_half_of_the_bins() -> None:
    bin_size, n = 16, 1024
    for seed in range(5):
        torch.manual_seed(seed)
        points = (torch.rand(1, n, 2, dtype=torch.float64) - 0.5) * 2.0
        rotations = torch.randn(2, 16, 64)
        numbers = bin_numbers(PointEmbedding(16, UNIT)(points), rotations, torch.ones(1, n, dtype=torch.bool), bin_size)
        for r in range(2):
            assert len(numbers[0, r].unique()) >= n // bin_size // 2


def test_a_region_of_half_the_size_is_hashed_like_the_whole_at_half_the_scale() -> None:
    points = nodes([40])[1]
    torch.manual_seed(0)
    whole = PointEmbedding(16, UNIT).double()
    torch.manual_seed(0)
    half = PointEmbedding(16, UNIT / 2).double()
    torch.testing.assert_close(half(points / 2), whole(points), rtol=1e-6, atol=1e-6)


def test_the_number_of_bins_follows_the_nodes_and_not_the_padding() -> None:
    kernel = kernel_of(max_bins=64)
    x, points, mask = nodes([40, 21, 0], n=40)
    longer, more_points, more_mask = (torch.nn.functional.pad(t, (0, 0, 0, 215)) for t in (x, points, mask[..., None]))
    longer[:, 40:], more_points[:, 40:] = 7.0, torch.nan
    more_mask = more_mask.squeeze(-1)
    with torch.no_grad():
        expected, ours = kernel(x, points, mask), kernel(longer, more_points, more_mask)
    torch.testing.assert_close(ours[:, :40][mask], expected[mask], rtol=1e-12, atol=1e-12)


def test_nearest_neighbors_share_a_bin_more_often_than_chance() -> None:
    # The bin numbers alone: within one number the curve keeps neighbours together, whatever the hash does.
    points, generator = nodes([512])[1], torch.Generator().manual_seed(0)
    nearest = torch.cdist(points[0], points[0]).fill_diagonal_(torch.inf).argmin(1)
    for seed in range(5):
        torch.manual_seed(seed)
        rotations = torch.randn(1, 16, 8)
        mask = torch.ones(1, 512, dtype=torch.bool)
        number = bin_numbers(PointEmbedding(16, UNIT)(points.double()), rotations, mask, 32)[0, 0]
        together = (number == number[nearest]).double().mean().item()
        chance = (number == number[torch.randperm(512, generator=generator)]).double().mean().item()
        assert chance < 0.5
        assert together > chance + 0.3


def test_a_second_round_joins_what_the_first_parts() -> None:
    kernel = kernel_of(bin_size=16, rounds=2)
    x, points, mask = nodes([256])
    first, second = kernel.bins(x, points, mask).place // 16
    together = [place.unsqueeze(0) == place.unsqueeze(1) for place in (first, second)]
    met = together[0] | together[1]
    assert met.sum() > 1.3 * together[0].sum()


def test_equal_points_share_a_bin_number_whatever_the_rounding() -> None:
    points = torch.full((1, 200, 2), 0.3, dtype=torch.float64)
    p = PointEmbedding(8, UNIT)(points) + 1e-16 * torch.randn(1, 200, 8, dtype=torch.float64)
    numbers = bin_numbers(p, torch.randn(1, 8, 16), torch.ones(1, 200, dtype=torch.bool), 10)
    assert not numbers.any()


def test_float32_and_float64_networks_see_the_same_bins() -> None:
    kernel = kernel_of(rounds=2).float()
    x, points, mask = nodes([200])
    x, points = x.float(), points.float()
    bins = kernel.bins(x, points, mask)
    with torch.autocast("cpu", torch.bfloat16):
        low = kernel.bins(x, points, mask)
    assert torch.equal(low.place, bins.place)
    # What float32 rounding does to x changes no bin: the hash never sees it.
    moved = kernel.bins(x * (1 + 1e-6 * torch.randn_like(x)), points, mask)
    assert torch.equal(moved.place, bins.place)


def test_nodes_within_one_crystal_lie_in_bins_that_what_is_learned_does_not_change() -> None:
    kernel = kernel_of(bin_size=4)
    steps = (torch.arange(4) - 1.5) / 4
    points = torch.cartesian_prod(ETA_PITCH * steps, PHI_PITCH * steps).unsqueeze(0)
    mask = torch.ones(1, 16, dtype=torch.bool)
    places = [kernel.bins(torch.randn(1, 16, 6), points, mask).place for _ in range(2)]
    assert torch.equal(*places)


def test_the_gradient_is_the_derivative_and_reaches_every_parameter() -> None:
    kernel = kernel_of(bin_size=3, rounds=2)
    x, points, mask = nodes([8, 4])
    x.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: kernel(x, points, mask)[mask], (x,))
    kernel(x, points, mask)[mask].square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in kernel.parameters())


def test_coincident_nodes_have_finite_gradients() -> None:
    kernel = kernel_of().float()
    x = torch.ones(1, 20, 6, requires_grad=True)
    kernel(x, torch.zeros(1, 20, 2), torch.ones(1, 20, dtype=torch.bool)).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in kernel.parameters())


def test_nothing_quadratic_in_the_nodes_is_kept_for_the_gradient() -> None:
    N, bin_size, rounds = 700, 8, 2
    kernel = kernel_of(bin_size=bin_size, rounds=rounds, width=8)
    x, points, mask = nodes([N], width=8)
    with kept_for_gradient() as kept:
        kernel(x.requires_grad_(), points, mask).sum().backward()
    assert max(kept) <= rounds * (N + bin_size) * 8


def test_more_bin_numbers_than_the_sorting_keys_resolve_are_refused() -> None:
    with pytest.raises(UsageError, match="max_bins"):
        validate(LshOptions, {"max_bins": 4096}, "gnn-lsh.yaml")


def test_an_exported_hash_computes_the_columns_that_its_nodes_can_use_and_no_more() -> None:
    class Hash(nn.Module):
        def forward(self, p: Tensor, mask: Tensor) -> Tensor:
            return bin_numbers(p, rotations, mask, 4)

    torch.manual_seed(0)
    rotations, nodes_vary = torch.randn(2, 5, 3), {1: torch.export.Dim.DYNAMIC}
    example = torch.randn(2, 10, 5, dtype=torch.float64), torch.ones(2, 10, dtype=torch.bool)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            Hash(), example, dynamic_shapes=(nodes_vary, nodes_vary), dynamo=True, verbose=False, opset_version=18
        )
    assert program is not None
    proto = program.model_proto
    scores = next(node.output[0] for node in proto.graph.node if node.op_type == "Abs")
    proto.graph.output.append(onnx.helper.make_tensor_value_info(scores, onnx.TensorProto.DOUBLE, None))
    session = one_thread_session(proto.SerializeToString())
    names = [tensor.name for tensor in session.get_inputs()]
    for n, columns in ((1, 1), (8, 1), (9, 2), (16, 2), (17, 3), (24, 3), (60, 3)):
        p, mask = torch.randn(2, n, 5, dtype=torch.float64), torch.arange(n).expand(2, n) < max(1, n - 1)
        found, computed = session.run(None, dict(zip(names, (p.numpy(), mask.numpy()), strict=True)))
        assert torch.equal(torch.from_numpy(found), bin_numbers(p, rotations, mask, 4))
        assert computed.shape[-1] == columns
