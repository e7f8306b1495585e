"""Pythia's event weights, on hard processes alone, which are generated in no time."""

import numpy as np
import pytest

from e2egraph.simulation.generation.generator import Generator
from e2egraph.simulation.generation.process import GeneratorConfig
from tests.simulation.particle_gun import HARD_PROCESS_ALONE

EVENTS, LEAST, REFERENCE, POWER = 6000, 50.0, 60.0, 4.0
DIJETS = ("HardQCD:gg2gg = on", *HARD_PROCESS_ALONE)
BIAS = (
    "PhaseSpace:bias2Selection = on",
    f"PhaseSpace:bias2SelectionPow = {POWER}",
    f"PhaseSpace:bias2SelectionRef = {REFERENCE}",
)
EDGES = [50, 55, 60, 70, 80, 100, 140, 4000]


def generated(*settings):
    return Generator(GeneratorConfig(pt_hat_minimum=LEAST, settings=(*DIJETS, *settings)), 3, "dijets").generate(EVENTS)


@pytest.fixture(scope="module")
def plain():
    return generated()


@pytest.fixture(scope="module")
def biased():
    return generated(*BIAS)


def pt_hat(events):
    """pT of the two back-to-back gluons of each hard process."""
    outgoing = events.status == -23
    return np.hypot(events.px, events.py)[outgoing].reshape(events.n_events, 2)[:, 0]


def spectrum(events):
    """Share of the weight in each bin, and its error."""
    pt = pt_hat(events)
    total, squares = (np.histogram(pt, EDGES, weights=events.weight**power)[0] for power in (1, 2))
    return total / events.weight.sum(), np.sqrt(squares) / events.weight.sum()


def test_events_of_an_unbiased_generation_count_alike(plain):
    np.testing.assert_array_equal(plain.weight, np.ones(EVENTS))


def test_a_biased_selection_gives_the_weights_of_pythias_manual(biased):
    np.testing.assert_allclose(biased.weight, (REFERENCE / pt_hat(biased)) ** POWER, rtol=1e-6)


def test_weighted_the_biased_spectrum_is_the_unbiased_one(plain, biased):
    (expected, its_error), (found, error) = spectrum(plain), spectrum(biased)
    pull = (found - expected) / np.hypot(error, its_error)
    assert np.sum(pull**2) < 20.0  # χ² of 6 degrees of freedom: 99.7% are below
    # Without weights it is another spectrum altogether.
    unweighted = np.histogram(pt_hat(biased), EDGES)[0] / EVENTS
    assert unweighted[-1] > 10 * expected[-1]


def test_variations_of_the_shower_leave_the_nominal_weight():
    bands = ("UncertaintyBands:doVariations = on", "UncertaintyBands:List = {low fsr:muRfac=0.5, high fsr:muRfac=2}")
    settings = ("HardQCD:gg2gg = on", *HARD_PROCESS_ALONE, "PartonLevel:FSR = on", *BIAS, *bands)
    events = Generator(GeneratorConfig(pt_hat_minimum=LEAST, settings=settings), 3, "dijets").generate(20)
    np.testing.assert_allclose(events.weight, (REFERENCE / pt_hat(events)) ** POWER, rtol=1e-6)


def test_a_tune_changes_what_is_generated_and_single_settings_change_the_tune(plain):
    """The partons of 4C (tune 5) are those of CTEQ6L1, not of NNPDF 2.3."""

    def momenta(*settings, tune=None):
        config = GeneratorConfig(pt_hat_minimum=LEAST, tune=tune, settings=(*DIJETS, *settings))
        return Generator(config, 3, "dijets").generate(200).pz

    assert not np.array_equal(momenta(tune=5), plain.pz[: len(momenta(tune=5))])
    np.testing.assert_array_equal(momenta(tune=14), momenta())
    np.testing.assert_array_equal(momenta("Tune:pp = 5"), momenta(tune=5))
    assert not np.array_equal(momenta("PDF:pSet = 13", tune=5), momenta(tune=5))
