"""The shipped process and detector YAML files, and overrides of them."""

from dataclasses import replace

import numpy as np
import pytest

from e2egraph.config import config_names
from e2egraph.errors import UsageError
from e2egraph.simulation.generation.generator import Generator
from e2egraph.simulation.simulate import read_settings
from tests.simulation.particle_gun import HARD_PROCESS_ALONE

BINS = {
    "qcd_300_600": (300, 600), "qcd_400_600": (400, 600), "qcd_600_3000": (600, 3000),
    "gluon": (90, 170), "quark": (90, 170), "dijet": (90, 170),
}  # fmt: skip
GLUON = 21
# Whole events: RPV supersymmetry and its backgrounds.
AT_13_TEV = ("multijets_", "rpv_")


@pytest.mark.parametrize("name", config_names("processes"))
def test_every_shipped_process_is_valid(name):
    config = read_settings(name)
    energy, pile_up = (13000.0, 32.0) if name.startswith(AT_13_TEV) else (8000.0, 10.0)
    assert config.process.generator.energy == energy
    gun = config.process.generator.gun
    assert config.process.pile_up.mean == (0.0 if gun is not None and gun.bare else pile_up)


def test_slices_of_multijets_follow_one_another_and_differ_in_nothing_else():
    names = ["multijets_400_600", "multijets_600_800", "multijets_800_1000", "multijets_1000_1400", "multijets_1400"]
    processes = [read_settings(name).process for name in names]
    edges = [(p.generator.pt_hat_minimum, p.generator.pt_hat_maximum) for p in processes]
    assert edges == [(400, 600), (600, 800), (800, 1000), (1000, 1400), (1400, None)]
    assert len({replace(p.generator, pt_hat_minimum=None, pt_hat_maximum=None) for p in processes}) == 1
    for name in ("multijets_ttbar_200_350", "multijets_ttbar_350"):
        assert processes[0].generator.filter == read_settings(name).process.generator.filter
    falling = [p.cross_section.pb for p in processes]
    assert falling == sorted(falling, reverse=True)


@pytest.mark.parametrize("name", [name for name in config_names("processes") if name.startswith(AT_13_TEV)])
def test_cross_sections_are_pythias_where_they_are_said_to_be(name):
    process = read_settings(name).process
    settings = (*process.generator.settings, *HARD_PROCESS_ALONE)
    generator = Generator(replace(process.generator, settings=settings, filter=None), 1, name)
    generator.generate(2000)
    ratio = process.cross_section.pb / generator.cross_section
    # Gluinos and tops at higher orders.
    expected = 2.15 if name == "rpv_gluinos" else 1.61 if "ttbar" in name else 1.0
    assert ratio == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("generator: {settings: [a]}\ncross_section: {source: x, pb: 0}", r"'cross_section\.pb'"),
        ("generator: {settings: [a]}\ncross_section: {source: x, pb: -1}", r"'cross_section\.pb'"),
        ("generator: {settings: [a]}\ncross_section: {source: x, pb: .nan}", r"'cross_section\.pb'"),
        ("generator: {settings: [a]}\ncross_section: {pb: 2}", r"'cross_section\.source'"),
        ("generator: {settings: [a]}\ncross_section: {source: x, pb: 2, k_factor: 2}", "both given; keep one"),
        (
            "generator: {gun: {pdg_id: 11, pt: [1, 2], eta: [0, 1]}}\ncross_section: {source: x, pb: 2}",
            "a particle gun has no cross-section",
        ),
    ],
)
def test_wrong_cross_sections_are_named(tmp_path, content, message):
    path = tmp_path / "own.yaml"
    path.write_text(f"title: own\n{content}\n")
    with pytest.raises(UsageError, match=message.replace("'cross", "'process.cross")):
        read_settings(str(path))


@pytest.mark.parametrize("name", config_names("processes"))
def test_every_shipped_process_starts_and_gives_events(name):
    generator = read_settings(name).process.generator
    # Soft collisions are made by the machinery of multiparton interactions.
    short = HARD_PROCESS_ALONE if name != "minimum_bias" else HARD_PROCESS_ALONE[1:]
    alone = replace(generator, settings=(*generator.settings, *short), filter=None)
    events = Generator(alone, 1, name).generate(20)
    assert events.n_events == 20
    assert (events.weight > 0).all()


def outgoing(name, events=400):
    """|PDG id| of the outgoing partons of a shipped process's hard scatterings, [events, 2]."""
    generator = read_settings(name).process.generator
    generated = Generator(replace(generator, settings=(*generator.settings, *HARD_PROCESS_ALONE)), 1, name).generate(
        events
    )
    return np.abs(generated.pdg[generated.status == -23]).reshape(events, 2)


def test_gluon_and_quark_processes_scatter_to_gluons_and_to_quarks():
    gluons, quarks, both = outgoing("gluon"), outgoing("quark"), outgoing("dijet")
    assert (gluons == GLUON).all()
    assert (quarks <= 5).all()
    # Mostly light ones; the truth matching of a task leaves out the others.
    assert 0.7 < np.mean(quarks <= 3) < 1.0
    assert 0.1 < np.mean(both == GLUON) < 0.9


