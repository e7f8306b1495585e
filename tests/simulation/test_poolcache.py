"""A pool of pile-up is kept for runs that would make the very same, and for no others."""

import os
import shutil
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from e2egraph.simulation.generation import poolcache
from e2egraph.simulation.generation.particles import Particles
from e2egraph.simulation.generation.poolcache import pool_of
from e2egraph.simulation.generation.process import GeneratorConfig
from e2egraph.simulation.simulate import Simulation, read_settings
from tests.simulation.particle_gun import HARD_PROCESS_ALONE, detector

# Starts at once, unlike minimum bias.
CONFIG = GeneratorConfig(pt_hat_minimum=50.0, settings=("HardQCD:all = on", *HARD_PROCESS_ALONE))
ACCEPTANCE = detector().acceptance


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "e2egraph" / "pools"


@pytest.fixture
def started(monkeypatch):
    """A line for each Pythia that is started."""
    lines, real = [], poolcache.Generator
    monkeypatch.setattr(poolcache, "Generator", lambda *given: lines.append(given) or real(*given))
    return lines


def a_pool(config=CONFIG, seed=1, events=5, acceptance=ACCEPTANCE):
    return pool_of(config, seed, events, acceptance, "test")


def assert_same(one, other):
    np.testing.assert_array_equal(one.offsets, other.offsets)
    np.testing.assert_array_equal(one.weight, other.weight)
    for field in fields(Particles):
        a, b = (getattr(pool.particles, field.name) for pool in (one, other))
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("biased", [False, True])
def test_a_kept_pool_is_the_made_one_to_the_last_bit(started, biased):
    bias = ("PhaseSpace:bias2Selection = on", "PhaseSpace:bias2SelectionPow = 4.0") if biased else ()
    config = replace(CONFIG, settings=(*CONFIG.settings, *bias))
    made = a_pool(config)
    assert len(made.particles) > 5
    assert (made.weight is not None) == biased
    assert_same(a_pool(config), made)
    assert len(started) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 2},
        {"events": 6},
        {"acceptance": replace(ACCEPTANCE, max_eta=2.0)},
        {"config": replace(CONFIG, energy=13000.0)},
        {"config": replace(CONFIG, pt_hat_minimum=60.0)},
        {"config": replace(CONFIG, settings=(*CONFIG.settings, "SigmaProcess:alphaSvalue = 0.12"))},
    ],
)
def test_any_other_seed_size_or_setting_has_a_pool_of_its_own(started, other):
    a_pool()
    a_pool(**other)
    assert len(started) == 2


@pytest.mark.parametrize("what", ["Pythia", "NumPy", "processor", "code"])
def test_another_version_machine_or_code_never_finds_a_pool(started, what, monkeypatch, tmp_path):
    a_pool()
    if what == "Pythia":
        monkeypatch.setattr(poolcache, "version", lambda name: "8.000.0")
    elif what == "NumPy":
        monkeypatch.setattr(np, "__version__", "0.1")
    elif what == "processor":
        monkeypatch.setattr(poolcache, "_processor", lambda: "fpu")
    else:
        changed = tmp_path / "pileup.py"
        changed.write_bytes(Path(poolcache.pileup.__file__).read_bytes() + b"# changed\n")
        monkeypatch.setattr(poolcache.pileup, "__file__", str(changed))
    a_pool()
    assert len(started) == 2


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
    config = replace(CONFIG, settings=(*CONFIG.settings, line))
    assert poolcache._key(config, 1, 5, ACCEPTANCE) is None


def test_with_data_of_pythia_from_elsewhere_nothing_is_kept(monkeypatch):
    assert poolcache._key(CONFIG, 1, 5, ACCEPTANCE) is not None
    monkeypatch.setenv("PYTHIA8DATA", "/elsewhere")
    assert poolcache._key(CONFIG, 1, 5, ACCEPTANCE) is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "foreign", "empty", "text"])
def test_a_torn_or_foreign_file_is_made_again(cache, started, damage):
    made = a_pool()
    (path,) = cache.iterdir()
    good = path.read_bytes()
    if damage == "foreign":
        a_pool(seed=2)
        (other,) = (each for each in cache.iterdir() if each != path)
        shutil.copyfile(other, path)
        started.clear()
        assert_same(a_pool(), made)
        assert len(started) == 1
        return
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 1
    path.write_bytes({"cut": good[: len(good) // 2], "flipped": bytes(flipped), "empty": b"", "text": b"pool"}[damage])
    assert_same(a_pool(), made)
    assert len(started) == 2
    assert_same(a_pool(), made)
    assert len(started) == 2


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, started, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert_same(a_pool(), a_pool())
    assert len(started) == 2


def test_old_pools_make_room(cache, monkeypatch):
    monkeypatch.setattr(poolcache, "MOST_POOLS", 2)
    for seed in range(4):
        a_pool(seed=seed)
        os.utime(max(cache.iterdir(), key=lambda path: path.stat().st_mtime_ns), ns=(seed, seed + 10**9))
    assert len(list(cache.iterdir())) == 2


def test_a_run_from_a_kept_pool_gives_the_same_events(started):
    short = ["process.pile_up.mean=2", "process.pile_up.pool_events=3"]
    config = read_settings("ttbar", [*short, "process.generator.settings=[Top:gg2ttbar = on, PartonLevel:MPI = off]"])
    first, second = (Simulation(config, 5, "ttbar").batch(0, 3) for _ in range(2))
    assert len(started) == 1
    for collection, columns in first[1].items():
        for name, values in columns.items():
            np.testing.assert_array_equal(values, second[1][collection][name])
