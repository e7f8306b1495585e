"""Small builds for tests: ntuples without images, the ``top`` task, and how to compare two data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from e2egraph.events.samples import Sample
from e2egraph.graphs.building.build import BuildSummary
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.tasks.objects.jet import KIND, JetConfig
from e2egraph.tasks.objects.objects import Objects
from e2egraph.tasks.task import TaskConfig, load_task, make_task
from tests import rhtree_files

# Enough |η| that most random jets stay, so that small files suffice.
SETTINGS = ("object.abs_eta_max=1.5", "resampling.edges.jet_pt=[400,600,3000]")


def ntuple(path: Path, seed: int, events: int = 12, first_event: int = 1) -> Path:
    """An RHTree file of vectors alone, with ``events`` events of lumi ``seed``."""
    deposits = rhtree_files.random_deposits(events, seed, first_event=first_event)
    return rhtree_files.write(path, deposits, without=rhtree_files.IMAGE_PREFIXES)


def damaged_ntuple(path: Path, seed: int, events: int = 12) -> Path:
    """One that opens and can be scanned, with an infinite energy in its last event."""
    deposits = rhtree_files.random_deposits(events, seed)
    deposits.branches["ecal_energy"][-1][0] = float("inf")
    return rhtree_files.write(path, deposits, without=rhtree_files.IMAGE_PREFIXES)


def parton_ntuple(path: Path, seed: int, events: int = 12, weights: Sequence[float] | None = None) -> Path:
    """One whose jets come from partons of status 23: the first of an event from a quark, the second from a gluon.

    Partons have radiating copies elsewhere. ``weights``: of the events, by the generator.
    """
    deposits = rhtree_files.random_deposits(events, seed, truth=False)
    for event in range(events):
        eta, phi = (deposits.branches[f"jet{name}"][event] for name in ("Eta", "Phi"))
        columns = {
            "pdgId": np.array([2212, 1 + event % 3, 1 + event % 3, 21, 21], np.int32),
            "mother": np.array([-1, 0, 1, 0, 3], np.int32),
            "status": np.array([4, 23, 51, 23, 51], np.int32),
            "eta": np.array([9, eta[0] + 0.1, -3, eta[1] + 0.2, 3], np.float32),
            "phi": np.array([0, phi[0], 0, phi[1], 0], np.float32),
            "pt": np.array([0, 500 + event, 1, 600 + event, 1], np.float32),
            "m": np.array([0.9, 0.1 * event, 0, 0.2 * event, 0], np.float32),
        }
        for name, values in columns.items():
            deposits.add(f"gen_{name}", values)
        if weights is not None:
            deposits.add("genWeight", float(weights[event]))
    return rhtree_files.write(path, deposits, without=rhtree_files.IMAGE_PREFIXES)


def jets_of(summary: BuildSummary, label: int | None = None) -> dict[str, np.ndarray]:
    """Plain columns of a data set, of one class or all."""
    files = [open_shard(summary.output / shard.name) for shard in summary.manifest.shards]
    parts = [file.read().jets for file in files]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return columns if label is None else {name: values[columns["label"] == label] for name, values in columns.items()}


def samples_of(qcd: list[Path], top: list[Path]) -> list[Sample]:
    return [Sample("qcd", "qcd", tuple(qcd)), Sample("top", "top", tuple(top))]


def task(*settings: str):
    return load_task("top", [*SETTINGS, *settings])


def content(folder: Path) -> dict[str, bytes]:
    """Name → bytes of every file of a data set."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if not path.name.startswith(".")}


def node_task(channels: Sequence[str], *, region: Mapping[str, Any] | None = None, **inputs: Any) -> TaskConfig:
    """A task of ``channels``, without any cut on them unless ``inputs`` says so."""
    content = {
        "name": "nodes",
        "description": "nodes of jets",
        "region": region or {},
        "inputs": {"channels": list(channels), "suppress_displaced": False, **inputs},
        "objective": {"kind": "classification", "classes": ["qcd", "top"], "signal": "top"},
    }
    return make_task(content, "nodes")


def all_jets(events: ak.Array) -> Objects:
    """Every jet of some events."""
    return KIND.find(events, JetConfig())
