"""The EdgeConv kernel against PyG's layer and against a loop, its neighbour search against a plain sort, continuity."""

import pytest
import torch
from torch import Tensor, nn
from torch_geometric.nn import EdgeConv as ReferenceEdgeConv

from e2egraph.config import validate
from e2egraph.errors import UsageError
from e2egraph.models.kernels.edgeconv import COINCIDENT_FEATURES, COINCIDENT_POINTS, EdgeConvKernel, EdgeConvOptions
from e2egraph.models.kernels.search import feature_neighbors
from e2egraph.models.kernels.search.feature_neighbors import nearest_in_features
from tests.models.kept import kept_for_gradient


def kernel_of(*, dynamic: bool, fading: bool, layers: int = 2, neighbors: int = 5) -> EdgeConvKernel:
    torch.manual_seed(0)
    return EdgeConvKernel(6, 8, layers, neighbors, dynamic=dynamic, fading=fading).double()


def perceptron(kernel: EdgeConvKernel) -> nn.Sequential:
    """The edge function as one module on [x_i, x_j − x_i], with the kernel's own weights."""
    layers: list[nn.Module] = []
    for layer in (kernel.first, *kernel.middle):
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers, kernel.last)


def nodes(counts: list[int], *, lattice: bool = False, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """x [B, N, 6], points [B, N, 2] (within about half a radian) and mask [B, N] in float64."""
    generator = torch.Generator().manual_seed(seed)
    N = max(counts)
    x = torch.randn(len(counts), N, 6, dtype=torch.float64, generator=generator)
    points = torch.randn(len(counts), N, 2, dtype=torch.float64, generator=generator)
    if lattice:
        x, points = x.round(), (2 * points).round() / 2
    return x, 0.25 * points, torch.arange(N) < torch.tensor(counts).unsqueeze(1)


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
def test_without_fading_the_kernel_is_the_layer_of_pyg_on_the_same_edges(layers: int, dynamic: bool) -> None:
    kernel = kernel_of(dynamic=dynamic, fading=False, layers=layers)
    x, points, mask = nodes([23, 9, 4, 1])
    coordinates = x if dynamic else points
    edges = []
    for b, n in enumerate(mask.sum(1).tolist()):
        # Neighbours from torch's own distances, not from the kernel's search.
        distance = torch.cdist(coordinates[b, :n], coordinates[b, :n]).fill_diagonal_(torch.inf)
        for i in range(n):
            chosen = distance[i].argsort()[: min(kernel.neighbors, n - 1)]
            edges += [(b * 23 + int(j), b * 23 + i) for j in chosen]
    layer = ReferenceEdgeConv(perceptron(kernel), aggr="mean")
    with torch.no_grad():
        expected = layer(x.flatten(0, 1), torch.tensor(edges).T).view_as(x)
        ours = kernel(x, points, mask)
    torch.testing.assert_close(ours[mask], expected[mask], rtol=1e-9, atol=1e-12)


def loop(kernel: EdgeConvKernel, x: Tensor, points: Tensor, mask: Tensor) -> Tensor:
    """Σ_j u_ij MLP[x_i, x_j − x_i] with fading, node by node."""
    function, result = perceptron(kernel), torch.zeros_like(x)
    softening = COINCIDENT_FEATURES if kernel.dynamic else COINCIDENT_POINTS
    for b in range(x.shape[0]):
        valid = [i for i in range(x.shape[1]) if mask[b, i]]
        place = x[b] if kernel.dynamic else points[b]
        for i in valid:
            d = {j: float((place[i] - place[j]).square().sum()) for j in valid if j != i}
            order = sorted(d, key=lambda j: (d[j], j))
            chosen, rest = order[: kernel.neighbors], order[kernel.neighbors :]
            weight = {j: (d[rest[0]] - d[j]) / (d[rest[0]] + softening) if rest else 1.0 for j in chosen}
            divisor = max(1.0, sum(weight.values()))
            for j in chosen:
                result[b, i] += weight[j] / divisor * function(torch.cat([x[b, i], x[b, j] - x[b, i]]))
    return result


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("lattice", [False, True])
def test_with_fading_the_kernel_is_its_formula(lattice: bool, dynamic: bool) -> None:
    kernel = kernel_of(dynamic=dynamic, fading=True)
    x, points, mask = nodes([31, 7, 6, 5, 2, 1, 0], lattice=lattice)
    with torch.no_grad():
        ours, expected = kernel(x, points, mask), loop(kernel, x, points, mask)
    # Squared distances in x are rounded to 2⁻²².
    torch.testing.assert_close(ours[mask], expected[mask], rtol=0, atol=1e-5 if dynamic else 1e-10)


@pytest.mark.parametrize("dynamic", [False, True])
def test_a_node_with_few_companions_takes_their_plain_mean_with_or_without_fading(dynamic: bool) -> None:
    x, points, mask = nodes([6, 3, 1])
    results = [kernel_of(dynamic=dynamic, fading=fading)(x, points, mask)[mask] for fading in (True, False)]
    assert torch.equal(*results)
    assert torch.equal(results[0][-1], torch.zeros(6, dtype=torch.float64))  # alone


def jump(*, dynamic: bool, fading: bool) -> float:
    """Change of a node's output as its last neighbour is replaced by another at almost the same distance."""
    kernel = kernel_of(dynamic=dynamic, fading=fading, neighbors=2)
    outputs = []
    for step in (-1e-6, 1e-6):
        place = torch.tensor([[0.0, 0.0], [0.1, 0.0], [0.0, 0.2], [0.0, -0.2 - step]], dtype=torch.float64)
        x = torch.zeros(1, 4, 6, dtype=torch.float64)
        x[0, :, :2] = place
        x[0, :, 2] = torch.tensor([0.0, 1.0, 2.0, -3.0]) * (0.0 if dynamic else 1.0)
        with torch.no_grad():
            outputs.append(kernel(x, place.unsqueeze(0), torch.ones(1, 4, dtype=torch.bool))[0, 0])
    return float((outputs[0] - outputs[1]).abs().max())


@pytest.mark.parametrize("dynamic", [False, True])
def test_fading_makes_the_output_continuous_where_neighbors_change_places(dynamic: bool) -> None:
    assert jump(dynamic=dynamic, fading=False) > 1e-3
    assert jump(dynamic=dynamic, fading=True) < 1e-4


def test_distances_are_computed_in_full_precision_under_autocast() -> None:
    kernel = EdgeConvKernel(16, 8, 2, 5, dynamic=True)
    x, points, mask = torch.randn(2, 40, 16) + 5.0, torch.randn(2, 40, 2), torch.ones(2, 40, dtype=torch.bool)
    with torch.autocast("cpu", torch.bfloat16):
        low = kernel.edges(x, points, mask)
    for ours, expected in zip(low, kernel.edges(x, points, mask), strict=True):
        assert torch.equal(ours, expected)


def test_every_parameter_is_reached_and_nothing_quadratic_is_kept() -> None:
    N, k, width = 400, 4, 8
    kernel = EdgeConvKernel(width, 8, 2, k, dynamic=True)
    x = torch.randn(1, N, width, requires_grad=True)
    with kept_for_gradient() as kept:
        kernel(x, torch.randn(1, N, 2), torch.ones(1, N, dtype=torch.bool)).square().sum().backward()
    assert max(kept) <= N * k * width
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in kernel.parameters())


@pytest.mark.parametrize("lattice", [False, True])
@pytest.mark.parametrize("k", [1, 5, 40])
def test_nearest_in_features_are_those_of_a_plain_sort(k: int, lattice: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_neighbors, "CPU_BLOCK", 500)  # several blocks, unequal ones
    x, _, mask = nodes([37, 12, 1, 0], lattice=lattice)
    x[~mask] = torch.nan
    index, found, square = nearest_in_features(x, mask, k)
    for b in range(4):
        n = int(mask[b].sum())
        for i in range(37):
            d = (x[b, :n] - x[b, i]).square().sum(-1)
            order = sorted((j for j in range(n) if j != i), key=lambda j: (float(d[j]), j))[:k] if i < n else []
            assert index[b, i, : len(order)].tolist() == order
            assert found[b, i].tolist() == [place < len(order) for place in range(k)]
            torch.testing.assert_close(square[b, i, : len(order)], d[order], rtol=0, atol=3e-7)
            assert not square[b, i, len(order) :].any()


def test_an_option_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="neighbours"):
        validate(EdgeConvOptions, {"neighbours": 5}, "edgeconv.yaml")
