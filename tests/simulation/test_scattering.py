"""Limits on p̂T where Pythia applies them, to 2 → 2 scatterings, and their refusal where it would ignore them."""

import numpy as np
import pytest

from e2egraph.errors import UsageError
from e2egraph.simulation.generation.generator import Generator
from e2egraph.simulation.generation.process import GeneratorConfig
from e2egraph.simulation.simulate import read_settings
from tests.simulation.particle_gun import HARD_PROCESS_ALONE
from tests.simulation.test_generator import events_file
from tests.simulation.test_generator_files import GLUINOS, SLHA

Z, GLUONS, TOPS = "WeakSingleBoson:ffbar2gmZ = on", "HardQCD:gg2gg = on", "Top:gg2ttbar = on"


def generator(*settings, seed=3, alone=HARD_PROCESS_ALONE, **limits):
    return Generator(GeneratorConfig(settings=(*settings, *alone), **limits), seed, "process")


@pytest.mark.parametrize(
    ("settings", "limits"),
    [
        ([Z], {"pt_hat_minimum": 100}),
        ([Z], {"pt_hat_maximum": 100}),
        (["HardQCD:3parton = on"], {"pt_hat_minimum": 100}),
        (["HiggsSM:gg2H = on"], {"pt_hat_minimum": 100}),
    ],
)
def test_processes_without_a_2_to_2_scattering_refuse_limits_on_pt_hat(settings, limits):
    one_sentence = (
        r"^process: generator\.pt_hat_minimum and pt_hat_maximum limit 2 → 2 scatterings, .*; leave them out\.$"
    )
    with pytest.raises(UsageError, match=one_sentence):
        generator(*settings, **limits).generate(2)


@pytest.mark.parametrize("name", ["z_ee", "minimum_bias"])
def test_shipped_processes_without_one_refuse_them_too(name):
    process = read_settings(name, ["process.generator.pt_hat_minimum=20"]).process.generator
    with pytest.raises(UsageError, match="limit 2 → 2 scatterings"):
        Generator(process, 1, name).generate(2)


def test_a_file_of_events_refuses_them(tmp_path):
    settings = events_file(tmp_path / "events.lhe", 5)
    with pytest.raises(UsageError, match="limit 2 → 2 scatterings"):
        generator(*settings, alone=(), energy=13000, pt_hat_minimum=100).generate(2)
    assert generator(*settings, alone=(), energy=13000, pt_hat_minimum=0).generate(2).n_events == 2


def hard_pt(events):
    """pT of the outgoing particles of all hard processes: tops (22), partons (23)."""
    outgoing = np.isin(np.abs(events.status), (22, 23)) & (np.abs(events.pdg) != 23)
    return np.hypot(events.px, events.py)[outgoing]


@pytest.mark.parametrize("settings", [[GLUONS], [TOPS, "6:mayDecay = off"]])
def test_scatterings_keep_within_them(settings):
    pt = hard_pt(generator(*settings, pt_hat_minimum=100, pt_hat_maximum=150).generate(20))
    assert len(pt) == 40
    assert (pt > 100 * (1 - 1e-6)).all()
    assert (pt < 150 * (1 + 1e-6)).all()


def test_one_such_process_among_others_is_enough_whatever_the_first_events_are():
    """A Z boson is far more likely than gluons of 300 GeV."""
    events = generator(Z, GLUONS, pt_hat_minimum=300).generate(3)
    assert np.sum((events.pdg == 23) & (events.status == -22)) == 3


def test_pairs_of_new_particles_are_such_scatterings():
    process = generator(*GLUINOS, slha=SLHA, energy=13000, pt_hat_minimum=500)
    events = process.generate(2)
    gluinos = (events.pdg == 1000021) & (np.abs(events.status) == 22)
    assert (np.hypot(events.px, events.py)[gluinos] > 499).all()
    assert gluinos.sum() == 4
