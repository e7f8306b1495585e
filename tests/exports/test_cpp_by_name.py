"""What a bundle names is what C++ reads and gives: inputs, regions and heads of any task, and rows of one's own."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from e2egraph.detector.channels import Channel, channels
from e2egraph.tasks.inputs import resolve
from e2egraph.tasks.objects.jet import KIND
from e2egraph.tasks.outputs import Outputs
from e2egraph.tasks.region import JET_REGION
from tests.export.bundles import CLASS_AND_MASS, MASS_AND_PT, export
from tests.exports.conftest import about, bundle_for, jet_linear_network, made_up_task
from tests.exports.cpp_events import Collections, awkward_event, with_values, write_events
from tests.exports.cpp_files import infer
from tests.exports.cpp_oracle import compare

SEEDS = np.array([[28, 36], [27, 0], [30, 71], [2, 1]])


def made_up_events(seed: int) -> list[Collections]:
    rng = np.random.default_rng(seed)
    return [awkward_event(rng, size, SEEDS) for size in (300, 9, 1500)]


@pytest.mark.parametrize(
    "inputs",
    [
        {"variables": ["time", "value", "charge"]},
        {"variables": ["d0_sig", "rho"], "channels": ["HCAL", "TRACK"], "caps": {"TRACK": 4}},
        {"variables": ["dz_sig", "dz", "d0_sig", "value"], "suppress_displaced": False},
        {"variables": ["energy_z", "value", "energy_t"], "channels": ["ECAL", "TRACK", "HCAL"]},
        {"variables": [], "channels": ["ECAL"], "thresholds": {"ECAL": 0.3}},
    ],
    ids=["no rho", "neither value nor d0", "not suppressed", "energies", "flags alone"],
)
def test_variables_and_channels_are_those_of_the_bundle_in_its_order(
    inputs: dict[str, Any], runner: Path, tmp_path: Path
) -> None:
    bundle = bundle_for(made_up_task(**inputs), tmp_path / "bundle")
    clouds = compare(runner, bundle, made_up_events(1), tmp_path)
    assert clouds.offsets[-1] > 60


def test_a_network_that_reads_less_than_its_task_stores_gets_the_nodes_of_the_task(
    runner: Path, tmp_path: Path
) -> None:
    """d0 is no input, but stored: its significance is suppressed with it."""
    whole = made_up_task()
    inputs = resolve(["d0_sig", "value"], whole.inputs.channels, [], JET_REGION, KIND.quantities)
    bundle = bundle_for(whole, tmp_path / "bundle", inputs)
    compare(runner, bundle, made_up_events(2), tmp_path)


@pytest.mark.parametrize("half_window", [0, 84])
def test_the_region_is_that_of_the_bundle(half_window: int, runner: Path, tmp_path: Path) -> None:
    bundle = bundle_for(made_up_task(half_window=half_window, cap=4000), tmp_path / "bundle")
    clouds = compare(runner, bundle, made_up_events(3), tmp_path)
    reach = np.abs(clouds.nodes["deta"]).max() / JET_REGION.eta_pitch
    assert half_window - 1 < reach <= half_window + 0.5


def test_caps_of_channels_cut_the_first_of_each_and_are_counted(runner: Path, tmp_path: Path) -> None:
    bundle = bundle_for(made_up_task(caps={"TRACK": 5, "ECAL": 7, "BPIX1": 1}, cap=4000), tmp_path / "bundle")
    clouds = compare(runner, bundle, made_up_events(4), tmp_path)
    channel = clouds.nodes["channel"]
    for name, cap in (("TRACK", 5), ("ECAL", 7), ("BPIX1", 1)):
        assert np.bincount(clouds.jet_of_node[channel == channels()[name]]).max() == cap
    assert clouds.jets["nodes_cut"].max() > 100


@pytest.mark.parametrize("quantities", [["jet_mass", "tau32"], ["softdrop_mass", "tau21", "jet_eta"]])
def test_quantities_of_the_jet_are_those_of_the_bundle(quantities: list[str], runner: Path, tmp_path: Path) -> None:
    of_jets = made_up_task(object=quantities)
    bundle = tmp_path / "bundle"
    inputs = of_jets.network_inputs
    export(jet_linear_network(inputs), bundle, about("jet-linear", of_jets), inputs=inputs)
    compare(runner, bundle, made_up_events(5), tmp_path)


def test_heads_are_told_apart_by_what_they_are_and_not_by_the_names_of_their_tensors(
    runner: Path, tmp_path: Path
) -> None:
    task = made_up_task(CLASS_AND_MASS)
    names = {"softmax": "prediction", "none": "masses"}
    heads = tuple(replace(head, tensor=names[head.activation]) for head in task.objective.outputs.heads)
    bundle = bundle_for(task, tmp_path / "bundle", outputs=Outputs(heads=heads))
    compare(runner, bundle, made_up_events(7), tmp_path)


@pytest.mark.parametrize(
    ("objective", "columns"),
    [
        (MASS_AND_PT, ["predicted_gen_mass", "predicted_gen_pt"]),
        (CLASS_AND_MASS, ["score_qcd", "score_top", "logit_qcd", "logit_top", "predicted_gen_mass"]),
        (
            {"kind": "joint", "heads": CLASS_AND_MASS["heads"][::-1]},
            ["predicted_gen_mass", "score_qcd", "score_top", "logit_qcd", "logit_top"],
        ),
    ],
    ids=["regression", "classes and mass", "mass and classes"],
)
def test_every_head_is_given_in_its_units(
    objective: dict[str, Any], columns: list[str], runner: Path, tmp_path: Path
) -> None:
    bundle = bundle_for(made_up_task(objective), tmp_path / "bundle")
    compare(runner, bundle, made_up_events(6), tmp_path)
    found = infer(runner, bundle, tmp_path / "events.e2e", tmp_path)
    rows = list(found.rows.values())
    assert [name for name in rows[0] if name.split("_")[0] in ("score", "logit", "predicted")] == columns
    mass = np.array([float(row["predicted_gen_mass"]) for row in rows])
    # Raw numbers of the network are of order one; the scale of 50 GeV and the offset of 100 are in the graph.
    assert 20 < mass.mean() < 200
    assert np.ptp(mass) > 1

    words = [runner, bundle, tmp_path / "events.e2e", "--format", "json"]
    document = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    assert document["quantities"][0] == "gen_mass"
    assert document["units"][0] == "GeV"
    assert ("classes" in document) == ("logit_top" in columns)
    for entry, row in zip(document["jets"], rows, strict=True):
        assert entry["predictions"][0] == pytest.approx(float(row["predicted_gen_mass"]), rel=1e-6)
        assert ("probabilities" in entry) == ("score_top" in columns)


def test_a_jet_that_the_selection_refuses_has_no_prediction(runner: Path, tmp_path: Path) -> None:
    bundle = bundle_for(made_up_task(MASS_AND_PT), tmp_path / "bundle")
    event = awkward_event(np.random.default_rng(7), 40, SEEDS)
    event = with_values(event, "jets", pt=np.array([1.0, -1.0, 1.0, 1.0]))
    found = infer(runner, bundle, write_events(tmp_path / "events.e2e", [event]), tmp_path)
    assert [row["cut"] for row in found.rows.values()] == ["none", "pt", "none", "none"]
    assert [row["predicted_gen_pt"] == "" for row in found.rows.values()] == [False, True, False, False]


def test_a_channel_from_outside_needs_nothing_in_cpp(own_rows: None, runner: Path, tmp_path: Path) -> None:
    bundle = bundle_for(made_up_task(channels=["FPIX1", "TRACK", "HCAL"], cap=4000), tmp_path / "bundle")
    clouds = compare(runner, bundle, made_up_events(8), tmp_path)
    assert (clouds.nodes["channel"] == 20).sum() > 20


def test_a_channel_from_outside_is_ignored_by_bundles_without_it(
    own_rows: None, runner: Path, jet_linear: Path, tmp_path: Path
) -> None:
    events = made_up_events(9)
    assert any((event["hits"]["channel"] == 20).any() for event in events)
    compare(runner, jet_linear, events, tmp_path)


def test_variables_from_outside_are_registered_in_a_source_file(
    own_rows: None, own_runner: Path, runner: Path, tmp_path: Path
) -> None:
    names = ["TRACK", "BPIX1", "FPIX1", "ECAL", "HCAL"]
    own = made_up_task(variables=["value", "depth", "d0", "raw"], channels=names, cap=4000)
    bundle = bundle_for(own, tmp_path / "bundle")
    events = made_up_events(10)
    clouds = compare(own_runner, bundle, events, tmp_path, "--batch", "3", "--threads", "2")
    assert len(np.unique(clouds.nodes["depth"])) > 20
    # Measured values are handed over, whatever suppression makes of the node.
    far = np.abs(clouds.nodes["raw"][clouds.nodes["channel"] == Channel.TRACK]) > 1e5
    assert far.any()
    assert not clouds.nodes["d0"][clouds.nodes["channel"] == Channel.TRACK][far].any()

    without = subprocess.run([runner, bundle, tmp_path / "events.e2e"], capture_output=True, text=True)
    assert without.returncode == 1
    assert "unknown variable 'depth'" in without.stderr
    assert 'e2egraph::register_variable("depth", function)' in without.stderr


def test_a_variable_from_outside_that_is_not_finite_is_named(own_rows: None, own_runner: Path, tmp_path: Path) -> None:
    bundle = bundle_for(made_up_task(variables=["broken"], thresholds={"HCAL": -9.0}, cap=4000), tmp_path / "bundle")
    events = write_events(tmp_path / "events.e2e", made_up_events(12))
    result = subprocess.run([own_runner, bundle, events], capture_output=True, text=True)
    assert result.returncode == 1
    assert "variable broken of a node is NaN or infinite" in result.stderr


def test_variables_that_a_bundle_does_not_name_change_nothing(
    own_runner: Path, runner: Path, jet_linear: Path, tmp_path: Path
) -> None:
    events = write_events(tmp_path / "events.e2e", made_up_events(11))
    words = ["--output", "scores.csv", "--dump-nodes", "nodes"]
    for program, name in ((own_runner, "own"), (runner, "plain")):
        (tmp_path / name).mkdir()
        subprocess.run([program, jet_linear, events, *words], cwd=tmp_path / name, check=True, capture_output=True)
    for name in ("scores.csv", "nodes"):
        assert (tmp_path / "own" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()