def test_top_masses_fill_their_whole_range():
    generator = read_settings("top_mass").process.generator
    events = Generator(replace(generator, settings=(*generator.settings, *HARD_PROCESS_ALONE)), 1, "tops").generate(400)
    mass = events.mass[(np.abs(events.pdg) == 6) & (events.status == -22)]
    assert len(mass) == 800
    assert (mass.min(), mass.max()) == pytest.approx((85, 500), abs=20)
    assert ((mass >= 85) & (mass <= 500)).all()
    assert (np.histogram(mass, np.linspace(85, 500, 9))[0] > 20).all()


@pytest.mark.parametrize(("name", "limits"), BINS.items())
def test_qcd_bins_have_the_limits_that_they_are_named_or_described_with(name, limits):
    generator = read_settings(name).process.generator
    assert (generator.pt_hat_minimum, generator.pt_hat_maximum) == limits


def test_settings_reach_process_and_detector():
    config = read_settings("ttbar", ["process.pile_up.mean=40", "detector.solenoid.field=2.0"])
    assert config.process.pile_up.mean == 40
    assert config.detector.solenoid.field == 2.0


def test_a_yaml_of_ones_own_is_a_process_and_a_detector(tmp_path):
    process = tmp_path / "z.yaml"
    process.write_text("title: Z bosons\ngenerator:\n  settings: ['WeakSingleBoson:ffbar2gmZ = on']\n")
    assert read_settings(str(process)).process.title == "Z bosons"
    with pytest.raises(UsageError, match="no such detector"):
        read_settings("ttbar", detector=str(tmp_path / "none.yaml"))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("detector.solenoid.strength=2", "unknown key 'detector.solenoid.strength'"),
        ("process.pile_up.mean=-1", "process.pile_up.mean"),
        ("detector.tracks.plateau=1.5", "detector.tracks.plateau"),
        ("detector.material.share=[1, 2]", "share"),
        ("detector.hits.layers.BPIX7.noise=1", "BPIX7"),
    ],
)
def test_wrong_settings_are_named(setting, message):
    with pytest.raises(UsageError, match=message.replace(".", r"\.")):
        read_settings("ttbar", [setting])


def test_an_unknown_process_is_answered_with_those_that_exist():
    with pytest.raises(UsageError, match=r"unknown process 'higgs'; choose one of .*ttbar"):
        read_settings("higgs")


@pytest.mark.parametrize(
    ("name", "mass", "product"),
    [
        ("h_aa_4photons_100mev", 0.1, 22), ("h_aa_4photons_400mev", 0.4, 22), ("h_aa_4photons_1000mev", 1.0, 22),
        ("h_aa_4taus_3700mev", 3.7, 15), ("h_aa_4taus_10gev", 10.0, 15), ("h_aa_4taus_14gev", 14.0, 15),
    ],
)  # fmt: skip
def test_higgs_bosons_decay_to_two_light_particles_of_the_mass_in_the_name(name, mass, product):
    generator = read_settings(name).process.generator
    generated = Generator(
        replace(generator, settings=(*generator.settings, "PartonLevel:MPI = off")), 1, name
    ).generate(20)
    light = np.flatnonzero((generated.pdg == 36) & (generated.daughter1 > 0))
    last = light[np.abs(generated.pdg[first_daughters(generated, light)]) == product]
    assert len(last) == 40
    np.testing.assert_allclose(generated.mass[last], mass, rtol=1e-4)


def first_daughters(generated, rows):
    """Row of the first daughter of each row; entries count from the first of their event."""
    event = np.searchsorted(generated.offsets, rows, side="right") - 1
    return generated.offsets[event] + generated.daughter1[rows]


@pytest.mark.parametrize(("name", "limits"), [("a_gammagamma", (0.0, 1.6)), ("a_tautau", (3.6, 18.0))])
def test_guns_of_light_particles_fill_their_masses_evenly(name, limits):
    generator = read_settings(name).process.generator
    events = Generator(replace(generator, settings=(*generator.settings, *HARD_PROCESS_ALONE)), 1, name).generate(150)
    masses = events.mass[(events.pdg == 36) & (events.status == -23)]
    assert len(masses) == 300
    share = np.histogram(masses, 4, limits)[0] / 300
    assert np.abs(share - 0.25).max() < 0.1


def test_z_bosons_beside_jets_leave_missing_momentum_and_inclusive_tops_leptons():
    names = {"zvv_jets": (12, 14, 16), "ttbar_inclusive": (11, 13, 15)}
    for name, kinds in names.items():
        generator = read_settings(name).process.generator
        events = Generator(replace(generator, settings=(*generator.settings, *HARD_PROCESS_ALONE)), 1, name).generate(
            60
        )
        chosen = np.isin(np.abs(events.pdg), kinds) & (events.status > 0)
        among = np.unique(events.event[chosen])
        # All Z bosons; of pairs of tops 1 − (2/3)² have a W boson that decays to leptons.
        assert len(among) / 60 == pytest.approx(1.0 if name == "zvv_jets" else 0.56, abs=0.2)


def test_flat_qcd_has_as_many_hard_scatterings_as_soft_ones():
    generator = read_settings("qcd_flat").process.generator
    events = Generator(replace(generator, settings=(*generator.settings, *HARD_PROCESS_ALONE)), 1, "qcd").generate(400)
    # With quarks' masses p̂T is not quite the pT of the scattered partons.
    pt = np.hypot(events.px, events.py)[events.status == -23][::2]
    shares = np.histogram(pt, [15, 60, 250, 1000])[0] / len(pt)
    assert shares.min() > 0.02
    np.testing.assert_allclose(events.weight, (15 / pt) ** 4.5, rtol=0.1)
