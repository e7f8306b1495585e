"""Fitting primary vertices to tracks whose origin is known."""

import numpy as np
import pytest

from e2egraph.detector.helix import Helices
from e2egraph.events.sources.vertexfit import primary_vertex


def tracks(rng, size, origin, pt, *, lifetime=0.0):
    """Helices at their closest approach to the axis, from points ``lifetime`` [cm] along their way from ``origin``."""
    eta, phi = rng.uniform(-2, 2, size), rng.uniform(-np.pi, np.pi, size)
    flight, flight_phi = rng.exponential(lifetime or 1e-12, size), phi + rng.normal(0, 0.5, size)
    x, y = origin[0] + flight * np.cos(flight_phi), origin[1] + flight * np.sin(flight_phi)
    z = origin[2] + flight * np.sinh(eta)
    d0_error, dz_error = np.full(size, 0.004), np.full(size, 0.008)
    dxy = -x * np.sin(phi) + y * np.cos(phi) + rng.normal(0, d0_error)
    along = z - (x * np.cos(phi) + y * np.sin(phi)) * np.sinh(eta) + rng.normal(0, dz_error)
    kappa = -rng.choice([-1, 1], size) * 0.0114 / pt
    return Helices(-dxy * np.sin(phi), dxy * np.cos(phi), along, phi, kappa, np.sinh(eta)), d0_error, dz_error


def joined(*groups):
    names = ("x", "y", "z", "phi", "kappa", "dip")
    helix = Helices(*(np.concatenate([getattr(group[0], name) for group in groups]) for name in names))
    return helix, np.concatenate([group[1] for group in groups]), np.concatenate([group[2] for group in groups])


def pts(rng, size, mean):
    return rng.exponential(mean, size) + 1.0


def test_pileup_and_displaced_tracks_do_not_move_the_vertex():
    rng = np.random.default_rng(1)
    origin = (0.244, 0.393, 3.2)
    for _ in range(20):
        hard, soft = pts(rng, 40, 10.0), [pts(rng, 30, 0.7) for _ in range(20)]
        away = pts(rng, 12, 8.0)
        spread = [(0.244, 0.393, rng.normal(0, 5)) for _ in soft]
        groups = [tracks(rng, 40, origin, hard), tracks(rng, 12, origin, away, lifetime=0.3)]
        groups += [tracks(rng, len(pt), at, pt) for pt, at in zip(soft, spread, strict=True)]
        helix, d0_error, dz_error = joined(*groups)
        found = primary_vertex(helix, np.concatenate([hard, away, *soft]), d0_error, dz_error)
        assert found is not None
        # Each track measures the vertex to some 60 µm; forty of them to some 10.
        np.testing.assert_allclose(found, origin, atol=0.007)


@pytest.mark.parametrize("size", [0, 1, 2])
def test_too_few_tracks_make_no_vertex(size):
    rng = np.random.default_rng(2)
    helix, d0_error, dz_error = tracks(rng, size, (0, 0, 0), np.full(size, 5.0))
    assert primary_vertex(helix, np.full(size, 5.0), d0_error, dz_error) is None


def test_tracks_that_meet_nowhere_make_no_vertex():
    rng = np.random.default_rng(3)
    groups = [tracks(rng, 1, (0, 0, float(z)), np.array([5.0])) for z in range(-10, 11, 5)]
    helix, d0_error, dz_error = joined(*groups)
    assert primary_vertex(helix, np.full(5, 5.0), d0_error, dz_error) is None


def test_the_order_of_tracks_does_not_matter():
    rng = np.random.default_rng(4)
    pt = pts(rng, 25, 5.0)
    helix, d0_error, dz_error = tracks(rng, 25, (0.1, -0.2, 1.0), pt)
    order = rng.permutation(25)
    one = primary_vertex(helix, pt, d0_error, dz_error)
    other = primary_vertex(helix.take(order), pt[order], d0_error[order], dz_error[order])
    np.testing.assert_allclose(one, other, atol=1e-9)
