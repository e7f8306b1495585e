"""A small synthetic data set written through the project's own shard and manifest writers.

Signal jets have three prongs and a mass near 173 GeV, background jets one prong and a falling mass, so that a network
learns to tell them apart within a few steps. Numbers carry no physics beyond that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from e2egraph import __version__
from e2egraph.config import as_dict, digest
from e2egraph.detector.channels import Channel, channels
from e2egraph.graphs.storage.columns import SPLITS, TARGET_PREFIX, task_schema
from e2egraph.graphs.storage.manifest import SCHEMA_VERSION, Manifest, Shard, write_manifest
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.graphs.storage.shards import write_shard
from e2egraph.graphs.storage.verification import sha256_of
from e2egraph.tasks.task import TaskConfig, make_task

CHANNEL_NAMES = ("TRACK", "BPIX1", "BPIX2", "BPIX3", "ECAL", "HCAL")
CHANNELS = np.array([channels()[name] for name in CHANNEL_NAMES], np.uint8)


def toy_task(
    classes: Sequence[str] = ("qcd", "top"), signal: str = "top", objective: Mapping[str, Any] | None = None
) -> TaskConfig:
    """The task of toy jets: a classification unless ``objective`` is another."""
    return make_task(
        {
            "name": "toy",
            "description": "toy jets",
            "inputs": {"channels": list(CHANNEL_NAMES)},
            "objective": objective or {"kind": "classification", "classes": list(classes), "signal": signal},
        },
        "toy task",
    )


def toy_clouds(
    label: int,
    jets: int,
    rng: np.random.Generator,
    *,
    nodes: tuple[int, int] = (0, 60),
    split_fractions: Sequence[float] = (0.6, 0.2, 0.2),
    first_event: int = 1,
) -> PointClouds:
    """``jets`` jets of one class with ``nodes[0] … nodes[1]`` nodes each, in the canonical node order."""
    counts = rng.integers(nodes[0], nodes[1] + 1, jets)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    total, owner = int(offsets[-1]), np.repeat(np.arange(jets), counts)

    channel = rng.choice(CHANNELS, total)
    prongs = 3 if label == 1 else 1
    centres = rng.uniform(-0.6, 0.6, (jets, 3, 2)) if prongs == 3 else np.zeros((jets, 3, 2))
    position = centres[owner, rng.integers(0, prongs, total)] + rng.normal(0.0, 0.08, (total, 2))
    position = np.clip(position, -1.05, 1.05)
    is_hit = (channel >= Channel.BPIX1) & (channel <= Channel.TOB2)
    is_track = channel == Channel.TRACK
    value = np.where(is_hit, 1.0, rng.exponential(8.0, total) + 0.5)
    order = np.lexsort((position[:, 1], position[:, 0], -value, channel, owner))

    radius = np.zeros(len(channels()))
    for row in channels().values():
        radius[row] = row.radius if row.collection == "hits" else 0.0
    sigma = np.where(is_track, 1.0, 0.0)
    columns = {
        "deta": position[:, 0],
        "dphi": position[:, 1],
        "channel": channel,
        "rho": radius[channel],
        "value": value,
        "d0": sigma * rng.normal(0.0, 0.01, total),
        "dz": sigma * rng.normal(0.0, 0.02, total),
        "d0_sig": sigma * rng.normal(0.0, 2.0, total),
        "dz_sig": sigma * rng.normal(0.0, 2.0, total),
        "charge": sigma * rng.choice([-1.0, 1.0], total),
        "time": np.where(channel == Channel.ECAL, rng.normal(0.0, 1.0, total), 0.0),
    }
    mass = rng.normal(173.0, 15.0, jets) if label == 1 else rng.exponential(60.0, jets) + 5.0
    quantities = {
        "run": np.ones(jets),
        "lumi": np.full(jets, label + 1),
        "event": first_event + np.arange(jets),
        "jet": np.zeros(jets),
        "label": np.full(jets, label),
        "weight": np.ones(jets),
        "split": rng.choice(np.array(SPLITS), jets, p=list(split_fractions)),
        "jet_pt": rng.uniform(400.0, 700.0, jets),
        "jet_eta": rng.uniform(-1.3, 1.3, jets),
        "jet_phi": rng.uniform(-np.pi, np.pi, jets),
        "jet_mass": mass * 1.2,
        "softdrop_mass": mass,
        "tau21": rng.uniform(0.0, 1.0, jets),
        "tau32": np.clip(rng.normal(0.5 if label == 1 else 0.7, 0.15, jets), 0.0, 1.0),
        "seed_ieta": np.full(jets, 28),
        "seed_iphi": np.full(jets, 36),
        "n_pv": np.full(jets, 10),
        "n_nodes": counts,
        "nodes_cut": np.zeros(jets),
        # What can be learnt: the mass behind the jet, and a momentum like the jet's own.
        TARGET_PREFIX + "gen_mass": mass,
    }
    quantities[TARGET_PREFIX + "gen_pt"] = 1.05 * quantities["jet_pt"]
    node_arrays = {
        name: values[order].astype(np.uint8 if name == "channel" else np.float32) for name, values in columns.items()
    }
    return PointClouds(jets=quantities, nodes=node_arrays, offsets=offsets)


def write_toy_dataset(
    folder: Path,
    jets: int = 400,
    seed: int = 0,
    *,
    nodes: tuple[int, int] = (0, 60),
    classes: tuple[str, ...] = ("qcd", "top"),
    signal: str = "top",
    shards_per_class: int = 2,
    split_fractions: Sequence[float] = (0.6, 0.2, 0.2),
    objective: Mapping[str, Any] | None = None,
) -> Path:
    """Write ``jets`` jets in all (equal numbers of each class) as a data set at ``folder`` and return ``folder``.

    ``objective``: another than the classification of ``classes``; it may have the targets gen_mass and gen_pt [GeV].
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    task = toy_task(classes, signal, objective)
    classes, configuration = task.classes, as_dict(task)
    shards: list[Shard] = []
    counts = {name: dict.fromkeys(SPLITS, 0) for name in classes}
    for label, name in enumerate(classes):
        for number, share in enumerate(np.array_split(np.arange(jets // len(classes)), shards_per_class)):
            clouds = toy_clouds(
                label,
                len(share),
                rng,
                nodes=nodes,
                split_fractions=split_fractions,
                first_event=1 + int(share[0]) if len(share) else 1,
            )
            path = folder / f"part-{name}-{number:03d}.parquet"
            write_shard(
                path, clouds, task_schema(task), {"schema_version": SCHEMA_VERSION, "configuration": configuration}
            )
            shards.append(
                Shard(path.name, name, len(clouds), int(clouds.offsets[-1]), path.stat().st_size, sha256_of(path))
            )
            for split in SPLITS:
                counts[name][split] += int((clouds.jets["split"] == split).sum())
    write_manifest(
        folder,
        Manifest(
            schema_version=SCHEMA_VERSION,
            software_version=__version__,
            task="toy",
            classes=list(classes),
            network_inputs=task.network_inputs,
            configuration=configuration,
            configuration_sha256=digest(task),
            inputs=[],
            shards=shards,
            cutflow={},
            counts=counts,
            skipped=[],
        ),
    )
    return folder
