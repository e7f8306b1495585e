"""Small builds for tests: ntuples without images, the ``top`` task, and how to compare two data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import awkward as ak

from e2egraph.events.samples import Sample
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


def samples_of(qcd: list[Path], top: list[Path]) -> list[Sample]:
    return [Sample("qcd", "qcd", tuple(qcd)), Sample("top", "top", tuple(top))]


def task(*settings: str):
    return load_task("top", [*SETTINGS, *settings])


def content(folder: Path) -> dict[str, bytes]:
    """Name → bytes of every file of a data set."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


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
