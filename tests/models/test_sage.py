"""PyG's layers on the fixed graph: against loops over neighbours, with every backend PyG has, and ties on lattices."""

import math

import pytest
import torch
import torch_geometric.typing
from torch import Tensor

from e2egraph.errors import UsageError
from e2egraph.models.layers.static_graph import edge_list, static_neighbors
from e2egraph.models.registry import build_model, load_model_config
from e2egraph.models.sage import PygKernel, PygLayer
from tests.all_inputs import INPUTS
from tests.models.jets import jets
from tests.models.zoo import classes

LAYERS = ("sage", "gat", "edgeconv")
WIDTH, K = 6, 4

# PyG reduces with torch-scatter where it is installed (on a GPU, when gradients are asked for), with torch elsewhere.
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
BACKENDS = ["torch", *(["torch-scatter"] if torch_geometric.typing.WITH_TORCH_SCATTER else [])]


def inputs(counts: list[int], lattice: bool) -> tuple[Tensor, Tensor, Tensor]:
    points, _, mask, _ = jets(counts, lattice=lattice)
    x = torch.randn(*mask.shape, WIDTH, generator=torch.Generator().manual_seed(1))
    return x, points, mask


def message_passing(layer: PygLayer, x: Tensor, neighbors: list[list[int]]) -> Tensor:
    """The three formulas, node by node: ``x [n, width]`` and each node's neighbours → [n, width]."""
    c, rows = layer.convolution, []
    for i, near in enumerate(neighbors):
        if layer.loops:  # GATv2: softmax over neighbours and the node itself of a · LeakyReLU(W_r x_i + W_l x_j)
            near = [*near, i]
            heads, size = c.att.shape[1:]
            left = torch.stack([c.lin_l(x[j]) for j in near]).view(-1, heads, size)
            score = torch.nn.functional.leaky_relu(c.lin_r(x[i]).view(heads, size) + left, 0.2) * c.att[0]
            weight = score.sum(-1).softmax(0).unsqueeze(-1)
            rows.append((weight * left).sum(0).flatten() + c.bias)
        elif hasattr(c, "lin_l"):  # GraphSAGE: W_l mean_j x_j + W_r x_i
            mean = torch.stack([x[j] for j in near]).mean(0) if near else torch.zeros_like(x[i])
            rows.append(c.lin_l(mean) + c.lin_r(x[i]))
        else:  # EdgeConv: max_j h(x_i, x_j − x_i)
            edges = [c.nn(torch.cat([x[i], x[j] - x[i]])) for j in near]
            rows.append(torch.stack(edges).amax(0) if near else 0.0 * x[i])
    return torch.stack(rows)


def nearest_by_loop(points: Tensor) -> list[list[int]]:
    """For nodes in general position: the K others at the smallest distance."""
    n = len(points)
    return [
        sorted((j for j in range(n) if j != i), key=lambda j: math.dist(points[i], points[j]))[:K] for i in range(n)
    ]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("layer", LAYERS)
def test_each_layer_is_its_formula_and_so_is_its_gradient(
    layer: str, backend: str, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_geometric.typing, "WITH_TORCH_SCATTER", backend == "torch-scatter")
    torch.manual_seed(0)
    kernel = PygKernel(PygLayer(WIDTH, layer, heads=2), K).double()
    counts = [13, 5, 2, 1, 0]
    x, points, mask = inputs(counts, lattice=False)
    ours, theirs = (x.double().requires_grad_() for _ in range(2))
    result = kernel.to(device)(ours.to(device), points.to(device), mask.to(device)).cpu()
    kernel.to("cpu")
    for b, n in enumerate(counts[:-1]):
        expected = message_passing(kernel.layer, theirs[b, :n], nearest_by_loop(points[b, :n]))
        torch.testing.assert_close(result[b, :n], expected, rtol=1e-9, atol=1e-12)
        gradient = torch.autograd.grad(expected.square().sum(), theirs, retain_graph=True)[0][b, :n]
        own = torch.autograd.grad(result[b, :n].square().sum(), ours, retain_graph=True)[0][b, :n]
        torch.testing.assert_close(own, gradient, rtol=1e-9, atol=1e-12)


def test_neighbors_are_the_nearest_nodes_whatever_the_ties() -> None:
    x, points, mask = inputs([40, 6, 3, 1, 0], lattice=True)
    neighbors = static_neighbors(x, points, mask, K)
    for b, n in enumerate([40, 6, 3, 1, 0]):
        for i in range(n):
            near = [j for j in neighbors[b, i].tolist() if j >= 0]
            distances = sorted(float((points[b, i] - points[b, j]).square().sum()) for j in range(n) if j != i)
            found = [float((points[b, i] - points[b, j]).square().sum()) for j in near]
            assert found == distances[:K]
            assert i not in near
            assert len(set(near)) == len(near)
        assert (neighbors[b, n:] == -1).all()


def test_on_a_lattice_the_graph_does_not_depend_on_the_order_of_nodes() -> None:
    x, points, mask = inputs([61, 30], lattice=True)
    order = torch.randperm(61, generator=torch.Generator().manual_seed(3))
    before = static_neighbors(x, points, mask, K)
    after = static_neighbors(x[:, order], points[:, order], mask[:, order], K)
    for b in range(2):
        for i, node in enumerate(order.tolist()):
            if mask[b, node]:
                assert {int(order[j]) for j in after[b, i]} == set(before[b, node].tolist())


