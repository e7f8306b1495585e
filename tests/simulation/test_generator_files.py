"""Files that a generator's settings name: where they are looked for, and SLHA as file or text."""

import json
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml

from e2egraph.errors import UsageError
from e2egraph.simulation.simulate import read_settings, simulate
from tests.simulation.particle_gun import HARD_PROCESS_ALONE, read

GLUINO, MASS = 1000021, 1400.0
MIXINGS = {"NMIX": 4, "UMIX": 2, "VMIX": 2, "STOPMIX": 2, "SBOTMIX": 2, "STAUMIX": 2}
SLHA = "\n".join(
    [
        "BLOCK MODSEL", " 4 1  # R-parity violated",
        "BLOCK MASS", f" {GLUINO} {MASS}",
        "BLOCK ALPHA", " -0.1",
        *(line for name, size in MIXINGS.items()
          for line in (f"BLOCK {name}", *(f" {i} {i} 1.0" for i in range(1, size + 1)))),
        f"DECAY {GLUINO} 1.0", " 0.5 3 3 5 6", " 0.5 3 -3 -5 -6", "",
    ]
)  # fmt: skip
GLUINOS = ["SUSY:gg2gluinogluino = on", "PartonLevel:MPI = off"]
ALONE = ["process.pile_up.mean=0"]


def process(folder, settings=GLUINOS, **generator):
    """A process YAML in ``folder``."""
    path = folder / "process.yaml"
    content = {"title": "test", "generator": {"energy": 13000.0, "settings": [*settings], **generator}}
    path.write_text(yaml.safe_dump(content))
    return str(path)


def made(folder, name, seed=1):
    output = folder / f"{folder.name}.root"
    return read(simulate(name, 3, seed, output, images=False, settings=ALONE).path), output


@pytest.fixture
def folder(tmp_path):
    """A folder that is not the working one, with an SLHA file in it."""
    path = tmp_path / "own"
    path.mkdir()
    (path / "rpv.slha").write_text(SLHA)
    return path


def assert_gluino_pairs(events):
    assert ak.all(ak.sum(events.gen_pdgId == GLUINO, axis=1) == 2)
    np.testing.assert_allclose(ak.flatten(events.gen_m[events.gen_pdgId == GLUINO]), MASS, rtol=0.02)
    for event in events:
        for gluino in np.flatnonzero(ak.to_numpy(event.gen_pdgId) == GLUINO):
            # Of the hard process: hadrons of gluons that it radiated before it decayed are its daughters too.
            decay = (event.gen_mother == gluino) & ((event.gen_status == 22) | (event.gen_status == 23))
            daughters = event.gen_pdgId[decay].tolist()
            assert sorted(abs(pdg) for pdg in daughters) == [3, 5, 6]


def test_slha_text_in_the_yaml_makes_gluinos_that_decay_as_it_says(folder):
    events, _ = made(folder, process(folder, slha=SLHA))
    assert_gluino_pairs(events)


def test_an_slha_file_lies_in_the_folder_of_the_yaml_and_its_text_is_kept(folder):
    events, output = made(folder, process(folder, slha="rpv.slha"))
    assert_gluino_pairs(events)
    with uproot.open(output) as file:
        stored = json.loads(file["fevt/configuration"])["process"]
    assert stored["generator"]["slha"] == SLHA
    # What is kept is enough to make the same events again, the file gone.
    (folder / "rpv.slha").unlink()
    (folder / "again.yaml").write_text(yaml.safe_dump(stored))
    again, _ = made(folder, str(folder / "again.yaml"))
    assert ak.array_equal(again.gen_pt, events.gen_pt)
    assert ak.array_equal(again.track_pt, events.track_pt)


def test_the_file_of_a_setting_lies_in_the_folder_of_the_yaml(folder):
    events, _ = made(folder, process(folder, [*GLUINOS, "slha:FILE rpv.slha ! masses and decays"]))
    assert_gluino_pairs(events)


@pytest.mark.parametrize(
    ("line", "file", "expected"),
    [
        ("Beams:LHEF = events.lhe", "events.lhe", "beams:lhef = {folder}/events.lhe"),
        ("Beams::LHEF = ../events.lhe", "../events.lhe", "beams:lhef = {folder}/../events.lhe"),
        ("Alpgen:file = input", "input.unw", "alpgen:file = {folder}/input"),
        ("include = tune.cmnd", "tune.cmnd", "include = {folder}/tune.cmnd"),
        ("include = tune.cmnd", None, "include = tune.cmnd"),
        ("Beams:LHEF = void", None, "Beams:LHEF = void"),
        ("PDF:pSet = LHAGrid1:set.dat", None, "PDF:pSet = LHAGrid1:set.dat"),
        ("Tune:pp = 14", None, "Tune:pp = 14"),
    ],
)
def test_settings_that_name_files_get_absolute_paths(folder, line, file, expected):
    if file is not None:
        (folder / file).touch()
    (found,) = read_settings(process(folder, [line])).process.generator.settings
    assert found == expected.format(folder=folder)


