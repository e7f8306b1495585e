"""Where φ closes on itself, nodes on either side of ±π are as near to each other as anywhere else."""

import math

import pytest
import torch
from torch import Tensor

from e2egraph.detector.geometry import PHI_PITCH
from e2egraph.models.kernels.edgeconv import EdgeConvKernel
from e2egraph.models.kernels.hashing import PointEmbedding
from e2egraph.models.layers.geometry.places import coordinates_of, place_of, wrapped
from e2egraph.models.layers.ordering.merging import Merge
from e2egraph.models.layers.ordering.serialization import order_code
from e2egraph.models.layers.static_graph import static_neighbors
from e2egraph.models.registry import build_model, load_model_config
from e2egraph.models.tokens.cells import CellGrid
from tests.all_inputs import TWO_CLASSES
from tests.models.other_inputs import EVENT, WHOLE_DETECTOR


def ring(nodes: int, first: float) -> Tensor:
    """So many nodes at equal distances around φ, from ``first`` [rad] on: [1, nodes, 2]."""
    phi = wrapped(first + torch.arange(nodes) * (2 * math.pi / nodes))
    return torch.stack([0.3 * torch.sin(3 * phi), phi], dim=-1).unsqueeze(0)


def all_there(points: Tensor) -> Tensor:
    return torch.ones(points.shape[:2], dtype=torch.bool)


def neighbors_on_a_ring(found: Tensor) -> None:
    n = found.shape[1]
    here = torch.arange(n).view(1, n, 1)
    steps = torch.remainder(found - here, n)
    assert torch.equal(torch.minimum(steps, n - steps), torch.ones_like(steps))


def test_neighbours_are_found_across_the_end_of_phi() -> None:
    points = ring(40, 0.1)
    x = torch.randn(1, 40, 4, generator=torch.Generator().manual_seed(0))
    neighbors_on_a_ring(static_neighbors(x, points, all_there(points), 2, periodic=True))
    kernel = EdgeConvKernel(4, 8, 2, 2, dynamic=False, periodic=True)
    neighbors_on_a_ring(kernel.edges(x, points, all_there(points))[0])
    apart = static_neighbors(x, points, all_there(points), 2)
    end = int((points[0, :, 1] > 0).nonzero().max())  # of the ring, before it goes on at −π
    assert end + 1 not in apart[0, end]  # not where φ is no circle


@pytest.mark.parametrize("periodic", [False, True])
def test_places_and_coordinates_are_those_of_windows_near_the_middle(periodic: bool) -> None:
    points = 1e-2 * torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(place_of(points, 1.3, periodic=periodic), place_of(points, 1.3), atol=1e-6, rtol=1e-3)
    distances = torch.cdist(*(2 * [coordinates_of(points.double(), periodic)]))
    torch.testing.assert_close(distances, torch.cdist(points.double(), points.double()), atol=1e-6, rtol=1e-3)


def test_a_full_turn_is_the_same_place() -> None:
    points = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    turned = points + torch.tensor([0.0, 2 * math.pi])
    torch.testing.assert_close(place_of(turned, 2.5, periodic=True), place_of(points, 2.5, periodic=True))
    first, last = points.clone(), points.clone()
    first[:, 1], last[:, 1] = -math.pi + 1e-9, math.pi - 1e-9
    embedding = PointEmbedding(8, 2.5, periodic=True)
    for of_points in (lambda p: coordinates_of(p, True), embedding, lambda p: place_of(p, 2.5, periodic=True)):
        torch.testing.assert_close(of_points(first), of_points(last), atol=1e-7, rtol=0)


def test_the_curve_closes_and_visits_every_cell_once() -> None:
    crystals = torch.cartesian_prod(torch.arange(-140, 140), torch.arange(-180, 180))
    points = (crystals + 0.5) * torch.tensor([0.0174, PHI_PITCH], dtype=torch.float32)
    code = order_code(points.unsqueeze(0), periodic=True)[0]
    assert len(code.unique()) == len(code) and code.max() < 2**24 and (code == code.floor()).all()
    row = points[torch.argsort(code)]
    # Strips of 60 crystals, one up and the next down: what follows each other lies within a square of 64 crystals.
    steps = torch.cat([row, row[:1]]).diff(dim=0)
    assert steps[:, 0].abs().max() <= 64 * 0.0174 and wrapped(steps[:, 1]).abs().max() <= 1.1
    far = order_code(torch.tensor([[[1e30, -1e30], [math.nan, math.nan], [math.inf, 0.0]]]), periodic=True)
    assert ((far >= 0) & (far < 2**24)).all()


def test_nodes_merged_across_the_end_of_phi_lie_between_their_members() -> None:
    phi = torch.tensor([math.pi - 0.01, -math.pi + 0.03])
    points = torch.stack([torch.tensor([0.1, 0.3]), phi], dim=-1).unsqueeze(0)
    _, merged, _, _ = Merge(4, 2, periodic=True)(torch.zeros(1, 2, 4), points, torch.zeros(1, 2, 1), all_there(points))
    assert merged[0, 0, 0] == pytest.approx(0.2)
    assert wrapped(merged[0, 0, 1] - torch.tensor(math.pi + 0.01)).abs() < 1e-6


def test_a_node_at_the_end_of_phi_lies_inside_its_cell() -> None:
    grid = CellGrid(4, 5, WHOLE_DETECTOR)
    points = torch.tensor([[[0.1, 0.1, 0.1], [math.pi, -math.pi, 3.14]]])
    cells = grid(points, torch.ones(1, 3), torch.ones(1, 3, dtype=torch.bool))
    assert (cells.offset.abs() <= 1 + 1e-4).all()


@pytest.mark.parametrize("settings", [(), ("options.order=phi",), ("options.sliding=true",)])
def test_windows_of_events_are_closed(settings: tuple[str, ...]) -> None:
    torch.manual_seed(0)
    config = load_model_config("window", ["options.width=8", "options.heads=2", "options.window=8", *settings])
    model = build_model(config, EVENT, TWO_CLASSES)
    kernel = model.make_kernel(1).eval()
    points = ring(40, 0.05 - math.pi)
    x = torch.randn(1, 40, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    (gradient,) = torch.autograd.grad(kernel(x, points, all_there(points))[0, 0].sum(), x)
    heard = gradient[0].abs().sum(-1) > 0
    assert heard[-1] and heard[1] and not heard[20]
