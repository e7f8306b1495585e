"""The shipped process and detector YAML files, and overrides of them."""

import pytest

from e2egraph.config import config_names
from e2egraph.errors import UsageError
from e2egraph.simulation.simulate import read_settings

BINS = {"qcd_300_600": (300, 600), "qcd_400_600": (400, 600), "qcd_600_3000": (600, 3000)}


@pytest.mark.parametrize("name", config_names("processes"))
def test_every_shipped_process_is_valid(name):
    config = read_settings(name)
    assert config.process.generator.energy == 8000.0
    assert config.process.pile_up.mean == 10.0


@pytest.mark.parametrize(("name", "limits"), BINS.items())
def test_qcd_bins_have_the_limits_in_their_names(name, limits):
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
