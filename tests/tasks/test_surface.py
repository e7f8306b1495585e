"""Particles at the ECAL's front face: against steps along their path, and what objects are then matched to."""

import math

import numpy as np
import pytest

from e2egraph.errors import UsageError
from e2egraph.tasks.decays import Decay, Near, matches, read_record
from e2egraph.tasks.surface import Surface, at_surface
from e2egraph.tasks.task import load_task
from e2egraph.tasks.truth import Truth
from tests.tasks.records import P, gen

CHARGES = {11: -1, -11: 1, 22: 0, 211: 1, -211: -1, 111: 0, 13: -1, 2212: 1, 2112: 0}


def stepped(number, pt, eta, phi, field=3.8, radius=129.0):
    """η and φ where a particle from the origin reaches the radius, by steps of 0.02 mm; none if it never does."""
    x = y = z = turned = 0.0
    step, bend = 0.002, -CHARGES[number] * 0.00299792458 * field / pt
    while math.hypot(x, y) < radius:
        middle = phi + turned + 0.5 * bend * step
        x, y, z = x + step * math.cos(middle), y + step * math.sin(middle), z + step * math.sinh(eta)
        turned += bend * step
        if abs(turned) > 2 * math.pi:
            return None
    return math.asinh(z / radius), math.atan2(y, x)


@pytest.mark.parametrize("number", sorted(CHARGES))
@pytest.mark.parametrize(("pt", "eta", "phi"), [(0.9, 0.4, 3.0), (2.0, -1.1, 0.3), (40.0, 1.2, -3.1)])
def test_particles_reach_the_surface_where_steps_along_their_path_do(number, pt, eta, phi):
    found = at_surface(*(np.array([value]) for value in (number, pt, eta, phi)), Surface())
    expected = stepped(number, pt, eta, phi)
    assert found[0][0] == pytest.approx(expected[0], abs=1e-4)
    assert math.remainder(found[1][0] - expected[1], 2 * math.pi) == pytest.approx(0.0, abs=1e-4)


def test_an_electron_turns_by_the_published_angle():
    """asin(0.735 GeV / pT) at 3.8 T: 4 degrees at 10 GeV; towards larger φ, a positron towards smaller."""
    for pt in (1.0, 2.0, 5.0, 10.0, 50.0):
        _, phi = at_surface(np.array([11, -11]), np.full(2, pt), np.zeros(2), np.zeros(2), Surface())
        assert phi[0] == pytest.approx(math.asin(0.735 / pt), rel=2e-3) and phi[1] == pytest.approx(-phi[0])


def test_a_particle_that_curls_up_before_the_surface_is_behind_no_object():
    record = read_record(gen([P(11, pt=0.7), P(22, pt=0.7)]), Surface())
    assert np.isnan(record.direction[0][0])
    everywhere = Near(10.0)
    for number, entry in ((11, -1), (22, 1)):
        chain = Decay(pdg_id=[number])
        assert matches(record, np.zeros(1, int), np.zeros(1), np.zeros(1), chain, everywhere).particle[0] == entry
    without = read_record(gen([P(11, pt=0.7)]))
    assert matches(without, np.zeros(1, int), np.zeros(1), np.zeros(1), Decay(pdg_id=[11]), everywhere).particle[0] == 0


def test_the_task_finds_an_electron_of_2_gev_where_it_arrives():
    truth = load_task("egamma").truth
    electron, photon = (truth.decays[name] for name in ("electron", "photon"))
    record = read_record(gen([P(11, pt=2.0, eta=0.5), P(22, pt=2.0, eta=0.5)]), truth.surface)
    eta, phi = stepped(11, 2.0, 0.5, 0.0)
    axes = np.array([0.5, eta, eta + 0.06]), np.array([0.0, phi, phi])
    found = [
        matches(record, np.zeros(3, int), *axes, chain, truth.near).particle.tolist() for chain in (electron, photon)
    ]
    assert found == [[-1, 0, -1], [1, -1, -1]]
    # By the direction at the vertex it would be 0.37 off.
    plain = read_record(gen([P(11, pt=2.0, eta=0.5)]))
    assert matches(plain, np.zeros(3, int), *axes, electron, truth.near).particle.tolist() == [0, -1, -1]


@pytest.mark.parametrize("setting", ["surface={radius: 0}", "surface={b: 3.8}", "deta_max=0", "dphi_max=-1"])
def test_settings_that_cannot_be_are_refused(setting):
    with pytest.raises(UsageError, match=setting.partition("=")[0]):
        load_task("egamma", [f"truth.{setting}"])
    assert Truth().near == Near(0.8)
