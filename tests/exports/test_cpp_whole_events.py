"""Whole events: C++ makes the nodes that Python makes of all that the detector saw, and gives the same scores."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
import torch

from e2egraph.events.samples import Sample
from e2egraph.graphs.building.build import build
from e2egraph.graphs.making.dump import dump_events
from e2egraph.graphs.making.nodes import make_nodes
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.inference.session import Bundle
from e2egraph.models.registry import build_model, load_model_config
from e2egraph.tasks.objects.event import from_columns
from e2egraph.tasks.task import make_task
from tests import rhtree_files
from tests.export.bundles import export
from tests.exports.conftest import about
from tests.exports.cpp_events import awkward_event, record, with_values, write_events
from tests.exports.cpp_files import assert_same_nodes, infer
from tests.exports.cpp_oracle import assert_same_outputs

CONTENT = {
    "name": "made-up",
    "description": "made-up events",
    "object": {"kind": "event"},
    "region": {"centre": "none", "abs_eta_max": 1.5},
    "inputs": {
        "channels": ["TRACK", "BPIX1", "TIB2", "ECAL", "HCAL"],
        "object": [],
        "thresholds": {"ECAL": 0.3},
        "caps": {"TRACK": 200, "ECAL": 300},
        "cap": 900,
    },
    "truth": {"source": "sample_name"},
    "objective": {"kind": "classification", "classes": ["qcd", "rpv"], "signal": "rpv"},
}
NONE = np.empty((0, 2), np.int64)


def exported(task, folder):
    """A small network of windows around φ, whose scores change with every node."""
    torch.manual_seed(5)
    config = load_model_config("window", ["options.width=8", "options.heads=2", "options.depth=1", "options.window=16"])
    inputs, outputs = task.network_inputs, task.objective.outputs
    export(build_model(config, inputs, outputs).eval(), folder, about("window", task), inputs=inputs, outputs=outputs)
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return exported(make_task(CONTENT, "made-up"), tmp_path_factory.mktemp("bundle") / "events")


def test_events_full_of_ties_and_edges_have_the_same_nodes(runner, bundle, tmp_path):
    rng = np.random.default_rng(3)
    events = [awkward_event(rng, size, NONE) for size in (500, 40, 7)]
    # On either side of where the region ends, as close as float32 tells.
    limit = np.float32(1.5)
    edges = [limit, np.nextafter(limit, np.float32(0)), -limit, np.nextafter(-limit, np.float32(0))]
    events[0] = with_values(events[0], "tracks", eta=np.concatenate([edges, events[0]["tracks"]["eta"][4:]]))
    opened = Bundle.open(bundle, 1)
    task = make_task(opened.metadata.info.configuration, "bundle")
    given = record(events)
    objects = from_columns({"event": np.arange(3)})
    clouds = opened.select(make_nodes(given, objects, task)[0])
    found = infer(runner, bundle, write_events(tmp_path / "events.e2e", events), tmp_path)
    assert list(found.rows) == [(1, 2, number, 0) for number in range(3)]
    assert all(row["cut"] == "none" for row in found.rows.values())
    for i, identity in enumerate(found.rows):
        nodes = {name: column[clouds.offsets[i] : clouds.offsets[i + 1]] for name, column in clouds.nodes.items()}
        assert_same_nodes(found.nodes[identity], nodes, identity)
    assert len(np.unique(found.nodes[1, 2, 0, 0]["channel"])) == 5 and int(clouds.jets["nodes_cut"][0]) > 0
    assert_same_outputs(found, opened, clouds)


def test_events_of_a_data_set_are_scored_alike(runner, tmp_path):
    task = make_task(CONTENT | {"inputs": CONTENT["inputs"] | {"channels": ["TRACK", "ECAL", "HCAL"]}}, "made-up")
    paths = {
        name: rhtree_files.write(tmp_path / f"{name}.root", rhtree_files.random_deposits(12, seed=seed))
        for seed, name in enumerate(("qcd", "rpv"))
    }
    samples = [Sample(name, name, (path,)) for name, path in paths.items()]
    built = build(task, samples, tmp_path / "data")
    folder = exported(task, tmp_path / "bundle")
    opened = Bundle.open(folder, 1)
    summary = dump_events(task, samples, tmp_path / "events.e2e")
    assert summary.jets == {"qcd": 12, "rpv": 12}
    found = infer(runner, folder, tmp_path / "events.e2e", tmp_path)
    for shard in built.manifest.shards:
        clouds = opened.select(open_shard(built.output / shard.name).read())
        for i in range(len(clouds)):
            identity = tuple(int(clouds.jets[name][i]) for name in ("run", "lumi", "event", "jet"))
            nodes = {name: column[clouds.offsets[i] : clouds.offsets[i + 1]] for name, column in clouds.nodes.items()}
            assert_same_nodes(found.nodes[identity], nodes, identity)
            assert int(found.rows[identity]["label"]) == int(clouds.jets["label"][i])


@pytest.mark.parametrize("jets", [0, 1, 2])
def test_one_jet_at_most_stands_for_an_event(runner, bundle, tmp_path, jets):
    event = awkward_event(np.random.default_rng(4), 7, np.full((jets, 2), 30))
    path = write_events(tmp_path / "events.e2e", [event])
    words = [str(word) for word in (runner, bundle, path)]
    found = subprocess.run(words, capture_output=True, text=True)
    if jets < 2:
        assert (found.returncode, len(found.stdout.splitlines())) == (0, 2), found.stderr
        return
    assert found.returncode == 1 and found.stderr.count("\n") == 1
    assert "event 1:2:0: holds 2 jets, but this bundle scores whole events" in found.stderr
