"""Static kNN against scikit-learn, jet by jet."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from e2egraph.errors import UsageError
from e2egraph.graphs.making import edges
from e2egraph.graphs.making.edges import nearest_neighbors
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.tasks.task import load_task


def clouds_of(counts, seed=0, lattice=False):
    rng = np.random.default_rng(seed)
    size = sum(counts)
    points = rng.integers(-3, 4, (size, 2)) * 0.0174 if lattice else rng.normal(0, 0.3, (size, 2))
    nodes = {"deta": points[:, 0].astype(np.float32), "dphi": points[:, 1].astype(np.float32)}
    return PointClouds({}, nodes, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))


def test_neighbours_are_those_of_scikit_learn():
    clouds = clouds_of([30, 7, 101])
    found = nearest_neighbors(clouds, 5)
    for jet in range(3):
        nodes = slice(*clouds.offsets[jet : jet + 2])
        points = np.column_stack([clouds.nodes["deta"][nodes], clouds.nodes["dphi"][nodes]])
        expected = NearestNeighbors(n_neighbors=5).fit(points).kneighbors(return_distance=False)
        assert (found[nodes] == expected).all()


def test_a_small_jet_has_minus_one_where_neighbours_are_lacking():
    found = nearest_neighbors(clouds_of([1, 3, 0, 2]), 3)
    assert (found >= 0).sum(axis=1).tolist() == [0, 2, 2, 2, 1, 1]
    assert (np.sort(found, axis=1)[:, ::-1] >= -1).all()
    assert found[4].tolist() == [1, -1, -1]


def test_coincident_nodes_are_neighbours_but_never_their_own():
    clouds = clouds_of([40, 40], lattice=True)
    found = nearest_neighbors(clouds, 4)
    own = np.concatenate([np.arange(40), np.arange(40)])
    assert (found != own[:, None]).all()
    points = np.column_stack([clouds.nodes["deta"], clouds.nodes["dphi"]])
    distances = np.linalg.norm(points[found + np.repeat([0, 40], 40)[:, None]] - points[:, None], axis=2)
    assert (np.diff(distances, axis=1) >= 0).all()
    for node in range(80):
        jet = slice(0, 40) if node < 40 else slice(40, 80)
        every = np.sort(np.linalg.norm(points[jet] - points[node], axis=1))[1:5]
        np.testing.assert_allclose(np.sort(distances[node]), every, atol=1e-7)


def test_ties_go_to_the_lower_index_whatever_is_searched_together():
    clouds = clouds_of([60, 45, 60], lattice=True)
    found = nearest_neighbors(clouds, 4)
    for jet in range(3):
        alone = clouds.take(np.array([jet]))
        assert (nearest_neighbors(alone, 4) == found[slice(*clouds.offsets[jet : jet + 2])]).all()
        points = np.column_stack([alone.nodes["deta"], alone.nodes["dphi"]]).astype(float)
        distances = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2))
        np.fill_diagonal(distances, np.inf)
        expected = np.argsort(distances, axis=1, kind="stable")[:, :4]
        assert (nearest_neighbors(alone, 4) == expected).all()


def wrapped_distances(points):
    """[N, N] between (η, φ) points, Δφ = atan2(sin, cos) of the difference; inf to itself."""
    difference = points[:, None] - points[None]
    dphi = np.arctan2(np.sin(difference[..., 1]), np.cos(difference[..., 1]))
    distances = np.hypot(difference[..., 0], dphi)
    np.fill_diagonal(distances, np.inf)
    return distances


@pytest.mark.parametrize("counts", [[40, 3, 0, 25], [2, 1]])
def test_where_phi_closes_neighbours_are_those_of_the_shorter_way_round(counts):
    rng, clouds = np.random.default_rng(1), clouds_of(counts)
    phi = rng.uniform(-np.pi, np.pi, len(clouds.nodes["dphi"])).astype(np.float32)
    phi[:3] = [-np.pi, -1e-20, np.nextafter(np.float32(np.pi), np.float32(0))]
    clouds.nodes["dphi"] = phi
    found = nearest_neighbors(clouds, 6, periodic=True)
    flat = nearest_neighbors(clouds, 6)
    for jet in range(len(counts)):
        nodes = slice(*clouds.offsets[jet : jet + 2])
        points = np.column_stack([clouds.nodes["deta"][nodes], clouds.nodes["dphi"][nodes]]).astype(float)
        expected = np.full((counts[jet], 6), -1)
        nearest = NearestNeighbors(n_neighbors=max(min(6, counts[jet] - 1), 1), metric="precomputed")
        if counts[jet] > 1:
            distances = np.where(np.isinf(wrapped_distances(points)), 0.0, wrapped_distances(points))
            order = nearest.fit(distances).kneighbors(return_distance=False)
            expected[:, : order.shape[1]] = order
        np.testing.assert_array_equal(found[nodes], expected)
    assert counts[0] < 6 or (found != flat).any()


def test_what_is_looked_at_together_does_not_matter(monkeypatch):
    clouds = clouds_of([60, 45, 60], lattice=True)
    expected = nearest_neighbors(clouds, 4)
    monkeypatch.setattr(edges, "PAIRS_AT_ONCE", 50)
    np.testing.assert_array_equal(nearest_neighbors(clouds, 4), expected)


def test_more_neighbours_than_networks_read_are_refused():
    assert load_task("top", ["inputs.neighbors=128"]).inputs.neighbors == 128
    with pytest.raises(
        UsageError, match=r"'inputs.neighbors' is wrong \(each neighbour of a node takes 4 bytes .* 128\)"
    ):
        load_task("top", ["inputs.neighbors=129"])
