"""Whole simulated files: content, images, truth, reproducibility, and what a user can get wrong."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml

from e2egraph.config import configs_folder
from e2egraph.errors import InputError, UsageError
from e2egraph.events.sources.rhtree import RHTreeFile
from e2egraph.simulation.simulate import pile_up_process, read_settings, simulate
from tests.simulation.particle_gun import HARD_PROCESS_ALONE, read
from tests.simulation.top_events import ALONE, EVENTS, FEW, SEED, flat


def test_the_summary_says_what_was_written(summary, events):
    assert summary.events == len(events) == EVENTS
    assert summary.jets == ak.sum(ak.num(events.jetPt)) > EVENTS
    assert summary.events_per_second > 0
    assert [path.name for path in summary.path.parent.glob("*partial*")] == []


def test_the_tree_has_the_ntuples_names_and_types(summary):
    with uproot.open(summary.path) as file:
        tree = file["fevt/RHTree"]
        names = {"jetSeed_ieta", "jetPt", "track_d0Err", "hit_sub_det", "ecal_time", "gen_pdgId", "Vtx_z"}
        assert names <= set(tree.keys())
        assert (tree["eventId"].typename, tree["runId"].typename) == ("uint64_t", "uint32_t")
        assert tree["track_pt"].array().type.content.content.primitive == "float32"


def test_the_file_says_how_it_was_made(summary):
    with uproot.open(summary.path) as file:
        made_by = json.loads(file["fevt/configuration"])
    assert (made_by["name"], made_by["events"], made_by["seed"]) == ("ttbar", EVENTS, SEED)
    assert made_by["process"]["pile_up"]["pool_events"] == 40
    assert made_by["detector"]["solenoid"]["field"] == 3.8


def test_events_of_a_biased_process_carry_pythias_weights(folder, events):
    np.testing.assert_array_equal(events.genWeight, np.ones(EVENTS))
    bias = ["PhaseSpace:bias2Selection = on", "PhaseSpace:bias2SelectionPow = 4", "PhaseSpace:bias2SelectionRef = 50"]
    lines = ["HardQCD:gg2gg = on", *HARD_PROCESS_ALONE, "PhaseSpace:pTHatMin = 50", *bias]
    process = folder / "biased.yaml"
    process.write_text(yaml.safe_dump({"title": "biased", "generator": {"settings": lines}}))
    # Two batches, and parts of batches with images.
    path = simulate(str(process), 105, SEED, folder / "biased.root", settings=ALONE).path
    biased = read(path)
    outgoing = biased.gen_pt[biased.gen_status == 23]
    np.testing.assert_allclose(biased.genWeight, (50 / ak.to_numpy(outgoing[:, 0])) ** 4, rtol=1e-5)
    record = RHTreeFile(path).read(0, 105, ["id"])
    np.testing.assert_allclose(record.gen_weight, biased.genWeight)


def test_batches_without_any_jet_give_a_readable_file(folder):
    process = folder / "zee.yaml"
    lines = ["WeakSingleBoson:ffbar2gmZ = on", "PhaseSpace:mHatMin = 80", "23:onMode = off", "23:onIfAny = 11"]
    process.write_text(yaml.safe_dump({"title": "Z to electrons", "generator": {"settings": lines}}))
    summary = simulate(str(process), 5, SEED, folder / "zee.root", images=False, settings=ALONE)
    assert summary.jets == 0
    record = RHTreeFile(summary.path).read(0, 5, ["id", "jets", "tracks", "gen"])
    np.testing.assert_array_equal(ak.num(record.jets), np.zeros(5))
    electrons = record.gen[np.abs(record.gen.pdg_id) == 11]
    assert ak.all(ak.num(electrons) >= 2)
    assert ak.all(ak.num(record.tracks) > 0)


def test_events_are_numbered_from_one_and_carry_the_seed(events):
    np.testing.assert_array_equal(events.eventId, np.arange(1, EVENTS + 1))
    assert set(events.runId.tolist()) == {1}
    assert set(events.lumiId.tolist()) == {SEED}


def test_the_first_vertex_is_the_primary_one(events):
    np.testing.assert_array_equal(events.nVtx, ak.num(events.Vtx_z))
    assert ak.min(events.nVtx) >= 1
    # Most stiff tracks come from the hard collision, whose vertex d0 and dz refer to.
    stiff = events.track_pt > 5
    assert np.mean(np.abs(flat(events.track_dz[stiff])) < 0.2) > 0.8
    assert abs(np.median(flat(events.track_d0[stiff]))) < 0.002


def same(one, two):
    return all(ak.array_equal(one[name], two[name]) for name in one.fields)


def test_the_same_seed_gives_the_same_content(folder, events):
    again = read(simulate("ttbar", EVENTS, SEED, folder / "again.root", settings=FEW).path)
    assert again.fields == events.fields
    assert same(again, events)


def test_images_change_nothing_else_and_another_seed_changes_everything(folder, alone):
    pictured = read(simulate("ttbar", EVENTS, SEED, folder / "pictured.root", settings=ALONE).path)
    assert same(alone, pictured[alone.fields])
    other = read(simulate("ttbar", EVENTS, SEED + 1, folder / "other.root", images=False, settings=ALONE).path)
    assert not ak.array_equal(other.track_pt, alone.track_pt)
    assert not ak.array_equal(other.gen_pt, alone.gen_pt)


def test_with_another_pile_up_the_hard_collisions_of_a_seed_are_the_same(events, alone):
    names = [name for name in alone.fields if name.startswith("gen_")]
    assert same(alone[names], events[names])


def test_pile_up_and_field_follow_their_settings(folder, events, alone):
    assert np.mean(events.nVtx) > 4
    assert np.mean(alone.nVtx) == 1
    straight = simulate("ttbar", EVENTS, SEED, folder / "field.root", images=False,
                        settings=[*ALONE, "detector.solenoid.field=0"])  # fmt: skip
    straight = read(straight.path)

    def bend(array):
        """Median angle [rad] by which a linked track of 5-10 GeV turns on its way to the ECAL."""
        chosen = (array.track_genIndex >= 0) & (array.track_pt > 5) & (array.track_pt < 10)
        turn = array.track_phi[chosen] - array.gen_phi[array.track_genIndex[chosen]]
        return float(np.median(np.abs(np.mod(flat(turn) + np.pi, 2 * np.pi) - np.pi)))

    # sin(Δφ) = 0.003·B·r/(2·pT): 0.1 rad at 7 GeV.
    assert bend(alone) == pytest.approx(0.1, abs=0.02)
    assert bend(straight) < 0.01


def test_the_phase_1_detector_has_four_pixel_layers_at_its_own_radii(folder):
    path = folder / "phase1.root"
    newer = read(simulate("ttbar", 2, SEED, path, settings=ALONE, detector="detector-phase1").path)
    pixels = newer.hit_sub_det == 1
    # Positions are relative to the vertex, some mm off the axis.
    radius = np.hypot(newer.hit_global_x, newer.hit_global_y)
    for layer, expected in enumerate((2.9, 6.8, 10.9, 16.0), start=1):
        found = flat(radius[pixels & (newer.hit_layer == layer)])
        assert len(found) > 50
        assert np.mean(found) == pytest.approx(expected, abs=0.3)
        assert np.std(found) < 0.5
    assert newer["BPIX_layer4_ECAL_atPV"].to_numpy().sum() == ak.sum(pixels & (newer.hit_layer == 4))
    record = RHTreeFile(path).read(0, 2, ["hits"])
    assert 4 in {int(channel) for channel in np.unique(ak.to_numpy(ak.flatten(record.hits.channel)))}


def test_a_detector_can_be_written_as_changes_to_another(tmp_path):
    path = tmp_path / "strong.yaml"
    path.write_text("extends: detector-phase1\nsolenoid: {field: 4.0}\n")
    strong, newer = (read_settings("ttbar", detector=name).detector for name in (str(path), "detector-phase1"))
    assert strong.solenoid.field == 4.0
    assert replace(strong, solenoid=newer.solenoid) == newer


def test_detectors_that_extend_each_other_are_told(tmp_path):
    for name, other in (("one", "two"), ("two", "one")):
        (tmp_path / f"{name}.yaml").write_text(f"extends: {other}.yaml\n")
    with pytest.raises(UsageError, match=r"two\.yaml: extends one\.yaml, which extends this file"):
        read_settings("ttbar", detector=str(tmp_path / "one.yaml"))


def test_files_that_a_configuration_names_are_kept_with_what_they_say(tmp_path):
    (tmp_path / "rules.yaml").write_text((configs_folder() / "particleflow" / "detector.yaml").read_text())
    own = tmp_path / "own.yaml"
    own.write_text("extends: detector\ncandidates: {kind: rules, rules: rules.yaml}\n")
    soft = tmp_path / "soft.yaml"
    lines = ["HardQCD:gg2gg = on", "PhaseSpace:pTHatMin = 5", *HARD_PROCESS_ALONE]
    soft.write_text(yaml.safe_dump({"title": "soft", "generator": {"settings": lines}}))
    settings = [f"process.pile_up.process={soft}", "process.pile_up.pool_events=5", "process.pile_up.mean=1"]
    settings.append(f"process.generator.settings={['HardQCD:all = on', *HARD_PROCESS_ALONE]}")
    path = simulate("dijet", 1, 1, tmp_path / "x.root", images=False, settings=settings, detector=str(own)).path
    with uproot.open(path) as file:
        made_by = json.loads(file["fevt/configuration"])
    pile_up, rules = made_by["process"]["pile_up"]["process"], made_by["detector"]["candidates"]["rules"]
    assert pile_up["file"] == str(soft) and pile_up["generator"]["settings"] == lines
    assert rules["file"] == str(tmp_path / "rules.yaml") and rules["calibration"]["energy"]


def test_pile_up_is_generated_with_the_tune_of_the_process():
    tuned = read_settings("ttbar", ["process.generator.tune=5"])
    assert pile_up_process(tuned).generator.tune == 5
    assert pile_up_process(read_settings("ttbar")).generator.tune is None


def test_progress_ends_at_the_number_of_events(folder):
    seen = []
    simulate("ttbar", 3, 1, folder / "progress.root", images=False, settings=ALONE, progress=seen.append)
    assert seen[-1] == 3


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"events": 0}, UsageError, "--events 0"),
        ({"seed": -1}, UsageError, "--seed -1"),
        ({"seed": 900_000_000}, UsageError, "--seed 900000000: give a whole number from 0 to 899999999"),
        ({"process": "higgs"}, UsageError, "'higgs'"),
        ({"settings": ["process.generator.settings=['HardQCD:al = on']"]}, UsageError, "HardQCD:al = on"),
        ({"settings": ["process.pile_up.process=none"]}, UsageError, "'none'"),
    ],
)
def test_wrong_use_is_named_and_leaves_no_file(tmp_path, change, error, message):
    arguments = {"process": "ttbar", "events": 2, "seed": 1, "output": tmp_path / "x.root", **change}
    with pytest.raises(error, match=message) as caught:
        simulate(**arguments)
    assert str(caught.value).count("\n") == 0
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        simulate("ttbar", 2, 1, tmp_path / "none" / "x.root")


def test_an_interrupted_run_leaves_an_earlier_file_alone(tmp_path):
    output = tmp_path / "x.root"
    output.write_text("earlier")

    def stop(_done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate("ttbar", 2, 1, output, images=False, settings=ALONE, progress=stop)
    assert output.read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["x.root"]


# In a process of its own, whose files can grow to so many bytes.
FULL_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
from pathlib import Path
from e2egraph.errors import InputError
from e2egraph.simulation.writer import RHTreeWriter
try:
    RHTreeWriter(Path(sys.argv[1]), [], "made by a test " * 1000)
except InputError as error:
    print(error)
"""


@pytest.mark.parametrize("size", [0, 300, 16_000, 20_000])
def test_a_disk_that_fills_up_while_a_file_begins_is_told_and_leaves_nothing(tmp_path, size):
    pytest.importorskip("resource", reason="limits of POSIX")
    path = tmp_path / "x.root"
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path), str(size)], capture_output=True, text=True, check=False
    )
    assert run.stderr == ""
    assert re.fullmatch(rf"{path}: (cannot be written|writing failed) \(.*\); (choose|free) .*\.\n", run.stdout)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["pythia8mc", "fastjet"])
def test_a_missing_extra_says_how_to_install_it(tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=r"pip install 'e2egraph\[sim\]'"):
        simulate("ttbar", 2, 1, tmp_path / "x.root", settings=ALONE)
