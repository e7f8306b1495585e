"""The neighbour search against plain loops in float64, on generic and on degenerate coordinates."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from e2egraph.models.kernels.search import neighbors
from e2egraph.models.kernels.search.neighbors import gather_nodes, nearest


def coordinates(kind: str, B: int, N: int, S: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(N)
    x = torch.randn(B, N, S, generator=generator)
    if kind == "lattice":
        return (2 * x).round()  # small integers: float32 distances are exact, and many are equal
    if kind == "coincident":
        return x[:, :1].expand(-1, N, -1).clone()
    return x


def loop(x: Tensor, mask: Tensor, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Sort all other valid nodes of each node by (squared distance, index), in float64."""
    points = x.numpy().astype(np.float64)
    B, N, _ = points.shape
    index, found = np.zeros((B, N, k), int), np.zeros((B, N, k), bool)
    for b in range(B):
        for i in range(N):
            if not mask[b, i]:
                continue
            others = [(((points[b, i] - points[b, j]) ** 2).sum(), j) for j in range(N) if j != i and mask[b, j]]
            for rank, (_, j) in enumerate(sorted(others)[:k]):
                index[b, i, rank], found[b, i, rank] = j, True
    return index, found


@pytest.mark.parametrize("kind", ["continuous", "lattice", "coincident"])
@pytest.mark.parametrize(("N", "k"), [(1, 4), (3, 4), (5, 4), (37, 4), (150, 3)])
def test_neighbors_are_those_of_a_plain_sort_with_ties_by_index(kind: str, N: int, k: int) -> None:
    x = coordinates(kind, 3, N)
    mask = torch.arange(N) < torch.tensor([[N], [N // 2], [0]])
    index, found = nearest(x, mask, k)
    expected_index, expected_found = loop(x, mask, k)
    np.testing.assert_array_equal(found.numpy(), expected_found)
    np.testing.assert_array_equal(index.numpy(), expected_index)


def test_no_nodes_give_no_neighbors() -> None:
    index, found = nearest(torch.zeros(2, 0, 3), torch.zeros(2, 0, dtype=torch.bool), 4)
    assert index.shape == found.shape == (2, 0, 4)


def test_coincident_nodes_do_not_list_themselves() -> None:
    index, found = nearest(torch.zeros(1, 6, 2), torch.ones(1, 6, dtype=torch.bool), 5)
    assert found.all()
    for i in range(6):
        assert index[0, i].tolist() == [j for j in range(6) if j != i]


def test_the_smallest_float32_difference_beats_any_difference_of_index() -> None:
    N = 4096
    x = torch.full((1, N, 1), 5.0)
    x[0, 0] = 0.0
    x[0, 1] = float(np.nextafter(np.float32(1.0), np.float32(2.0)))
    x[0, N - 1] = 1.0
    index, _ = nearest(x, torch.ones(1, N, dtype=torch.bool), 2)
    assert index[0, 0].tolist() == [N - 1, 1]


def test_padding_is_nobodys_neighbor_even_when_it_is_nearest() -> None:
    x = torch.tensor([[[0.0], [5.0], [0.1], [0.2]]])
    index, found = nearest(x, torch.tensor([[True, True, False, False]]), 3)
    assert index[0, :2, 0].tolist() == [1, 0]
    assert found[0].tolist() == [[True, False, False]] * 2 + [[False] * 3] * 2


@pytest.mark.parametrize("block", [1, 64, 2**22])
def test_the_block_size_changes_nothing(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, mask = coordinates("lattice", 2, 90), torch.ones(2, 90, dtype=torch.bool)
    expected = nearest(x, mask, 5)
    monkeypatch.setattr(neighbors, "CPU_BLOCK", block)
    for ours, theirs in zip(nearest(x, mask, 5), expected, strict=True):
        assert torch.equal(ours, theirs)


def test_the_columns_added_for_speed_change_nothing() -> None:
    # 16 neighbours: rows of 513 … 1023 nodes are widened to 1024 columns.
    for N in (513, 700):
        x, mask = coordinates("lattice", 1, N), torch.ones(1, N, dtype=torch.bool)
        d = (x.unsqueeze(2) - x.unsqueeze(1)).double().square().sum(-1)[0]
        d.fill_diagonal_(float("inf"))
        expected = torch.sort(d, dim=-1, stable=True).indices[:, :16]
        assert torch.equal(nearest(x, mask, 16)[0][0], expected)


class Search(nn.Module):
    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        index, found = nearest(x, mask > 0.5, 4)
        return index, found


def test_onnx_finds_the_same_neighbors_in_the_same_order(tmp_path) -> None:
    dynamic = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    path = tmp_path / "search.onnx"
    example = (torch.zeros(3, 7, 3), torch.ones(3, 7))
    torch.onnx.export(
        Search().eval(),
        example,
        path,
        dynamo=True,
        opset_version=18,
        input_names=["x", "mask"],
        dynamic_shapes=(dynamic, dynamic),
        external_data=False,
        verbose=False,
    )
    session = onnxruntime.InferenceSession(str(path))
    for kind in ("continuous", "lattice", "coincident"):
        for N in (1, 2, 4, 60):
            x = coordinates(kind, 2, N)
            mask = torch.arange(N) < torch.tensor([[N], [N // 2]])
            index, found = session.run(None, {"x": x.numpy(), "mask": mask.float().numpy()})
            expected_index, expected_found = nearest(x, mask, 4)
            np.testing.assert_array_equal(found, expected_found.numpy())
            np.testing.assert_array_equal(index, expected_index.numpy())


def test_gathering_takes_rows_of_the_right_jet() -> None:
    x = torch.arange(24.0).view(2, 4, 3)
    index = torch.tensor([[[0], [1], [2], [3]], [[3], [2], [1], [0]]])
    gathered = gather_nodes(x, index).squeeze(2)
    assert torch.equal(gathered[0], x[0])
    assert torch.equal(gathered[1], x[1].flip(0))
