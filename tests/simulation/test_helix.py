"""Trajectories, against numerical integration of the Lorentz force and against their own geometry."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2egraph.detector.helix import GEV_PER_TESLA_CM, perigee, position, to_barrel, to_cylinder, to_plane
from e2egraph.simulation.generation.particles import helices
from tests.simulation.particle_gun import gun

FIELD = 3.8


def integrate(start, momentum, charge, field, length, steps=4000):
    """Runge–Kutta 4 of dr/ds = p/pT, dp/ds = 0.003·q·(p/pT)×B in the transverse path length s."""
    state = np.array([*start, *momentum], dtype=float)
    pt = np.hypot(momentum[0], momentum[1])
    force = GEV_PER_TESLA_CM * charge * field

    def slope(values):
        velocity = values[3:] / pt
        return np.array([*velocity, velocity[1] * force, -velocity[0] * force, 0.0])

    step = length / steps
    for _ in range(steps):
        one = slope(state)
        two = slope(state + 0.5 * step * one)
        three = slope(state + 0.5 * step * two)
        four = slope(state + step * three)
        state = state + step / 6.0 * (one + 2 * two + 2 * three + four)
    return state[:3]


@pytest.mark.parametrize("charge", [-1.0, 1.0, 0.0])
@pytest.mark.parametrize("pt", [0.3, 2.0, 100.0])
def test_the_helix_is_the_solution_of_the_lorentz_force(charge, pt):
    particle = gun(charge=charge, pt=pt, eta=0.7, phi=1.1, x=0.5, y=-1.0, z=2.0)
    start, momentum = (0.5, -1.0, 2.0), (particle.px[0], particle.py[0], particle.pz[0])
    x, y, z = position(helices(particle, FIELD), 60.0)
    np.testing.assert_allclose((x[0], y[0], z[0]), integrate(start, momentum, charge, FIELD, 60.0), atol=1e-6)


def test_the_radius_of_curvature_is_pt_over_0_3_b():
    particle = gun(pt=1.0, phi=0.0)
    x, y, _ = position(helices(particle, FIELD), np.array([0.5 * np.pi * 100.0 / (0.299792458 * FIELD)]))
    radius = 100.0 / (0.299792458 * FIELD)
    np.testing.assert_allclose((x[0], y[0]), (radius, -radius), rtol=1e-12)


trajectory = st.fixed_dictionaries(
    {
        "charge": st.sampled_from([-1.0, 0.0, 1.0]),
        "pt": st.floats(0.06, 3000.0),
        "eta": st.floats(-2.5, 2.5),
        "phi": st.floats(-3.1, 3.1),
        "x": st.floats(-3.0, 3.0),
        "y": st.floats(-3.0, 3.0),
        "z": st.floats(-20.0, 20.0),
    }
)


@given(trajectory, st.sampled_from([4.4, 10.2, 60.8, 129.0]))
def test_crossings_lie_on_the_cylinder_ahead_and_in_order(values, radius):
    helix = helices(gun(**values), FIELD)
    first, second = to_cylinder(helix, radius)
    reach = np.inf if values["charge"] == 0 else 2.0 / abs(helix.kappa[0]) - 5.0
    if radius < reach:
        assert first[0] > 0
    for path in (first, second):
        if np.isfinite(path[0]):
            x, y, _ = position(helix, path)
            assert np.hypot(x, y)[0] == pytest.approx(radius, abs=1e-6)
    if np.isfinite(second[0]):
        assert first[0] < second[0] < helix.period[0]


@given(trajectory)
def test_nothing_is_crossed_before_the_first_crossing(values):
    helix = helices(gun(**values), FIELD)
    first, _ = to_cylinder(helix, 10.2)
    if np.isfinite(first[0]):
        for share in np.linspace(0.0, 0.999, 40):
            x, y, _ = position(helix, share * first)
            assert np.hypot(x, y)[0] < 10.2


def test_a_soft_particle_never_reaches_the_outer_layers():
    # 2R = 2·pT/(0.003·B) is 8.8 cm at 50 MeV.
    first, second = to_cylinder(helices(gun(pt=0.05), FIELD), 10.2)
    assert np.isnan(first[0])
    assert np.isnan(second[0])


@given(trajectory.filter(lambda values: values["charge"] != 0), st.floats(-1, 1), st.floats(-1, 1))
def test_the_perigee_is_the_closest_point_and_d0_is_minus_dxy(values, x_vertex, y_vertex):
    helix = helices(gun(**values), FIELD)
    closest = perigee(helix, x_vertex, y_vertex, 0.0)
    turn = np.mod(closest.phi - helix.phi + np.pi, 2 * np.pi) - np.pi
    x, y, z = position(helix, turn / helix.kappa)
    dxy = -(x - x_vertex) * np.sin(closest.phi) + (y - y_vertex) * np.cos(closest.phi)
    assert closest.d0[0] == pytest.approx(-dxy[0], abs=1e-6)
    # φ wraps at a precision that high momenta multiply by a large radius.
    assert closest.dz[0] == pytest.approx(z[0], abs=1e-8 * (1 + abs(helix.dip[0] / helix.kappa[0])))
    paths = turn / helix.kappa + np.linspace(-1.0, 1.0, 41)[:, None]
    x, y, _ = position(helix, paths)
    assert np.hypot(x - x_vertex, y - y_vertex).min() >= abs(closest.d0[0]) - 1e-6


def test_a_particle_from_the_vertex_has_no_impact_parameter():
    closest = perigee(helices(gun(pt=3.0, eta=1.0, phi=2.0, x=0.2, y=0.4, z=1.0), FIELD), 0.2, 0.4, 1.0)
    np.testing.assert_allclose((closest.d0[0], closest.dz[0], closest.phi[0]), (0.0, 0.0, 2.0), atol=1e-12)


def test_planes_are_crossed_forwards_only():
    helix = helices(gun(pt=5.0, eta=np.array([1.0, -1.0])), FIELD)
    path = to_plane(helix, 100.0)
    assert position(helix, path)[2][0] == pytest.approx(100.0)
    assert np.isnan(path[1])


def test_the_barrel_ends_in_planes():
    helix = helices(gun(pt=50.0, eta=np.array([0.5, 2.0, -2.0])), FIELD)
    x, y, z = position(helix, to_barrel(helix, 129.0, 317.0, 1.0))
    np.testing.assert_allclose(np.hypot(x, y)[0], 129.0)
    np.testing.assert_allclose(z[1:], [317.0, -317.0])
    assert (np.hypot(x, y)[1:] < 129.0).all()


def test_a_particle_born_outside_or_curling_for_ever_never_arrives():
    helix = helices(gun(pt=np.array([50.0, 0.3]), eta=0.01, x=np.array([150.0, 0.0])), FIELD)
    assert np.isnan(to_barrel(helix, 129.0, 317.0, 1.0)).all()