def test_files_of_the_command_line_lie_in_the_working_folder(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.slha").write_text(SLHA.replace("1400.0", "900.0"))
    name = process(folder, slha="rpv.slha")
    found = read_settings(name, ["process.generator.slha=here.slha"]).process.generator
    assert "1000021 900.0" in found.slha
    found = read_settings(process(folder), ["process.generator.settings=['SLHA:file = here.slha']"]).process.generator
    assert found.settings == (f"slha:file = {tmp_path}/here.slha",)


def test_the_pile_up_s_yaml_lies_in_the_folder_of_the_process_too_and_home_folders_are_known(folder, monkeypatch):
    path = Path(process(folder, slha="~/rpv.slha", settings=["Beams:LHEF = ~/rpv.slha"]))
    path.write_text(path.read_text() + "pile_up: {process: soft.yaml}\n")
    monkeypatch.setenv("HOME", str(folder))
    found = read_settings(str(path)).process
    assert found.pile_up.process == f"{folder}/soft.yaml"
    assert found.generator.slha == SLHA
    assert found.generator.settings == (f"beams:lhef = {folder}/rpv.slha",)
    assert read_settings(str(path), ["process.pile_up.process=minimum_bias"]).process.pile_up.process == "minimum_bias"


def test_files_of_the_pile_up_process_lie_in_its_own_folder(folder):
    # Hard scatterings alone, as the machinery of soft ones takes seconds to start.
    lines = ["HardQCD:gg2gg = on", "PhaseSpace:pTHatMin = 5", *HARD_PROCESS_ALONE]
    (folder / "soft.cmnd").write_text("\n".join(lines))
    pile_up = folder / "soft.yaml"
    pile_up.write_text(yaml.safe_dump({"title": "soft", "generator": {"settings": ["include = soft.cmnd"]}}))
    short = f"process.generator.settings={['HardQCD:all = on', *HARD_PROCESS_ALONE]}"
    settings = [f"process.pile_up.process={pile_up}", "process.pile_up.pool_events=5", "process.pile_up.mean=1", short]
    assert simulate("dijet", 1, 1, folder / "x.root", images=False, settings=settings).events == 1


@pytest.mark.parametrize(
    ("settings", "slha", "message"),
    [
        (["SLHA:file = none.slha"], None, r"no file .*own/none\.slha, which the setting 'slha:file = .*' names"),
        (["Beams:LHEF = none.lhe"], None, r"no file .*own/none\.lhe"),
        (["Alpgen:file = none"], None, r"no file .*own/none\.unw"),
        (["SLHA:file = my file.slha"], None, r"no file .*own/my,"),
        (GLUINOS, "none.slha", r"generator\.slha .*own/none\.slha cannot be read \(No such file"),
        (GLUINOS, "binary", r"generator\.slha .*own/binary cannot be read \(line 1 is not UTF-16\)"),
        (GLUINOS, "MASS\n 1 2\n", "slha holds no BLOCK and no DECAY"),
        (GLUINOS, "", "slha holds no BLOCK and no DECAY"),
        (["SLHA:file = rpv.slha"], SLHA, "both given; keep one"),
        ("HardQCD:all = on", None, r"process\.generator\.settings"),
        (GLUINOS, 7, r"process\.generator\.slha"),
    ],
)
def test_what_cannot_be_read_is_told_before_any_work(folder, settings, slha, message, monkeypatch):
    (folder / "binary").write_bytes(b"\xff\xfe\x00")
    name = process(folder, slha=slha)
    path = folder / "process.yaml"
    content = yaml.safe_load(path.read_text())
    content["generator"]["settings"] = settings
    path.write_text(yaml.safe_dump(content))
    monkeypatch.setattr("e2egraph.simulation.simulate.Simulation", None)
    with pytest.raises(UsageError, match=message) as caught:
        simulate(name, 1, 1, folder / "x.root")
    assert str(caught.value).count("\n") == 0
    assert not (folder / "x.root").exists()


def test_a_missing_file_of_the_pile_up_process_is_told_too(folder):
    pile_up = folder / "soft.yaml"
    pile_up.write_text(yaml.safe_dump({"title": "soft", "generator": {"settings": ["SLHA:file = none.slha"]}}))
    with pytest.raises(UsageError, match=r"soft\.yaml: no file .*own/none\.slha"):
        simulate("dijet", 1, 1, folder / "x.root", settings=[f"process.pile_up.process={pile_up}"])
    assert not (folder / "x.root").exists()


def test_a_path_with_blanks_is_refused_for_settings_and_taken_for_slha(tmp_path):
    folder = tmp_path / "my own"
    folder.mkdir()
    (folder / "rpv.slha").write_text(SLHA)
    with pytest.raises(UsageError, match="Pythia takes no path with blanks"):
        read_settings(process(folder, ["SLHA:file = rpv.slha"]))
    assert read_settings(process(folder, slha="rpv.slha")).process.generator.slha == SLHA
