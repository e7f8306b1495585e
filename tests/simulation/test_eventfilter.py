"""The filter on generated events: what passes, and that the counts give the efficiency."""

import json

import awkward as ak
import numpy as np
import pytest
import uproot

from e2egraph.errors import InputError
from e2egraph.simulation.generation.eventfilter import FilterConfig, joined, passes, taken
from e2egraph.simulation.generation.generator import Generator
from e2egraph.simulation.generation.process import GeneratorConfig
from e2egraph.simulation.simulate import simulate
from tests.simulation.particle_gun import HARD_PROCESS_ALONE, read

DRELL_YAN = ("WeakSingleBoson:ffbar2gmZ = on", "PhaseSpace:mHatMin = 60", "23:onMode = off", "23:onIfAny = 11 13")
ALONE = (*DRELL_YAN, *HARD_PROCESS_ALONE)
HARD_ELECTRON = {"particles": [{"pdg_id": [11], "min_pt": 30, "max_eta": 2.0}]}


def generator(settings=ALONE, seed=7, **filtered):
    return Generator(GeneratorConfig(settings=settings, filter=filtered or None), seed, "process")


@pytest.fixture(scope="module")
def everything():
    return generator().generate(1500)


def expected(events):
    """Whether each event has such an electron, event by event."""
    result = []
    for number in range(events.n_events):
        some = slice(*events.offsets[number : number + 2])
        pt = np.hypot(events.px[some], events.py[some])
        eta = np.arcsinh(events.pz[some] / np.maximum(pt, 1e-9))
        good = (np.abs(events.pdg[some]) == 11) & (events.status[some] > 0) & (pt > 30) & (np.abs(eta) < 2.0)
        result.append(good.any())
    return np.array(result)


def test_events_with_the_particles_asked_for_pass(everything):
    passing = passes(everything, FilterConfig(**HARD_ELECTRON))
    np.testing.assert_array_equal(passing, expected(everything))
    assert 0.1 < passing.mean() < 0.5


def test_filtered_events_are_those_that_pass_in_their_order_and_the_rest_is_kept_for_the_next_call(everything):
    filtered = generator(**HARD_ELECTRON)
    got = joined([filtered.generate(40), filtered.generate(100)])
    wanted = taken(everything, np.flatnonzero(expected(everything))[:140])
    assert got.n_events == 140
    np.testing.assert_array_equal(got.px, wanted.px)
    np.testing.assert_array_equal(got.offsets, wanted.offsets)
    counts = filtered.filter
    assert counts.kept >= 140
    assert counts.kept == expected(everything)[: counts.tried].sum()


def test_jets_are_asked_for_by_number_and_sum_of_pt():
    settings = ("HardQCD:all = on", "PhaseSpace:pTHatMin = 80", "PartonLevel:MPI = off")
    events = Generator(GeneratorConfig(settings=settings), 3, "jets").generate(60)
    two, hard = (
        passes(events, FilterConfig(jets={"number": 2, "min_pt": 40, "ht": ht, "max_eta": 4})) for ht in (0, 220)
    )
    # Two partons of 80 GeV and more.
    assert two.mean() > 0.85
    assert 0 < hard.sum() < two.sum()
    assert not (hard & ~two).any()


def test_fat_jets_made_of_the_jets_are_asked_for_by_the_sum_of_their_masses():
    settings = ("Top:gg2ttbar = on", "PhaseSpace:pTHatMin = 500", "PartonLevel:MPI = off", "24:onMode = off",
                "24:onIfAny = 1 2 3 4")  # fmt: skip
    tops = Generator(GeneratorConfig(settings=settings), 3, "tops").generate(40)
    jets = {"number": 2, "min_pt": 30, "max_eta": 3}
    some, more = (passes(tops, FilterConfig(jets=jets, fat_jets={"sum_mass": least})) for least in (200, 450))
    # Two boosted tops of 173 GeV each.
    assert some.mean() > 0.7
    assert 0 < more.sum() < some.sum()
    assert not (more & ~some).any()


def test_the_file_says_how_many_were_tried_for_the_cross_section(tmp_path):
    process = tmp_path / "z.yaml"
    lines = ", ".join(f"'{line}'" for line in DRELL_YAN)
    process.write_text(f"title: Z\ngenerator: {{settings: [{lines}], filter: {json.dumps(HARD_ELECTRON)}}}\n")
    settings = ["process.pile_up.mean=0"]
    summary = simulate(str(process), 8, 1, tmp_path / "z.root", images=False, settings=settings)
    with uproot.open(summary.path) as file:
        counts = json.loads(file["fevt/generation"])
    assert counts["tried"] == summary.tried > counts["kept"] >= 8
    # pb, at 8 TeV above 60 GeV: leading order with these decays, of all Z/γ*: some 25 nb.
    assert 5e2 < counts["cross_section_pb"] < 5e4
    events = read(summary.path)
    electron = (np.abs(events.gen_pdgId) == 11) & (events.gen_pt > 30)
    assert ak.all(ak.any(electron, axis=1))


def test_without_a_filter_nothing_is_added_to_the_file(tmp_path):
    process = tmp_path / "z.yaml"
    process.write_text("title: Z\ngenerator: {settings: ['WeakSingleBoson:ffbar2gmZ = on']}\n")
    summary = simulate(str(process), 2, 1, tmp_path / "z.root", images=False, settings=["process.pile_up.mean=0"])
    assert summary.tried is None
    with uproot.open(summary.path) as file:
        assert {name.split(";")[0] for name in file} == {"fevt", "fevt/RHTree", "fevt/configuration"}


def test_a_filter_that_nothing_passes_ends_in_one_sentence(monkeypatch):
    monkeypatch.setattr("e2egraph.simulation.generation.eventfilter.MOST_IN_VAIN", 200)
    with pytest.raises(InputError, match="kept none of 200 events"):
        generator(particles=[{"pdg_id": [11], "min_pt": 3000}]).generate(1)


def test_fat_jets_need_jets_that_they_are_made_of():
    with pytest.raises(ValueError, match="give jets too"):
        GeneratorConfig(settings=ALONE, filter={"fat_jets": {"sum_mass": 100}})


def test_a_filter_has_to_ask_for_something():
    with pytest.raises(ValueError, match="asks for nothing"):
        GeneratorConfig(settings=ALONE, filter={})
    with pytest.raises(ValueError, match="asks for nothing; give particles, or a number or ht of jets"):
        GeneratorConfig(settings=ALONE, filter={"jets": {"min_pt": 30}})
