"""Weights in pb: σ·ε shared out over the events of a file, and read back from it."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import uproot
import yaml

from e2egraph.errors import InputError
from e2egraph.events.sources.registry import open_source
from e2egraph.simulation.generation.process import CrossSectionConfig, GeneratorConfig, ProcessConfig
from e2egraph.simulation.normalisation import filter_efficiency, identity, normalise
from e2egraph.simulation.simulate import simulate
from tests.simulation.particle_gun import HARD_PROCESS_ALONE

LINES = ["HardQCD:all = on", "PhaseSpace:pTHatMin = 100", "PhaseSpace:pTHatMax = 200", "PartonLevel:MPI = off"]
FILTER = {"jets": {"number": 3, "min_pt": 30, "ht": 200}}


def process(**cross_section):
    return ProcessConfig(
        title="test",
        generator=GeneratorConfig(settings=("HardQCD:all = on",)),
        cross_section=CrossSectionConfig(source="test", **cross_section) if cross_section else None,
    )


class Counts:
    tried, kept, tried_weight, kept_weight = 400, 100, 800.0, 100.0
    tried_square, kept_square = 1600.0, 100.0


def test_weights_add_up_to_the_cross_section_after_the_filter():
    generated = np.array([1.0, 2.0, 1.0])
    found = normalise(process(pb=8.0), generated, Counts(), 3.0, "test")
    assert found.efficiency.value == 0.125
    np.testing.assert_allclose(found.weights, [0.25, 0.5, 0.25])
    assert found.after_filter == pytest.approx(found.weights.sum()) == 1.0
    by_pythia = normalise(process(k_factor=2.0), generated, None, 3.0, "test")
    assert (by_pythia.cross_section, by_pythia.weights.sum()) == (6.0, pytest.approx(6.0))
    assert normalise(process(), generated, None, 3.0, "test") is None


def test_the_efficiency_has_a_binomial_uncertainty():
    class Alike(Counts):
        tried_weight, kept_weight, tried_square, kept_square = 400.0, 100.0, 400.0, 100.0

    found = filter_efficiency(Alike())
    assert (found.value, found.error) == (0.25, pytest.approx(np.sqrt(0.25 * 0.75 / 400)))
    assert filter_efficiency(None).value == 1.0


def test_the_uncertainty_of_an_efficiency_knows_of_weights():
    rng = np.random.default_rng(1)
    weight, passing = rng.exponential(size=(3000, 400)) ** 2, rng.uniform(size=(3000, 400)) < 0.2
    # Events that pass weigh ten times as much, as hard ones of a biased generation do the other way round.
    weight = np.where(passing, 10.0 * weight, weight)
    total, kept = weight.sum(1), (weight * passing).sum(1)
    squares, kept_squares = (weight**2).sum(1), (weight**2 * passing).sum(1)
    found = [
        filter_efficiency(SimpleNamespace(tried=400, tried_weight=a, kept_weight=b, tried_square=c, kept_square=d))
        for a, b, c, d in zip(total, kept, squares, kept_squares, strict=True)
    ]
    spread, quoted = np.std([one.value for one in found]), np.mean([one.error for one in found])
    assert quoted == pytest.approx(spread, rel=0.1)


def test_a_filter_whose_events_weigh_nothing_is_told():
    nothing = SimpleNamespace(tried=3, tried_weight=0.0, kept_weight=0.0, tried_square=2.0, kept_square=0.0)
    with pytest.raises(InputError, match=r"generator\.filter: the weights of 3 generated events add up to 0"):
        filter_efficiency(nothing)


@pytest.mark.parametrize(
    ("pythia", "weights", "message"),
    [(0.0, [1.0], "Pythia gives no cross-section"), (np.nan, [1.0], "no cross-section"), (1.0, [1, -1], "add up to 0")],
)
def test_what_has_no_cross_section_is_told(pythia, weights, message):
    with pytest.raises(InputError, match=message):
        normalise(process(k_factor=2.0), np.array(weights), None, pythia, "test")


def test_productions_differ_by_generator_and_cross_section_alone():
    one = process(pb=8.0)
    assert identity(one) == identity(process(pb=8.0)) != identity(process(pb=9.0))
    other = ProcessConfig(title="other", generator=one.generator, cross_section=one.cross_section)
    assert identity(other) == identity(one)
    usual = GeneratorConfig(settings=one.generator.settings, energy=one.generator.energy)
    assert identity(ProcessConfig(title="x", generator=usual, cross_section=one.cross_section)) == identity(one)
    harder = GeneratorConfig(settings=one.generator.settings, pt_hat_minimum=50)
    assert identity(ProcessConfig(title="x", generator=harder, cross_section=one.cross_section)) != identity(one)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A filtered process with a cross-section, simulated."""
    folder = tmp_path_factory.mktemp("multijets")
    path = folder / "process.yaml"
    content = {
        "title": "multijets",
        "generator": {"settings": LINES, "filter": FILTER},
        "pile_up": {"mean": 0},
        "cross_section": {"pb": 50.0, "source": "test"},
    }
    path.write_text(yaml.safe_dump(content))
    return simulate(str(path), 12, 1, folder / "a.root", images=False)


