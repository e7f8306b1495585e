"""One seed: other random numbers for each process, and for each purpose; every seed others of a process."""

import hashlib
import json
import shutil

import numpy as np
import pytest
import yaml

from e2egraph.commands.simulate import simulate as command
from e2egraph.simulation.generation.process import GeneratorConfig
from e2egraph.simulation.generation.seeds import MAX_SEED, Seeds, Stream, generator_digest
from e2egraph.simulation.simulate import simulate
from tests.simulation.particle_gun import HARD_PROCESS_ALONE, read
from tests.simulation.test_generator import events_file
from tests.simulation.top_events import flat

GLUONS, QUARKS = (
    GeneratorConfig(settings=(f"HardQCD:{name} = on", *HARD_PROCESS_ALONE), pt_hat_minimum=50.0)
    for name in ("gg2gg", "qq2qq")
)


def test_seeds_of_pythia_are_as_many_as_those_of_the_user():
    some = [*range(60_000), *range(MAX_SEED - 1000, MAX_SEED + 1)]
    for stream in (Stream.HARD, Stream.POOL):
        found = [Seeds(GLUONS, seed).pythia(stream) for seed in some]
        assert len(set(found)) == len(some)
        assert 0 <= min(found) <= max(found) <= MAX_SEED < 900_000_000


def test_the_command_takes_the_seeds_that_the_simulation_has():
    (option,) = (parameter for parameter in command.params if parameter.name == "seed")
    assert option.type.max == MAX_SEED


def test_processes_and_purposes_have_random_numbers_of_their_own():
    pythia = [Seeds(config, 5).pythia(stream) for config in (GLUONS, QUARKS) for stream in (Stream.HARD, Stream.POOL)]
    assert len(set(pythia)) == 4
    parts = [(stream, *numbers) for stream in (Stream.RESPONSE, Stream.TAGS) for numbers in ((0,), (1,), (0, 1))]
    first = [
        Seeds(config, seed).rng(*part).random() for config in (GLUONS, QUARKS) for seed in (5, 6) for part in parts
    ]
    assert len(set(first)) == len(first) == 24


def test_random_numbers_follow_what_is_generated_by_a_digest_that_no_run_changes():
    """Worked out once more: SHA-256 of sorted JSON without defaults, and of that with the purpose."""
    content = {"pt_hat_minimum": 50.0, "settings": ["HardQCD:gg2gg = on", *HARD_PROCESS_ALONE]}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    process = hashlib.sha256(text.encode()).hexdigest()
    assert generator_digest(GLUONS) == process
    begin = int(hashlib.sha256(f"{process} HARD".encode()).hexdigest(), 16)
    assert Seeds(GLUONS, 7).pythia(Stream.HARD) == (begin + 7) % 900_000_000


def test_files_of_events_count_by_their_content_and_not_by_their_place(tmp_path):
    def of(path):
        return generator_digest(GeneratorConfig(settings=(f"Beams:LHEF = {path}",)))

    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
    one, two, three = (tmp_path / name / "events.lhe" for name in ("one", "two", "three"))
    events_file(one, 3)
    events_file(two, 4)
    shutil.copy(one, three)
    assert of(one) == of(three) != of(two)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Events of two processes with one seed, and of one with two seeds."""
    folder = tmp_path_factory.mktemp("seeds")

    def made(kind, seed, name):
        process = folder / f"{kind}.yaml"
        lines = [f"HardQCD:{kind} = on", *HARD_PROCESS_ALONE, "PhaseSpace:pTHatMin = 50"]
        process.write_text(yaml.safe_dump({"title": kind, "generator": {"settings": lines}}))
        few = ["process.pile_up.pool_events=40", "process.pile_up.mean=5"]
        path = folder / f"{name}.root"
        return read(simulate(str(process), 10, seed, path, images=False, particle_flow=True, settings=few).path)

    return made("gg2gg", 3, "gluons"), made("qq2qq", 3, "quarks"), made("gg2gg", 4, "others")


@pytest.mark.parametrize("other", [1, 2], ids=["process", "seed"])
def test_files_of_other_processes_or_seeds_share_neither_pile_up_nor_the_detectors_chance(files, other):
    one, two = files[0], files[other]

    def pile_up(events):
        """pT and η of its particles, which turning a collision about the beam leaves alone."""
        chosen = events.sim_collision > 0
        kinematics = (flat(events[f"sim_{name}"][chosen]) for name in ("pt", "eta"))
        return set(zip(*(np.round(values, 4).tolist() for values in kinematics), strict=True))

    assert min(len(pile_up(one)), len(pile_up(two))) > 500
    assert len(pile_up(one) & pile_up(two)) < 0.001 * len(pile_up(one))
    assert not set(flat(one.Vtx_z)) & set(flat(two.Vtx_z))
    noise = [flat(events.ecal_energy[events.ecal_genIndex < 0]) for events in (one, two)]
    assert len(np.intersect1d(*noise)) < 0.01 * len(noise[0])
