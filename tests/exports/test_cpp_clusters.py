"""Clusters: C++ finds the seeds that Python finds, makes the same nodes around them and gives the same scores."""

from __future__ import annotations

import subprocess

import awkward as ak
import numpy as np
import pytest

from e2egraph.events.samples import Sample
from e2egraph.graphs.building.build import build
from e2egraph.graphs.making.dump import dump_events
from e2egraph.graphs.making.nodes import make_nodes
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.inference.session import Bundle
from e2egraph.tasks.objects.cluster import KIND
from e2egraph.tasks.task import make_task
from tests.export.bundles import export
from tests.exports.cmssw_program import execute
from tests.exports.conftest import about, jet_linear_network
from tests.exports.cpp_events import awkward_event, record, with_values, write_events
from tests.exports.cpp_files import assert_same_nodes, infer
from tests.exports.cpp_oracle import assert_same_outputs
from tests.graphs.test_clusters import TASK, shower_file
from tests.tasks.crystals import events_of, random_crystals

OBJECT = {"kind": "cluster", "seed_min": 0.4, "et_min": 1.0, "et_max": 40.0, "edge_crystals": 3}
CONTENT = {
    "name": "made-up",
    "description": "made-up clusters",
    "object": OBJECT,
    "inputs": {"channels": ["TRACK", "BPIX1", "TIB2", "ECAL", "HCAL"], "cap": 80},
    "objective": {"kind": "classification", "classes": ["photon", "electron"], "signal": "electron"},
}
NONE = np.empty((0, 2), np.int64)
SEED = awkward_event(np.random.default_rng(1), 4, np.array([[100, 100]]))["jets"]


