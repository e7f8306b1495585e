"""Python as the oracle of the C++ runner on made-up events: the nodes of every jet, and what the network gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from e2egraph.data.padding import pad
from e2egraph.graphs.making.nodes import make_nodes
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.inference.session import Bundle
from e2egraph.tasks.objects.objects import Objects, tower_centres
from e2egraph.tasks.task import make_task
from tests.exports.cpp_events import JET, Collections, record, write_events
from tests.exports.cpp_files import Inferred, assert_same_nodes, infer

# Activation of a head → what the columns of its tensors begin with in the runner's CSV.
PREFIXES = {"softmax": ("score", "logit"), "none": ("predicted",)}


def python_jets(bundle: Bundle, events: list[Collections]) -> PointClouds:
    """The same jets by ``make_nodes``, with the nodes that the bundle reads and all that it cuts counted."""
    owner = np.repeat(np.arange(len(events)), [len(event["jets"]["pt"]) for event in events])
    whole = {name: np.concatenate([event["jets"][name] for event in events]) for name in events[0]["jets"]}
    columns = {name: whole[name].astype(np.int64) for name in ("seed_ieta", "seed_iphi")}
    columns |= {name if name in ("softdrop_mass", "tau21", "tau32") else f"jet_{name}": whole[name] for name in JET}
    task = make_task(bundle.metadata.info.configuration, "bundle")
    jets = Objects(owner, columns, tower_centres(columns["seed_ieta"], columns["seed_iphi"]))
    clouds = bundle.select(make_nodes(record(events), jets, task)[0])
    clouds.jets["nodes_cut"] = clouds.jets["nodes_cut"] + np.maximum(clouds.counts - bundle.cap, 0)
    rank = np.arange(clouds.offsets[-1]) - np.repeat(clouds.offsets[:-1], clouds.counts)
    return clouds.keep_nodes(rank < bundle.cap)


def compare(runner: Path, bundle: Path, events: list[Collections], folder: Path, *options: str) -> PointClouds:
    """Nodes bit for bit, and every output of the network to 1e-4 of its size; returns Python's jets."""
    found = infer(runner, bundle, write_events(folder / "events.e2e", events), folder, *options)
    opened = Bundle.open(bundle, 1)
    clouds = python_jets(opened, events)
    assert list(found.rows) == [
        (1, 2, number, jet) for number, event in enumerate(events) for jet in range(len(event["jets"]["pt"]))
    ]
    for i, jet in enumerate(found.rows):
        own = slice(clouds.offsets[i], clouds.offsets[i + 1])
        assert_same_nodes(found.nodes[jet], {name: column[own] for name, column in clouds.nodes.items()}, jet)
        assert int(found.rows[jet]["nodes_cut"]) == clouds.jets["nodes_cut"][i]
    assert_same_outputs(found, opened, clouds)
    return clouds


def assert_same_outputs(found: Inferred, bundle: Bundle, clouds: PointClouds) -> None:
    """Columns and values of every tensor, for jets in the order of the runner's rows."""
    outputs = bundle.outputs(pad(clouds, bundle.inputs))
    columns = {
        name: [f"{prefix}_{column}" for column in head.columns]
        for head in bundle.metadata.outputs.heads
        for name, prefix in zip(head.tensors, PREFIXES[head.activation], strict=True)
    }
    expected = [column for names in columns.values() for column in names]
    known = [prefix for prefixes in PREFIXES.values() for prefix in prefixes]
    given = [column for column in next(iter(found.rows.values())) if column.split("_")[0] in known]
    assert given == expected
    for name, values in outputs.items():
        here = [[float(row[column]) for column in columns[name]] for row in found.rows.values()]
        np.testing.assert_allclose(here, values, atol=1e-4, rtol=1e-5)
