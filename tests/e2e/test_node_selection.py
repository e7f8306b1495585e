"""A node selection made when training travels with the run and the bundle, and equals one made when building."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from e2egraph.cli import main
from e2egraph.config import as_dict
from e2egraph.data.options import DataOptions
from e2egraph.data.table import read_table
from e2egraph.evaluation.predictions import predict
from e2egraph.inference.session import Bundle
from e2egraph.tasks.nodeselection import NodeSelection
from e2egraph.training.runs.load import load_run
from tests.graphs.builds import SETTINGS, ntuple
from tests.training.tiny_model import write_tiny_model

pytestmark = pytest.mark.journey

# As a recipe asks for it, and as a task that keeps all its channels does: a hit has value 1, no tower has 10 TeV.
PLACE = ("half_window=31", "radius=0.5", "caps.TRACK=15", "cap=60")
SELECTION = ("channels=[TRACK,ECAL]", "thresholds.ECAL=0.5", *PLACE)
IN_TASK = ("thresholds={ECAL: 0.5, BPIX1: 1, BPIX2: 1, BPIX3: 1, HCAL: 10000}", *PLACE)


def setting_words(group, settings):
    return [word for setting in settings for word in ("--set", f"{group}.{setting}")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Data sets ``wide`` and ``narrow`` (built with the selection), and a run trained on each, ``wide`` with it."""
    folder = tmp_path_factory.mktemp("selection")
    samples = []
    for name, seed in (("qcd", 1), ("top", 2)):
        samples += ["--sample", f"{name}={ntuple(folder / f'{name}.root', seed, events=50)}"]
    build = ["build-graphs", "--task", "top", *samples]
    for setting in (*SETTINGS, "resampling=null", "split.validation=0.3", "split.test=0.3"):
        build += ["--set", setting]
    assert main([*build, "--output", str(folder / "wide")]) == 0
    assert main([*build, *setting_words("inputs", IN_TASK), "--output", str(folder / "narrow")]) == 0
    model = write_tiny_model(folder)
    train = ["train", "--model", model, "--set", "training.epochs=2", "--set", "training.batch_size=8"]
    for name, chosen in (("wide", setting_words("data.nodes", SELECTION)), ("narrow", [])):
        words = ["--data", str(folder / name), "--output", str(folder / "runs" / name)]
        assert main([*train, *words, *chosen]) == 0
        assert main(["evaluate", str(folder / "runs" / name), "--split", "test", "--no-report"]) == 0
    assert main(["export", str(folder / "runs" / "wide"), "--output", str(folder / "bundle")]) == 0
    return folder


def scores(run, folder, model, data):
    output = folder / "scores.parquet"
    code, _, error = run("predict", folder / model, "--data", folder / data, "--split", "test", "--output", output)
    assert code == 0, error
    return pq.read_table(output)["score_top"].to_numpy()


def test_a_data_set_built_with_the_selection_counts_what_it_left_out(run, folder):
    code, out, _ = run("inspect", folder / "narrow")
    assert code == 0
    assert "nodes: TRACK, BPIX1, BPIX2, BPIX3, ECAL, HCAL; ECAL > 0.5 GeV; " in out
    assert "; within ±31 crystals; ΔR ≤ 0.5; at most 15 of TRACK; at most 60 per object" in out
    for name, outcomes in json.loads((folder / "narrow" / "manifest.json").read_text())["nodes"].items():
        assert min(outcomes["below_threshold"], outcomes["outside_selection"], outcomes["over_cap"]) > 0
        assert f"outside selection {outcomes['outside_selection']}" in out, name
        assert outcomes.pop("in_windows") == sum(outcomes.values())
    for outcomes in json.loads((folder / "wide" / "manifest.json").read_text())["nodes"].values():
        assert "outside_selection" not in outcomes