ISOLATION = {"most": 0.5, "cone": 0.2, "veto": 0.05, "track_pt": 2.0}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A network of all quantities of the cluster and of nodes of all kinds of deposits."""
    return exported(CONTENT, tmp_path_factory)


@pytest.fixture(scope="module")
def isolated(tmp_path_factory):
    """The same of clusters with few tracks around."""
    return exported({**CONTENT, "object": {**OBJECT, "isolation": ISOLATION}}, tmp_path_factory)


def exported(content, tmp_path_factory):
    task = make_task(content, "made-up")
    folder = tmp_path_factory.mktemp("bundle") / "clusters"
    inputs = task.network_inputs
    export(jet_linear_network(inputs), folder, about("jet-linear", task), inputs=inputs, outputs=task.objective.outputs)
    return folder


def crowded(seed, vertex=(0.1, -0.05, 4.0)):
    """Tracks, hits and towers anywhere, crystals in crowded places with many of equal energy; and the vertex."""
    rng = np.random.default_rng(seed)
    crystals = np.array(random_crystals(seed, 900))
    energy = np.where(rng.random(len(crystals)) < 0.5, np.round(crystals[:, 2], 0), crystals[:, 2])
    event = awkward_event(rng, len(crystals), NONE)
    return with_values(event, "ecal", ieta=crystals[:, 0], iphi=crystals[:, 1], energy=energy), vertex


def python_clusters(bundle, events, z):
    """Selected clusters with their nodes, as Python makes them."""
    task = make_task(bundle.metadata.info.configuration, "bundle")
    columns = ("ieta", "iphi", "energy")
    crystals = [list(zip(*(event["ecal"][name] for name in columns), strict=True)) for event in events]
    made = events_of(crystals, z=z)
    objects = KIND.find(ak.with_field(made, record(events).tracks, "tracks"), task.object)
    cuts = KIND.cuts(objects, task.object)
    taken = objects.take(np.logical_and.reduce(list(cuts.values())))
    return objects, cuts, bundle.select(make_nodes(record(events), taken, task)[0])


def test_crowded_events_have_the_same_clusters_and_nodes(runner, bundle, tmp_path):
    made = [crowded(seed) for seed in range(6)]
    events = [event for event, _ in made]
    opened = Bundle.open(bundle, 1)
    objects, cuts, clouds = python_clusters(opened, events, z=4.0)
    found = infer(runner, bundle, write_events(tmp_path / "events.e2e", events, made[0][1]), tmp_path)
    names = ("jet", "seed_row", "seed_column")
    columns = [objects.event, *(objects.columns[name] for name in names)]
    expected = list(zip(*(column.tolist() for column in columns), strict=True))
    rows = list(found.rows.values())
    own = [tuple(int(row[name]) for name in ("event", "jet", "seed_ieta", "seed_iphi")) for row in rows]
    assert own == expected and len(own) > 100
    fails = np.full(len(objects), "none", object)
    for name, passed in reversed(cuts.items()):
        fails[~passed] = name
    assert [row["cut"] for row in rows] == fails.tolist()
    assert set(fails) == {"none", "barrel_edge", "et", "eta"} or {"none", "barrel_edge", "et"} <= set(fails)
    scored = {identity: row for identity, row in found.rows.items() if row["cut"] == "none"}
    assert len(scored) == len(clouds) > 20
    for i, identity in enumerate(scored):
        nodes = {name: column[clouds.offsets[i] : clouds.offsets[i + 1]] for name, column in clouds.nodes.items()}
        assert_same_nodes(found.nodes[identity], nodes, identity)
    # The network reads every quantity of a cluster, so that these are equal too.
    assert_same_outputs(type(found)(scored, found.nodes, found.errors), opened, clouds)
    assert np.ptp([float(row["logit_electron"]) for row in scored.values()]) > 1e-3


def test_clusters_with_tracks_around_fail_the_same_cut(runner, isolated, tmp_path):
    made = [crowded(seed) for seed in range(6)]
    events = [event for event, _ in made]
    _, cuts, clouds = python_clusters(Bundle.open(isolated, 1), events, z=4.0)
    found = infer(runner, isolated, write_events(tmp_path / "events.e2e", events, made[0][1]), tmp_path)
    others = np.logical_and.reduce([passed for name, passed in cuts.items() if name != "isolation"])
    fails = [row["cut"] == "isolation" for row in found.rows.values()]
    assert fails == (others & ~cuts["isolation"]).tolist()
    assert 5 < sum(fails) < others.sum() - 5
    assert sum(row["cut"] == "none" for row in found.rows.values()) == len(clouds)


def test_clusters_of_a_data_set_are_scored_given_or_found(runner, tmp_path):
    paths = {
        name: shower_file(tmp_path / f"{name}.root", pdg, pdg)[0] for name, pdg in (("photon", 22), ("electron", 11))
    }
    samples = [Sample(name, name, (path,)) for name, path in paths.items()]
    built = build(TASK, samples, tmp_path / "data")
    inputs = TASK.network_inputs
    folder = tmp_path / "bundle"
    export(jet_linear_network(inputs), folder, about("jet-linear", TASK), inputs=inputs, outputs=TASK.objective.outputs)
    opened, parts = Bundle.open(folder, 1), [open_shard(built.output / shard.name) for shard in built.manifest.shards]
    for seeds in (True, False):
        summary = dump_events(TASK, samples, tmp_path / "events.e2e", seeds=seeds)
        found = infer(runner, folder, tmp_path / "events.e2e", tmp_path)
        jets = 0
        for file in parts:
            clouds = opened.select(file.read())
            for i in range(len(clouds)):
                identity = tuple(int(clouds.jets[name][i]) for name in ("run", "lumi", "event", "jet"))
                own = {name: column[clouds.offsets[i] : clouds.offsets[i + 1]] for name, column in clouds.nodes.items()}
                assert_same_nodes(found.nodes[identity], own, identity)
                row = found.rows[identity]
                assert int(row["label"]) == (clouds.jets["label"][i] if seeds else -1)
                assert int(row["seed_iphi"]) == clouds.jets["seed_column"][i]
            jets += len(clouds)
        assert jets == sum(summary.jets.values()) > 70
        assert len(found.rows) == jets


def test_events_without_clusters_have_none(runner, bundle, tmp_path):
    event = awkward_event(np.random.default_rng(2), 30, NONE)
    quiet = with_values(event, "ecal", energy=0.3)
    found = infer(runner, bundle, write_events(tmp_path / "events.e2e", [quiet, quiet]), tmp_path)
    assert not found.rows and "0 jets scored" in found.errors


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda event: with_values(event, "ecal", ieta=280), "a crystal lies outside rows 0–279"),
        (lambda event: with_values(event, "ecal", energy=np.nan), "NaN or infinite"),
        (
            lambda event: event | {"jets": {**SEED, "seed_ieta": np.array([280])}},
            "a cluster's seed lies outside rows 0–279",
        ),
        (lambda event: event | {"jets": {**SEED, "seed_iphi": np.array([-1])}}, "give no clusters to find them"),
    ],
)
def test_bad_crystals_and_seeds_are_refused(change, message, runner, bundle, tmp_path):
    events = write_events(tmp_path / "events.e2e", [change(awkward_event(np.random.default_rng(2), 30, NONE))])
    result = subprocess.run([runner, bundle, events], capture_output=True, text=True)
    assert result.returncode == 1 and message in result.stderr and result.stderr.count("\n") == 1


def test_a_vertex_that_is_no_number_is_refused(runner, bundle, tmp_path):
    event, _ = crowded(1)
    events = write_events(tmp_path / "events.e2e", [event], (0.0, 0.0, float("nan")))
    result = subprocess.run([runner, bundle, events], capture_output=True, text=True)
    assert result.returncode == 1 and "its primary vertex is NaN or infinite" in result.stderr


def test_cmssw_modules_refuse_a_bundle_of_clusters(cmssw_run, bundle):
    result = execute(cmssw_run, "run", bundle)
    assert result.returncode == 1
    assert "made for objects of kind cluster, but these modules tag jets; give a bundle of jets" in result.stderr
