"""The quick ways of the neighbour search on a CPU, tree and groups, against all keys sorted."""

import threading

import numpy as np
import pytest
import torch
from torch import Tensor

from e2egraph.models.kernels.gravnet import GravNetKernel
from e2egraph.models.kernels.search import neighbors, tree
from e2egraph.models.kernels.search.feature_neighbors import nearest_in_features
from e2egraph.models.kernels.search.neighbors import nearest
from e2egraph.models.kernels.search.smallest import columns_for, smallest
from tests.models.kernels.test_neighbors import coordinates

N, K = 700, 9


def sorted_all(x: Tensor, mask: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """float32 squared distances axis by axis, all of them, sorted with NumPy: equal ones by index."""
    index = np.zeros((*mask.shape, k), np.int64)
    found = np.zeros(index.shape, bool)
    for b, valid in enumerate(mask.numpy()):
        nodes = np.flatnonzero(valid)
        points = x[b].numpy()[nodes]
        square = np.full((len(nodes), len(nodes)), neighbors.COINCIDENT, points.dtype)
        for axis in points.T:
            square += (axis[:, None] - axis) ** 2
        np.fill_diagonal(square, np.inf)
        order = np.argsort(square, axis=1, kind="stable")[:, : min(k, max(len(nodes) - 1, 0))]
        index[b, nodes, : order.shape[1]], found[b, nodes, : order.shape[1]] = nodes[order], True
    return torch.from_numpy(index), torch.from_numpy(found)


def nodes(kind: str, dimensions: int = 3) -> tuple[Tensor, Tensor]:
    """Three jets: full, half empty with NaN in padding, of five nodes."""
    x = coordinates("lattice" if kind == "copies" else kind, 3, N, dimensions)
    if kind == "copies":
        x = x[:, torch.arange(N) // 40]
    mask = torch.arange(N) % 2 < torch.tensor([[2], [1], [0]])
    mask[2, [3, 99, 100, 101, 699]] = True
    return x.masked_fill(~mask.unsqueeze(-1), float("nan")), mask


@pytest.mark.parametrize("kind", ["continuous", "lattice", "copies", "coincident"])
@pytest.mark.parametrize("way", ["tree", "blocks"])
def test_each_way_finds_what_sorting_all_distances_finds(way: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "FEWEST_NODES", 0 if way == "tree" else 10**9)
    x, mask = nodes(kind)
    assert tree.tree_pays(x.nan_to_num(), K) == (way == "tree")
    for ours, expected in zip(nearest(x, mask, K), sorted_all(x, mask, K), strict=True):
        assert torch.equal(ours, expected)


@pytest.mark.parametrize("scale", [1.0, 1e-15, 1e-24, 1e18])
def test_distances_are_those_of_float32_where_it_is_coarse_or_vanishes(scale: float) -> None:
    x, mask = coordinates("continuous", 1, N) * scale, torch.ones(1, N, dtype=torch.bool)
    if scale == 1.0:
        x += 3000.0
    assert tree.tree_pays(x, K)
    for ours, expected in zip(nearest(x, mask, K), sorted_all(x, mask, K), strict=True):
        assert torch.equal(ours, expected)


def test_the_search_goes_on_where_numbers_are_no_longer_finite() -> None:
    x, mask = nodes("continuous")
    x[0, 5] = float("nan")
    x[0, 6] = float("inf")
    index, found = nearest(x, mask, K)
    others = torch.ones(N, dtype=torch.bool)
    others[[5, 6]] = False
    expected, _ = sorted_all(x[:1, others], mask[:1, others], K)
    assert torch.equal(index[0, others], others.nonzero().squeeze(1)[expected[0]])
    assert not found[0, 5].any()


@pytest.mark.parametrize("k", [1, 7, 40])
@pytest.mark.parametrize("n", [0, 5, 255, 256, 257, 1000, 4099])
def test_groups_hold_the_smallest_of_all(n: int, k: int) -> None:
    generator = torch.Generator().manual_seed(n + k)
    keys = torch.full((3, columns_for(n, k)), float("inf"), dtype=torch.float64)
    keys[:, :n] = torch.stack([torch.randperm(n, generator=generator) for _ in range(3)]).double()
    keys[2, min(n, 3) :] = float("inf")
    found, at = smallest(keys, k, n)
    assert torch.equal(found, keys.sort(dim=1).values[:, :k])
    assert torch.equal(torch.gather(keys, 1, at), found)


def test_neighbours_in_features_are_those_of_float64_distances() -> None:
    x, mask = nodes("continuous", 24)
    index, found, square = nearest_in_features(x, mask, K)
    for b in range(3):
        here = mask[b].nonzero().squeeze(1)
        distance = torch.cdist(x[b, here].double(), x[b, here].double(), compute_mode="donot_use_mm_for_euclid_dist")
        distance.fill_diagonal_(float("inf"))
        best, order = distance.square().sort(dim=1)
        some = min(K, len(here) - 1)
        assert torch.equal(index[b, here, :some], here[order[:, :some]])
        torch.testing.assert_close(square[b, here, :some].double(), best[:, :some], atol=2.0**-22, rtol=1e-6)
        assert found[b].sum() == some * len(here)


def test_training_with_the_tree_is_training_without_it_bit_for_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    kernel = GravNetKernel(width=12, space=4, propagated=8, neighbors=K)
    x, mask = nodes("continuous", 12)
    x = x.nan_to_num()
    results = []
    for fewest in (0, 10**9):
        monkeypatch.setattr(tree, "FEWEST_NODES", fewest)
        leaf = x.clone().requires_grad_()
        out = kernel(leaf, torch.zeros(3, N, 2), mask)
        results.append((out, *torch.autograd.grad(out.square().sum(), [leaf, *kernel.parameters()])))
        with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
            results[-1] += (kernel(x, torch.zeros(3, N, 2), mask),)
    for with_tree, without in zip(*results, strict=True):
        assert torch.equal(with_tree, without)


def test_searches_of_several_threads_do_not_disturb_each_other() -> None:
    x, mask = nodes("continuous")
    expected, found = nearest(x, mask, K)[0], [None] * 4

    def search(i: int) -> None:
        found[i] = nearest(x, mask, K)[0]

    threads = [threading.Thread(target=search, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(index, expected) for index in found)


def test_memory_of_the_search_grows_with_the_nodes_not_with_their_square(monkeypatch: pytest.MonkeyPatch) -> None:
    from e2egraph.benchmark.kernels.memory import peak_bytes

    monkeypatch.setattr(neighbors, "_search_in_blocks", None)  # the tree alone must do
    peaks = []
    for n in (2000, 8000):
        x, mask = coordinates("continuous", 1, n), torch.ones(1, n, dtype=torch.bool)
        peaks.append(peak_bytes(lambda x=x, mask=mask: nearest(x, mask, K)))
    assert peaks[1] < 4.5 * peaks[0]