def test_training_with_the_selection_gives_the_weights_of_training_on_a_data_set_built_with_it(folder):
    (wide, about), (narrow, _) = (load_run(folder / "runs" / name) for name in ("wide", "narrow"))
    for name, value in wide.state_dict().items():
        assert torch.equal(value, narrow.state_dict()[name]), name
    assert about.cap == about.recipe.data.nodes.cap == 60
    recorded = yaml.safe_load((folder / "runs" / "wide" / "config.yaml").read_text())["data"]["nodes"]
    assert recorded["channels"] == ["TRACK", "ECAL"]
    metrics = json.loads((folder / "runs" / "wide" / "metrics.json").read_text())
    assert metrics["node_selection"] == recorded == as_dict(about.recipe.data.nodes)


def test_run_and_bundle_give_the_same_scores_on_either_data_set(run, folder):
    evaluated = pq.read_table(folder / "runs" / "wide" / "scores.parquet")["score_top"].to_numpy()
    assert len(evaluated) > 10 and evaluated.std() > 0
    np.testing.assert_array_equal(scores(run, folder, "runs/wide", "wide"), evaluated)
    np.testing.assert_array_equal(scores(run, folder, "runs/wide", "narrow"), evaluated)
    for data in ("wide", "narrow"):
        np.testing.assert_allclose(scores(run, folder, "bundle", data), evaluated, atol=1e-6)
    # A run trained on the narrow data set reads of the wide one what its task makes nodes of.
    np.testing.assert_array_equal(scores(run, folder, "runs/narrow", "wide"), evaluated)
    # The selection matters: the network that is given all nodes sees something else.
    network, info = load_run(folder / "runs" / "narrow")
    _, everything, _ = predict(network, info.objective, read_table(folder / "wide"), DataOptions(), "test")
    assert np.abs(everything[:, 1] - evaluated).max() > 1e-4


def test_the_bundle_says_which_nodes_it_reads(folder):
    written = json.loads((folder / "bundle" / "metadata.json").read_text())["info"]["node_selection"]
    assert written == {
        "channels": ["TRACK", "ECAL"],
        "thresholds": {"ECAL": 0.5},
        "half_window": 31,
        "radius": 0.5,
        "caps": {"TRACK": 15},
        "cap": 60,
    }
    bundle = Bundle.open(folder / "bundle")
    assert bundle.metadata.info.node_selection == NodeSelection(**written)
    assert bundle.cap == bundle.metadata.info.cap == 60


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("inputs.channels=[TRACK]", "has no nodes of channel ECAL"),
        ("inputs.half_window=10", "asks for half_window 31, but the data set was built with 10"),
    ],
)
def test_a_data_set_without_the_nodes_of_a_run_or_bundle_is_refused(run, folder, tmp_path, setting, message):
    samples = [word for name in ("qcd", "top") for word in ("--sample", f"{name}={folder / name}.root")]
    settings = [word for each in (*SETTINGS, setting) for word in ("--set", each)]
    assert run("build-graphs", "--task", "top", *samples, *settings, "--output", tmp_path / "other")[0] == 0
    for model in ("runs/wide", "bundle"):
        words = ("--data", tmp_path / "other", "--output", tmp_path / "scores.parquet")
        code, _, error = run("predict", folder / model, *words)
        assert code == 1
        assert message in error
        assert not (tmp_path / "scores.parquet").exists()


@pytest.mark.parametrize(
    ("setting", "code", "message"),
    [
        ("data.nodes.channels=[ECAL,EE]", 1, "asks for channels EE, but the data set was built with TRACK, BPIX1"),
        ("data.nodes.half_window=63", 1, "asks for half_window 63, but the data set was built with 62"),
        ("data.nodes.width=3", 2, "unknown key 'data.nodes.width'"),
        ("data.nodes.channels=[TIB1]", 1, "asks for channels TIB1"),
    ],
)
def test_a_wrong_selection_stops_the_training_before_it_begins(run, folder, tmp_path, setting, code, message):
    words = ("--data", folder / "wide", "--output", tmp_path / "run", "--set", setting)
    found, _, error = run("train", "--model", folder / "tiny.yaml", *words)
    assert found == code
    assert message in error
    assert not (tmp_path / "run").exists()
