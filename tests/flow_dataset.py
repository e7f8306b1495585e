"""A small synthetic particle-flow data set, written through the project's own shard and manifest writers.

An event is tracks (charged hadrons, electrons, muons), ECAL clusters (photons, or what charged particles left there)
and HCAL clusters (neutral hadrons, or likewise), with the columns that a flow task's shards have. Numbers carry no
physics beyond what a network can learn within a few steps: clusters near a track belong to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from e2egraph import __version__
from e2egraph.config import as_dict, digest
from e2egraph.detector.channels import Channel
from e2egraph.graphs.storage.columns import SPLITS, object_types, task_schema
from e2egraph.graphs.storage.manifest import SCHEMA_VERSION, Manifest, Shard, write_manifest
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.graphs.storage.shards import write_shard
from e2egraph.graphs.storage.verification import sha256_of
from e2egraph.tasks.objectives.nodes import CLASSES
from e2egraph.tasks.task import TaskConfig, make_task
from e2egraph.tasks.variables import NodeVariable, Scale, Variable, register, variables

# Node variables of elements, where nothing has registered them.
for _name, _unit, _by in (
    ("energy", "GeV", ()),
    ("deta0", "", ("eta",)),
    ("dphi0", "rad", ("phi",)),
):
    if _name not in variables():
        register(NodeVariable(Variable(name=_name, unit=_unit, description=_name, scale=Scale(unit=0.1, gain=0.25),
                                       reflected_by=_by), {}))  # fmt: skip

VARIABLES = ("value", "energy", "charge", "dz", "deta0", "dphi0")
NONE, CHARGED, NEUTRAL, PHOTON, ELECTRON, MUON = range(len(CLASSES))


def flow_task(objective: Mapping[str, Any] | None = None, inputs: Mapping[str, Any] | None = None) -> TaskConfig:
    return make_task(
        {
            "name": "flow",
            "description": "synthetic particle flow",
            "object": {"kind": "event"},
            "region": {"centre": "none", "abs_eta_max": 3.0},
            "inputs": {"channels": ["TRACK", "ECAL", "HCAL"], "variables": list(VARIABLES), "object": [], "cap": 20480}
            | dict(inputs or {}),
            "truth": {"source": "sample_name"},
            "objective": {"kind": "nodes", **(objective or {})},
        },
        "flow task",
    )


def flow_clouds(
    events: int,
    rng: np.random.Generator,
    *,
    particles: tuple[int, int] = (0, 40),
    split_fractions: Sequence[float] = (0.6, 0.2, 0.2),
    first_event: int = 1,
) -> PointClouds:
    """``events`` events of so many particles, in the canonical node order."""
    counts = rng.integers(particles[0], particles[1] + 1, events)
    owner = np.repeat(np.arange(events), counts)
    total = len(owner)
    kind = rng.choice([CHARGED, NEUTRAL, PHOTON, ELECTRON, MUON], total, p=[0.55, 0.15, 0.25, 0.03, 0.02])
    pt, eta = rng.exponential(5.0, total) + 1.0, rng.uniform(-2.4, 2.4, total)
    phi = rng.uniform(-np.pi, np.pi, total)
    charge = np.where(np.isin(kind, (CHARGED, ELECTRON, MUON)), rng.choice([-1.0, 1.0], total), 0.0)
    mass = np.select([kind == CHARGED, kind == NEUTRAL], [0.14, 0.5], 0.0)
    energy = np.sqrt((pt * np.cosh(eta)) ** 2 + mass**2)
    pileup = (rng.random(total) < 0.3).astype(float)
    bend = charge * np.arcsin(np.minimum(0.735 / pt, 1.0))
    at_ecal = phi - bend
    particle = np.arange(total) - (np.cumsum(counts) - counts)[owner]

    def elements(chosen: NDArray, channel: Channel, response: NDArray, is_target: NDArray) -> dict[str, NDArray]:
        n, track = int(chosen.sum()), channel == Channel.TRACK
        smear = 0.001 if track else 0.004
        e = energy[chosen] * response[chosen]
        deta = rng.normal(0.0, smear, n)
        dphi0 = bend[chosen] if track else np.zeros(n)
        return {
            "owner": owner[chosen],
            "deta": eta[chosen] + deta,
            "dphi": at_ecal[chosen] + rng.normal(0.0, smear, n),
            "channel": np.full(n, int(channel)),
            "value": e / np.cosh(eta[chosen]),
            "energy": e,
            "charge": charge[chosen] if track else np.zeros(n),
            "dz": np.where(pileup[chosen] > 0, rng.normal(0.0, 3.0, n), rng.normal(0.0, 0.02, n)) * track,
            "deta0": -deta if track else np.zeros(n),
            "dphi0": dphi0,
            "node_class": np.where(is_target[chosen], kind[chosen], NONE),
            **{
                f"node_target_{name}": np.where(is_target[chosen], values[chosen], 0.0)
                for name, values in (("pt", pt), ("eta", eta), ("phi", phi), ("energy", energy), ("pileup", pileup))
            },
            "node_particle": np.where(is_target[chosen], particle[chosen], -1),
        }

    with_track, hadron = charge != 0, np.isin(kind, (CHARGED, NEUTRAL))
    electromagnetic = np.isin(kind, (PHOTON, ELECTRON))
    parts = [
        elements(with_track, Channel.TRACK, rng.normal(1.0, 0.02, total), with_track),
        elements(electromagnetic, Channel.ECAL, rng.normal(1.0, 0.05, total), kind == PHOTON),
        elements(hadron, Channel.HCAL, np.abs(rng.normal(0.8, 0.2, total)) + 0.05, kind == NEUTRAL),
    ]
    flat = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    flat["dphi"] = np.mod(flat["dphi"] + np.pi, 2 * np.pi) - np.pi
    order = np.lexsort((flat["dphi"], flat["deta"], -flat["value"], flat["channel"], flat["owner"]))
    nodes = np.bincount(flat["owner"], minlength=events)
    task = flow_task()
    types = {**dict.fromkeys(flat, "float32"), "channel": "uint8", **task.objective.node_columns}
    columns = {name: values[order].astype(types[name]) for name, values in flat.items() if name != "owner"}
    jets: dict[str, NDArray] = {
        name: np.zeros(events, "float32" if kind.startswith("U") else kind)
        for name, kind in object_types(task.object_kind).items()
    }
    jets |= {
        "run": np.ones(events, np.uint32),
        "lumi": np.ones(events, np.uint32),
        "event": first_event + np.arange(events),
        "weight": np.ones(events, np.float32),
        "split": rng.choice(np.array(SPLITS), events, p=list(split_fractions)),
        "n_pv": np.full(events, 10),
        "n_nodes": nodes,
    }
    return PointClouds(jets, columns, np.concatenate([[0], np.cumsum(nodes)]).astype(np.int64))


def write_flow_dataset(
    folder: Path,
    events: int = 200,
    seed: int = 0,
    *,
    particles: tuple[int, int] = (0, 40),
    objective: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    shards: int = 2,
) -> Path:
    """Write ``events`` events as a data set at ``folder`` and return ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    task = flow_task(objective, inputs)
    configuration = as_dict(task)
    entries, counts = [], dict.fromkeys(SPLITS, 0)
    for number, share in enumerate(np.array_split(np.arange(events), shards)):
        clouds = flow_clouds(len(share), rng, particles=particles, first_event=1 + int(share[0]))
        path = folder / f"part-event-{number:03d}.parquet"
        write_shard(path, clouds, task_schema(task), {"schema_version": SCHEMA_VERSION, "configuration": configuration})
        entries.append(
            Shard(path.name, "event", len(clouds), int(clouds.offsets[-1]), path.stat().st_size, sha256_of(path))
        )
        for split in SPLITS:
            counts[split] += int((clouds.jets["split"] == split).sum())
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        software_version=__version__,
        task="flow",
        classes=list(task.classes),
        network_inputs=task.network_inputs,
        configuration=configuration,
        configuration_sha256=digest(task),
        inputs=[],
        shards=entries,
        cutflow={},
        counts={"event": counts},
        skipped=[],
    )
    write_manifest(folder, manifest)
    return folder
