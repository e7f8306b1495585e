"""Made-up events: places on pixel edges, ties, empty jets, too many nodes; Python is the oracle, node by node."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import onnxruntime
import pytest

from e2egraph.data.padding import pad
from e2egraph.detector.geometry import HCAL_COLUMNS, HCAL_ROWS, signed_tower_ieta
from e2egraph.inference.session import Bundle
from e2egraph.simulation.jets import seed_towers
from e2egraph.tasks.nodeselection import NodeSelection
from tests.export.bundles import CLASS_AND_MASS
from tests.exports.conftest import bundle_for, made_up_task, variant
from tests.exports.cpp_build import build_program
from tests.exports.cpp_events import awkward_event, with_values, write_events
from tests.exports.cpp_files import assert_same_nodes, infer
from tests.exports.cpp_oracle import compare, python_jets
from tests.made_once import made_once

# Towers in the middle, at the φ seam and near the edges in η.
SEEDS = np.array([[28, 36], [27, 0], [30, 71], [2, 1], [53, 70]])


@pytest.mark.parametrize(
    ("settings", "selection"),
    [
        ((), NodeSelection()),
        (("inputs.cap=30",), NodeSelection()),
        (("inputs.suppress_displaced=false", "inputs.channels=[TRACK, TIB1, HCAL]"), NodeSelection(radius=0.5)),
        (
            ("inputs.half_window=32", "inputs.thresholds={ECAL: 0.5, TRACK: -2}"),
            NodeSelection(thresholds={"HCAL": 2.0}),
        ),
        (("inputs.radius=0.8",), NodeSelection(channels=["ECAL", "BPIX1"], half_window=12, cap=25)),
        (("inputs.caps={TRACK: 9, ECAL: 30}", "inputs.cap=60"), NodeSelection(caps={"BPIX2": 3, "ECAL": 20}, cap=40)),
    ],
)
def test_awkward_events_make_the_same_nodes(settings, selection, runner, jet_linear, tmp_path):
    bundle = variant(jet_linear, tmp_path / "bundle", *settings, selection=selection)
    rng = np.random.default_rng(17)
    clouds = compare(runner, bundle, [awkward_event(rng, size, SEEDS) for size in (400, 7, 1500)], tmp_path)
    assert clouds.offsets[-1] > 60


def test_jets_without_nodes_and_events_without_jets_are_scored_or_passed(runner, jet_linear, tmp_path):
    event = awkward_event(np.random.default_rng(3), 8, SEEDS)
    nothing = {name: {key: column[:0] for key, column in event[name].items()} for name in event}
    clouds = compare(runner, jet_linear, [{**nothing, "jets": event["jets"]}, nothing, event], tmp_path)
    assert (clouds.counts[: len(SEEDS)] == 0).all()


def test_more_nodes_than_the_cap_are_cut_and_counted(runner, jet_linear, tmp_path):
    events = [awkward_event(np.random.default_rng(4), 3000, SEEDS)]
    clouds = compare(runner, jet_linear, events, tmp_path)
    assert clouds.counts.tolist() == [50] * len(SEEDS)
    found = infer(runner, jet_linear, tmp_path / "events.e2e", tmp_path)
    assert [int(row["nodes_cut"]) for row in found.rows.values()] == clouds.jets["nodes_cut"].tolist()


def test_jets_without_nodes_have_score_minus_one_and_are_counted(runner, tmp_path):
    """No hits of BPIX1 in the first event; the second has one of them. Python is the oracle for the others."""
    bundle = bundle_for(made_up_task(CLASS_AND_MASS, channels=["BPIX1"]), tmp_path / "bundle")
    full = awkward_event(np.random.default_rng(3), 200, SEEDS)
    bare = with_values(full, "hits", channel=np.int32(5))
    events = write_events(tmp_path / "events.e2e", [bare, full])
    found = infer(runner, bundle, events, tmp_path, "--batch", "3")
    without = [int(row["n_nodes"]) == 0 for row in found.rows.values()]
    assert without[: len(SEEDS)] == [True] * len(SEEDS)
    assert without.count(False) > 1
    for row, empty in zip(found.rows.values(), without, strict=True):
        assert row["cut"] == "none"
        assert (row["score_qcd"], row["score_top"]) == ("-1", "-1") if empty else float(row["score_top"]) >= 0
        assert [np.isnan(float(row[name])) for name in ("logit_top", "predicted_gen_mass")] == [empty] * 2
    assert f"{without.count(False)} jets scored, 0 outside the bundle's jet selection" in found.errors
    assert f", {without.count(True)} without nodes (score -1, prediction nan)\n" in found.errors
    compare(runner, bundle, [bare, full], tmp_path)
    words = [runner, bundle, events, "--format", "json"]
    entries = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)["jets"]
    for entry, empty in zip(entries, without, strict=True):
        if empty:
            assert (entry["probabilities"], entry["logits"], entry["predictions"]) == ([-1, -1], [None, None], [None])


def test_batches_and_threads_change_no_score(runner, jet_linear, tmp_path):
    rng = np.random.default_rng(8)
    events = write_events(tmp_path / "events.e2e", [awkward_event(rng, size, SEEDS) for size in range(4, 44)])
    reference = infer(runner, jet_linear, events, tmp_path)
    for options in (("--batch", "1"), ("--batch", "9", "--threads", "4"), ("--batch", "1000", "--repeat", "3")):
        found = infer(runner, jet_linear, events, tmp_path, *options)
        assert list(found.rows) == list(reference.rows)
        for jet in found.rows:
            np.testing.assert_allclose(found.scores(jet), reference.scores(jet), atol=1e-6)
            assert_same_nodes(found.nodes[jet], reference.nodes[jet], jet)


def test_seeds_are_found_as_the_simulation_finds_them(runner, jet_linear, tmp_path):
    """Also at the φ seam and beyond the towers in η, with ties, and where there is no energy."""
    rng = np.random.default_rng(6)
    events = []
    for size in (0, 30, 400, 3000):
        event = awkward_event(rng, size + 4, np.full((40, 2), -1))
        event["hcal"] = {name: column[:size] for name, column in event["hcal"].items()}
        eta, phi = rng.uniform(-2.6, 2.6, 40), rng.uniform(-np.pi, np.pi, 40)
        events.append(with_values(event, "jets", eta=eta, phi=phi))
    found = infer(runner, jet_linear, write_events(tmp_path / "events.e2e", events), tmp_path)
    images = np.zeros((len(events), HCAL_ROWS, HCAL_COLUMNS))
    for image, event in zip(images, events, strict=True):
        np.add.at(image, (event["hcal"]["ieta"], event["hcal"]["iphi"]), event["hcal"]["energy"].astype(np.float64))
    owner = np.repeat(np.arange(len(events)), 40)
    eta, phi = (np.concatenate([event["jets"][name] for event in events]) for name in ("eta", "phi"))
    rows, columns = seed_towers(owner, eta, phi, images.astype(np.float32))
    assert [int(row["seed_ieta"]) for row in found.rows.values()] == rows.tolist()
    assert [int(row["seed_iphi"]) for row in found.rows.values()] == columns.tolist()


def test_jets_outside_the_selection_are_listed_with_the_cut_they_fail(runner, jet_linear, tmp_path):
    settings = ("object.pt_min=400", "object.pt_max=900", "object.abs_eta_max=1.37")
    bundle = variant(jet_linear, tmp_path / "bundle", *settings, "object.edge_towers=12")
    event = awkward_event(
        np.random.default_rng(1), 50, np.array([[28, 5], [28, 5], [28, 5], [28, 5], [11, 5], [12, 5]])
    )
    pt = np.array([400.0, 900.0, 500.0, np.nextafter(np.float32(400), np.float32(401)), 500.0, 500.0])
    event = with_values(event, "jets", pt=pt, eta=np.array([0, 0, -1.37, 1.3699, 0, 0]))
    found = infer(runner, bundle, write_events(tmp_path / "events.e2e", [event]), tmp_path)
    assert [row["cut"] for row in found.rows.values()] == ["pt", "pt", "eta", "none", "seed_edge", "none"]
    assert [bool(row["score_top"]) for row in found.rows.values()] == [False, False, False, True, False, True]
    assert "2 jets scored, 4 outside the bundle's jet selection" in found.errors


def test_a_variant_of_the_network_is_run_if_asked_for(runner, jet_linear, tmp_path):
    """Here the network with its logits negated, so that it shows which file was run."""
    bundle = Path(shutil.copytree(jet_linear, tmp_path / "bundle"))
    model = onnx.load(bundle / "model.onnx")
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size >= 2:
            tensor.CopyFrom(onnx.numpy_helper.from_array(-values, tensor.name))
    onnx.save(model, bundle / "model-fp16.onnx")
    digest = hashlib.sha256((bundle / "model-fp16.onnx").read_bytes()).hexdigest()
    content = json.loads((bundle / "metadata.json").read_text())
    content["variants"] = {"fp16": {"file": "model-fp16.onnx", "sha256": digest}}
    (bundle / "metadata.json").write_text(json.dumps(content))
    events = write_events(tmp_path / "events.e2e", [awkward_event(np.random.default_rng(9), 60, SEEDS)])
    usual, other = (infer(runner, bundle, events, tmp_path, *words) for words in ((), ("--variant", "fp16")))
    for jet in usual.rows:
        np.testing.assert_allclose(other.scores(jet, "logit"), -usual.scores(jet, "logit"), rtol=1e-4, atol=1e-4)
    for name, words in (("int8", "holds no int8 variant"), ("fp16", "damaged or altered")):
        (bundle / "model-fp16.onnx").write_bytes((bundle / "model.onnx").read_bytes())
        result = subprocess.run([runner, bundle, events, "--variant", name], capture_output=True, text=True)
        assert (result.returncode, words in result.stderr) == (1, True)


def test_json_says_the_same_as_csv_and_times_each_step(runner, jet_linear, tmp_path):
    events = write_events(tmp_path / "events.e2e", [awkward_event(np.random.default_rng(9), 60, SEEDS)])
    found = infer(runner, jet_linear, events, tmp_path)
    words = [runner, jet_linear, events, "--format", "json", "--repeat", "4"]
    document = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    assert document["classes"] == ["qcd", "top"]
    for entry, (identity, row) in zip(document["jets"], found.rows.items(), strict=True):
        assert (entry["run"], entry["lumi"], entry["event"], entry["jet"]) == identity
        assert entry["n_nodes"] == int(row["n_nodes"])
        np.testing.assert_allclose(entry["logits"], found.scores(identity, "logit"), rtol=1e-6)
    for step in ("nodes", "tensors", "onnx_runtime"):
        times = document["timing"][step]
        assert times["jets"] == 4 * len(SEEDS)
        assert 0 < times["p50"] <= times["p90"] <= times["p99"]


def test_scaling_in_preprocess_json_is_applied_as_cmssw_does(runner, jet_linear, tmp_path):
    """deep_helpers.cc: infinite replaced, minus median, times factor, clamped; padding raw; here worked out anew."""
    rng = np.random.default_rng(2)
    event = with_values(awkward_event(rng, 40, SEEDS), "tracks", d0_sig=np.where(np.arange(40) % 5, 2e33, 1.5))
    bundle = Path(shutil.copytree(jet_linear, tmp_path / "bundle"))
    content = json.loads((bundle / "preprocess.json").read_text())
    change = {"median": 0.5, "norm_factor": 2.0, "replace_inf_value": -7.0, "lower_bound": -9.0, "upper_bound": 3.0}
    for variable in ("d0_sig", "value"):
        content["features"]["var_infos"][variable] |= change | {"pad": 4.0}
    del content["points"]["var_infos"]["deta"]["pad"]
    content["features"]["min_length"] = content["points"]["min_length"] = content["mask"]["min_length"] = 45
    (bundle / "preprocess.json").write_text(json.dumps(content))
    found = infer(runner, bundle, write_events(tmp_path / "events.e2e", [event]), tmp_path)

    opened = Bundle.open(jet_linear, 1)
    clouds = python_jets(opened, [event])
    jets = pad(clouds, opened.inputs, n_nodes=max(45, int(clouds.counts.max())))
    feeds = opened.feeds(jets)
    for variable in ("d0_sig", "value"):
        column = feeds["features"][:, opened.inputs.index(variable)]
        scaled = np.clip((np.where(np.abs(column) > 1e32, np.float32(-7), column) - np.float32(0.5)) * 2, -9, 3)
        column[:] = np.where(jets.mask, scaled, 4.0)
    session = onnxruntime.InferenceSession(str(jet_linear / "model.onnx"), providers=["CPUExecutionProvider"])
    expected = session.run(["logits"], feeds)[0]
    here = np.stack([found.scores(jet, "logit") for jet in found.rows])
    np.testing.assert_allclose(here, expected, rtol=1e-4, atol=1e-4)


def test_cms_indices_are_those_of_the_images(tmp_path_factory):
    source = Path(__file__).with_name("cms_indices.cc")
    program = made_once(tmp_path_factory, "cms_indices", lambda output: build_program(source, output, None))
    lines = subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines()
    found = {kind: [tuple(map(int, pair.split())) for pair in pairs] for kind, *pairs in (x.split(",") for x in lines)}
    # Rows rise without a gap over CMS's indices, which have no 0.
    assert found["tower_row"] == [(int(signed_tower_ieta(row)), row) for row in range(HCAL_ROWS)]
    assert [row for _, row in found["crystal_row"]] == list(range(55, 225))
    # HBHE iphi 1 starts at 0°, crystal column 0 at −10°; towers cover five columns each.
    assert all(column * 5 == (5 * (iphi - 1) + 10) % 360 for iphi, column in found["tower_column"])
    assert [column for _, column in found["crystal_column"]] == list(range(360))
    # Subdetector·10 + layer → channel number; −1 where there is none.
    channels = dict(found["hit_channel"])
    assert [channels[code] for code in (11, 12, 13, 14, 31, 32, 51, 52)] == list(range(1, 9))
    assert {channels[code] for code in (10, 15, 21, 30, 33, 41, 53, 61)} == {-1}
