"""What Pythia finds out when it starts is kept for whatever starts alike, and changes no event."""

import os
from dataclasses import replace

import numpy as np
import pytest

from e2egraph.simulation.generation import startcache
from e2egraph.simulation.generation.generator import Generator
from e2egraph.simulation.generation.process import GeneratorConfig

# Quicker than most: one kind of multiparton interactions, no diffraction, no hadrons.
CONFIG = GeneratorConfig(
    pt_hat_minimum=50.0,
    settings=("HardQCD:gg2gg = on", "PartonLevel:ISR = off", "PartonLevel:FSR = off", "HadronLevel:all = off"),
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "e2egraph" / "pythia"


@pytest.fixture
def made(monkeypatch):
    """What was made, a start each."""
    starts, real = [], startcache._made

    def noted(*given):
        starts.append(real(*given))
        return starts[-1]

    monkeypatch.setattr(startcache, "_made", noted)
    return starts


def events(config=CONFIG, seed=1, number=5):
    return Generator(config, seed, "test").generate(number)


def assert_same(one, other):
    np.testing.assert_array_equal(one.pdg, other.pdg)
    np.testing.assert_array_equal(one.px, other.px)


def test_a_kept_start_changes_no_event_and_serves_every_seed(made, cache):
    first = events()
    assert len(first.pdg) > 50
    assert len(made) == 1
    assert len(list(cache.iterdir())) == 1
    assert_same(events(), first)
    assert not np.array_equal(events(seed=2).px, first.px)
    assert len(made) == 1


def test_multiparton_interactions_are_as_many_with_a_kept_start_as_pythia_alone_has(monkeypatch):
    def partons():
        found = events(number=400)
        # Outgoing partons of multiparton interactions (manual, "Particle Properties": 31 to 39).
        return np.bincount(found.event[(abs(found.status) >= 31) & (abs(found.status) <= 39)], minlength=400)

    kept = partons()
    monkeypatch.setattr(startcache, "_key", lambda *_: None)
    alone = partons()
    error = np.hypot(kept.std(), alone.std()) / 20
    assert kept.mean() > 4
    assert abs(kept.mean() - alone.mean()) < 4 * error


@pytest.mark.parametrize(
    "other",
    [
        {"energy": 13000.0},
        {"pt_hat_minimum": 60.0},
        {"settings": (*CONFIG.settings, "SigmaProcess:alphaSvalue = 0.12")},
    ],
)
def test_any_other_setting_has_a_start_of_its_own(made, other):
    events()
    events(replace(CONFIG, **other))
    assert len(made) == 2


@pytest.mark.parametrize("what", ["Pythia", "processor"])
def test_another_version_or_machine_never_finds_a_start(made, what, monkeypatch):
    events()
    if what == "Pythia":
        monkeypatch.setattr(startcache, "version", lambda name: "8.000.0")
    else:
        monkeypatch.setattr(startcache, "_processor", lambda: "fpu")
    events()
    assert len(made) == 2


@pytest.mark.parametrize(
    "line",
    [
        "PDF:pSet = LHAPDF6:some",
        "Beams:LHEF = events.lhe",
        "include = more.cmnd",
        "MultipartonInteractions:reuseInit = 3",
    ],
)
def test_what_depends_on_a_file_is_never_kept(line):
    assert startcache._key(CONFIG.settings, CONFIG.settings) is not None
    assert startcache._key((*CONFIG.settings, line), CONFIG.settings) is None


def test_with_data_of_pythia_from_elsewhere_nothing_is_kept(monkeypatch):
    monkeypatch.setenv("PYTHIA8DATA", "/elsewhere")
    assert startcache._key(CONFIG.settings, CONFIG.settings) is None


def test_without_multiparton_interactions_there_is_nothing_to_keep(made, cache):
    events(replace(CONFIG, settings=(*CONFIG.settings, "PartonLevel:MPI = off")))
    assert made == []
    assert not cache.exists()


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text"])
def test_a_damaged_file_is_made_again(cache, made, damage):
    first = events()
    (path,) = cache.iterdir()
    good = path.read_bytes()
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 1
    path.write_bytes({"cut": good[:-1], "flipped": bytes(flipped), "empty": b"", "text": b"start"}[damage])
    assert_same(events(), first)
    assert len(made) == 2
    assert path.read_bytes() == good


def test_a_cache_that_cannot_be_written_is_done_without_and_the_events_are_the_same(tmp_path, made, monkeypatch):
    first = events()
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert_same(events(), first)
    assert_same(events(), first)
    assert len(made) == 3


def test_old_starts_make_room(cache, monkeypatch):
    monkeypatch.setattr(startcache, "MOST_STARTS", 2)
    for energy in (7000.0, 8000.0, 9000.0):
        events(replace(CONFIG, energy=energy))
        newest = max(cache.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, ns=(int(energy), int(energy) * 10**6))
    assert len(list(cache.iterdir())) == 2