def test_the_file_holds_weights_in_pb_and_where_they_are_from(made):
    with uproot.open(made.path) as file:
        said = json.loads(file["fevt/generation"])
        weights = file["fevt/weights"]["genWeight_pb"].array(library="np")
        plain = file["fevt/RHTree"]["genWeight"].array(library="np")
    assert said["tried"] == made.tried > said["kept"] >= 12
    assert said["filter_efficiency"] == pytest.approx(said["kept"] / said["tried"])
    assert said["used_cross_section_pb"] == 50.0
    assert said["cross_section_pb"] > 0
    assert made.cross_section == pytest.approx(said["after_filter_pb"]) == pytest.approx(50 * said["filter_efficiency"])
    np.testing.assert_allclose(weights, made.cross_section / 12)
    np.testing.assert_array_equal(plain, np.ones(12))


def test_they_are_the_generators_weights_of_the_event_record(made):
    source = open_source(made.path)
    assert source.recognised["id.gen_weight"] == "genWeight_pb of fevt/weights"
    assert source.production.events == 12
    part = source.read(3, 9, ["id"]).gen_weight
    np.testing.assert_allclose(part, made.cross_section / 12)
    assert part.type.content.primitive == "float64"


def test_biased_events_keep_their_proportions(tmp_path):
    bias = ["PhaseSpace:bias2Selection = on", "PhaseSpace:bias2SelectionPow = 4", "PhaseSpace:bias2SelectionRef = 50"]
    lines = ["HardQCD:gg2gg = on", "PhaseSpace:pTHatMin = 50", *HARD_PROCESS_ALONE, *bias]
    content = {"title": "biased", "generator": {"settings": lines}, "pile_up": {"mean": 0}}
    (tmp_path / "b.yaml").write_text(yaml.safe_dump({**content, "cross_section": {"pb": 7.0, "source": "test"}}))
    path = simulate(str(tmp_path / "b.yaml"), 20, 1, tmp_path / "b.root", images=False).path
    with uproot.open(path) as file:
        plain = file["fevt/RHTree"]["genWeight"].array(library="np").astype(float)
    found = np.asarray(open_source(path).read(0, 20, ["id"]).gen_weight)
    assert plain.std() > 0
    np.testing.assert_allclose(found, 7 * plain / plain.sum(), rtol=1e-5)


def test_parts_of_one_sample_are_one_production_when_they_name_it():
    def part(number, **cross_section):
        settings = ("Beams:frameType = 4", f"Beams:LHEF = part{number}.lhe")
        return replace(process(pb=100.0, **cross_section), generator=GeneratorConfig(settings=settings))

    assert identity(part(1, production="dijets")) == identity(part(2, production="dijets"))
    assert identity(part(1, production="dijets")) != identity(part(1, production="others"))
    assert identity(part(1)) != identity(part(2))
