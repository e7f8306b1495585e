"""PUPPI weights against the formulas written out particle by particle, and what they leave alone."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from e2egraph.reconstruction.particles import ParticleColumns
from e2egraph.reconstruction.puppi import puppi_weights

EVENTS = 3


@pytest.fixture(scope="module")
def crowd():
    """Charged and neutral particles of three events, most of them from pile-up; charged?, from pile-up?"""
    rng = np.random.default_rng(5)
    size = 900
    pt = rng.exponential(1.5, size) + 0.2
    eta, phi = rng.uniform(-2.4, 2.4, size), rng.uniform(-np.pi, np.pi, size)
    charged, pile_up = rng.uniform(size=size) < 0.6, rng.uniform(size=size) < 0.7
    # A jet at the seam of φ, so that near particles lie on both sides.
    jet = np.arange(size) < 90
    eta, phi = np.where(jet, rng.normal(0.3, 0.1, size), eta), np.where(jet, np.pi + rng.normal(0, 0.1, size), phi)
    pt, pile_up = np.where(jet, 5 * pt, pt), pile_up & ~jet
    # Some hard ones far from the jet, and pairs nearer than 0.02.
    hard = np.arange(size) % 50 == 7
    pt = np.where(hard, 20 * pt, pt)
    close = np.arange(0, 60, 6)
    eta[close + 3], phi[close + 3] = eta[close] + 0.012, phi[close]
    phi = np.mod(phi + np.pi, 2 * np.pi) - np.pi
    event = np.arange(size) % EVENTS
    order = np.argsort(event, kind="stable")
    kind = np.where(charged, 1, 3).astype(np.uint8)
    particles = ParticleColumns(event, kind, pt, eta, phi, pt * np.cosh(eta)).take(order)
    return particles, charged[order], pile_up[order]


VERTICES = np.array([10, 20, 40])


def by_hand(particles, charged, pile_up):
    """Equations 2.2 and 2.5 to 2.9 of arXiv:1407.6013 in loops, with the squares, numbers and order of cuts of CMSSW's
    PuppiContainer.cc (var_within_R, puppiWeights) and Puppi_cff.py (puppiCentral)."""
    alpha = np.full(len(particles), -np.inf)
    for i in range(len(particles)):
        total = 0.0
        for j in np.flatnonzero((particles.event == particles.event[i]) & charged & ~pile_up):
            turn = 2 * np.sin((particles.phi[i] - particles.phi[j]) / 2)
            distance = np.hypot(particles.eta[i] - particles.eta[j], turn)
            if i != j and distance**2 >= 0.0001 and distance < 0.4:
                total += (particles.pt[j] / distance) ** 2
        alpha[i] = np.log(total) if total else -np.inf
    weight = np.ones(len(particles))
    for event in range(EVENTS):
        here = particles.event == event
        tells = here & charged & pile_up & (np.abs(particles.eta) < 2) & (particles.pt > 0.1) & np.isfinite(alpha)
        median = np.median(alpha[tells])
        width = np.sqrt(np.mean((alpha[tells][alpha[tells] < median] - median) ** 2))
        for i in np.flatnonzero(here):
            w = chi2.cdf(((alpha[i] - median) / width) ** 2, 1) if alpha[i] > median else 0.0
            if w * particles.pt[i] < 0.2 + 0.015 * VERTICES[event]:
                w = 0.0
            w = min(max((particles.pt[i] - 20) / (200 - 20), w), 1.0)
            if w < 0.01:
                w = 0.0
            weight[i] = float(not pile_up[i]) if charged[i] else w
    return weight


def test_weights_are_those_of_the_published_formulas(crowd):
    weight = puppi_weights(*crowd, VERTICES)
    np.testing.assert_allclose(weight, by_hand(*crowd), atol=1e-9)
    neutral = ~crowd[1]
    assert 0.05 < (weight[neutral] > 0).mean() < 0.95
    # What it is for: neutral particles of the jet count for more than those around it.
    of_jet = neutral & (np.abs(crowd[0].eta - 0.3) < 0.2) & (np.abs(crowd[0].phi) > np.pi - 0.2)
    assert weight[of_jet].mean() > 3 * weight[neutral & ~of_jet].mean()


def lone_neutral(pt, distance):
    """Weight of a photon at a distance from a charged particle of 50 GeV of the hard collision, pile-up further off."""
    eta = np.array([0.0, distance, 0.3, 0.33, 0.36, -0.3])
    charged, pile_up = np.array([1, 0, 1, 1, 1, 1], bool), np.array([0, 0, 1, 1, 1, 1], bool)
    of = np.array([50.0, pt, 1.0, 1.0, 1.0, 1.0])
    particles = ParticleColumns(np.zeros(6, int), np.where(charged, 1, 3).astype(np.uint8), of, eta, np.zeros(6), of)
    return puppi_weights(particles, charged, pile_up, np.array([5]))[1]


@pytest.mark.parametrize(
    ("distance", "expected"), [(0.0095, 0.0), (0.0105, 1.0), (0.015, 1.0), (0.39, 0.0), (0.41, 0.0)]
)
def test_charged_particles_count_from_a_distance_of_a_hundredth_on(distance, expected):
    """CMSSW leaves out ΔR² < 0.0001, and a particle with nothing near it has the weight 0."""
    assert lone_neutral(10.0, distance) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("pt", "expected"),
    [(19.0, 0.0), (21.0, 0.0), (22.0, 2 / 180), (65.0, 0.25), (110.0, 0.5), (200.0, 1.0), (300.0, 1.0)],
)
def test_neutral_particles_weigh_more_the_harder_they_are_whatever_is_near(pt, expected):
    """From 0 at 20 GeV to 1 at 200 GeV, and 0 below a hundredth (21.8 GeV)."""
    assert lone_neutral(pt, 0.6) == pytest.approx(expected)


def test_a_turned_event_has_the_same_weights(crowd):
    particles, charged, pile_up = crowd
    turned = replace(particles, phi=np.mod(particles.phi + 1.0 + np.pi, 2 * np.pi) - np.pi)
    np.testing.assert_allclose(
        puppi_weights(turned, charged, pile_up, VERTICES), puppi_weights(*crowd, VERTICES), atol=1e-9
    )


def test_events_without_pile_up_and_hard_neutral_particles_are_left_alone(crowd):
    particles, charged, pile_up = crowd
    assert (puppi_weights(particles, charged, np.zeros_like(pile_up), VERTICES) == 1).all()
    hard = replace(particles, pt=np.where(charged, particles.pt, 250.0))
    assert (puppi_weights(hard, charged, pile_up, VERTICES)[~charged] == 1).all()
    assert len(puppi_weights(particles.take(np.zeros(0, int)), charged[:0], pile_up[:0], VERTICES)) == 0
