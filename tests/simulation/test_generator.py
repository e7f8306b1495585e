"""Pythia's event weights, on hard processes alone, which are generated in no time."""

import numpy as np
import pytest

from e2egraph.errors import InputError, UsageError
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


def test_limits_of_a_hard_scattering_are_in_order():
    with pytest.raises(ValueError, match="pt_hat_maximum 600 is not above pt_hat_minimum 700"):
        GeneratorConfig(pt_hat_minimum=700, pt_hat_maximum=600, settings=DIJETS)


def test_beams_of_another_energy_than_the_generator_s_are_told():
    with pytest.raises(UsageError, match=r"dijets: generator\.energy is 8000 GeV, .* collide beams at 13000 GeV; set"):
        Generator(GeneratorConfig(settings=(*DIJETS, "Beams:eCM = 13000.")), 3, "dijets")


def events_file(path, events):
    """An LHE file of gluon pairs at rest, 13 TeV (hep-ph/0609017)."""
    lines = ['<LesHouchesEvents version="1.0">', "<init>", "2212 2212 6500. 6500. 0 0 10800 10800 3 1", "1. 0.1 1. 1"]
    lines.append("</init>")
    for number in range(events):
        px = 300.0 + number
        gluons = [(-1, 0, 101, 102, 0.0, px), (-1, 0, 102, 103, 0.0, -px), (1, 1, 101, 104, px, 0.0)]
        gluons.append((1, 1, 104, 103, -px, 0.0))
        lines += ["<event>", f"4 1 1. {px} 0.0078 0.118"]
        for status, mother, colour, anticolour, x, z in gluons:
            lines.append(f"21 {status} {mother} {2 * mother} {colour} {anticolour} {x} 0. {z} {px} 0. 0. 9.")
        lines.append("</event>")
    path.write_text("\n".join([*lines, "</LesHouchesEvents>", ""]))
    return ("Beams:frameType = 4", f"Beams:LHEF = {path}", *HARD_PROCESS_ALONE)


def test_a_file_of_events_gives_all_of_them_and_says_where_it_ends(tmp_path):
    settings = events_file(tmp_path / "part1.lhe", 12)
    generator = Generator(GeneratorConfig(energy=13000, settings=settings), 3, "part 1")
    assert generator.generate(5).n_events + generator.generate(7).n_events == 12
    with pytest.raises(InputError, match=r"part 1: the file of events .* ended after 12 events; ask for fewer"):
        generator.generate(1)


def test_a_filter_takes_what_a_file_of_events_has_left(tmp_path):
    settings = events_file(tmp_path / "part1.lhe", 12)
    wanted = {"particles": [{"pdg_id": [21], "number": 2, "min_pt": 305.5}]}
    generator = Generator(GeneratorConfig(energy=13000, settings=settings, filter=wanted), 3, "part 1")
    assert generator.generate(6).n_events == 6
    assert (generator.filter.tried, generator.filter.kept) == (12, 6)