def test_rounding_of_x_does_not_change_the_graph_of_nodes_on_crystals() -> None:
    # torch and ONNX Runtime differ by as much. One node a crystal, equal distances everywhere.
    cells = torch.cartesian_prod(torch.arange(-5, 6), torch.arange(-5, 6)).unsqueeze(0)
    points, mask = cells * 0.0174, torch.ones(1, 121, dtype=torch.bool)
    x = torch.randn(1, 121, WIDTH)
    graph = static_neighbors(x, points, mask, 6)
    for seed in range(20):
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(static_neighbors(x + 1e-3 * noise, points, mask, 6), graph)


def test_the_edge_list_has_constant_length_and_no_edge_between_jets_or_to_padding() -> None:
    x, points, mask = inputs([9, 3, 1, 0], lattice=False)
    neighbors = static_neighbors(x, points, mask, K)
    source, target = edge_list(neighbors, loops=False)
    assert source.shape == target.shape == (4 * 9 * K,)
    beyond = 4 * 9
    assert torch.equal(source == beyond, target == beyond)
    real = target < beyond
    assert int(real.sum()) == 9 * K + 3 * 2
    assert torch.equal(source[real] // 9, target[real] // 9)
    assert mask.flatten()[source[real]].all()
    assert mask.flatten()[target[real]].all()
    looped = edge_list(neighbors, loops=True)
    assert torch.equal(looped[:, : len(source)], torch.stack([source, target]))
    assert looped[:, len(source) :].tolist() == [list(range(36))] * 2


@pytest.mark.parametrize("merge", ["[]", "[1,3]"])
@pytest.mark.parametrize("layer", LAYERS)
def test_the_network_searches_once_and_gives_what_its_kernels_give(
    layer: str, merge: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from e2egraph.models.layers import static_graph

    searches: list[int] = []

    def counted(x: Tensor, points: Tensor, mask: Tensor, k: int, periodic: bool) -> Tensor:
        searches.append(x.shape[1])
        return static_neighbors(x, points, mask, k, periodic)

    monkeypatch.setattr(static_graph, "static_neighbors", counted)
    settings = [f"options.layer={layer}", "options.width=8", "options.neighbors=4", "options.depth=3"]
    torch.manual_seed(0)
    model = build_model(load_model_config("sage", [*settings, f"options.merge={merge}"]), INPUTS, classes(3)).eval()
    points, features, mask, jet = jets([41, 17, 3, 1, 0], lattice=False)
    with torch.no_grad():
        result = model(points, features, mask, jet)
        assert searches == ([41] if merge == "[]" else [41, 14])
        # The same blocks, each searching for itself.
        encoder = model.encoder
        x, energy = model.embedding(points, features), torch.zeros(5, 41, 3)
        expected, place, present = x, points, mask
        for i, block in enumerate(encoder.blocks):
            if str(i) in encoder.merges:
                expected, place, energy, present = encoder.merges[str(i)](expected, place, energy, present)
            kernel = PygKernel(block.kernel, 4)
            expected = expected + kernel(block.kernel_norm(expected), place, present)
            expected = expected + block.node(block.node_norm(expected))
        ours, _, where = encoder(x, points, torch.zeros(5, 41, 3), mask)
    assert torch.equal(where, present)
    torch.testing.assert_close(ours[where], encoder.norm(expected)[where], rtol=0, atol=1e-6)
    assert result.isfinite().all()


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_keeps_the_promises_of_networks(layer: str) -> None:
    torch.manual_seed(0)
    settings = [f"options.layer={layer}", "options.width=16", "options.neighbors=5"]
    model = build_model(load_model_config("sage", settings), INPUTS, classes(3)).eval()
    counts = [41, 17, 6, 1, 0]
    for lattice in (False, True):
        points, features, mask, jet = jets(counts, lattice=lattice, n=43)
        order = torch.randperm(43, generator=torch.Generator().manual_seed(3))
        with torch.no_grad():
            result = model(points, features, mask, jet)
            shuffled = model(points[:, order], features[:, order], mask[:, order], jet)
        torch.testing.assert_close(shuffled, result, atol=2e-5, rtol=0)
        for i, n in enumerate(counts):
            alone = (points[i : i + 1, :n], features[i : i + 1, :n], mask[i : i + 1, :n], jet[i : i + 1])
            with torch.no_grad():
                torch.testing.assert_close(model(*alone)[0], result[i], atol=1e-5, rtol=0)
        model.zero_grad()
        model(points, features, mask, jet)[:, 1:].square().sum().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            near = model(points, features, mask, jet)
        torch.testing.assert_close(near.float(), result, atol=0.1, rtol=0.1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["options.layer=gcn"], "'layer' is wrong"),
        (["options.layer=gat", "options.heads=5"], "width 64 is no multiple of heads 5"),
        (["options.neighbors=0"], "'neighbors' is wrong"),
    ],
)
def test_wrong_options_are_refused_by_name(settings: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_model_config("sage", settings)
