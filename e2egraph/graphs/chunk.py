"""One chunk of one input file, the unit of work of a build: scan its jets, or turn it into a shard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from e2egraph import __version__
from e2egraph.config import as_dict, digest
from e2egraph.errors import InputError
from e2egraph.events.rhtree import RHTreeFile
from e2egraph.events.schema import EventSource
from e2egraph.graphs.columns import JET_TYPES, NEIGHBORS, SPLITS, TARGET_PREFIX
from e2egraph.graphs.edges import nearest_neighbors
from e2egraph.graphs.hashing import hash_unit
from e2egraph.graphs.manifest import SCHEMA_VERSION, InputFile
from e2egraph.graphs.nodes import collections_needed, point_clouds
from e2egraph.graphs.pointclouds import PointClouds, concatenate, empty
from e2egraph.graphs.resampling import kept, spectrum
from e2egraph.graphs.selection import Jets, flatten_jets, kinematic_cuts
from e2egraph.graphs.shards import write_shard
from e2egraph.graphs.task import Split, TaskConfig
from e2egraph.graphs.truth import matched, truth_source

# A shard holds the jets of this many events; they are read and cut out in steps, which bound the memory.
EVENTS_PER_SHARD = 4096
EVENTS_PER_STEP = 256


@dataclass(frozen=True)
class Chunk:
    """Events ``start:stop`` of one input, and the shard they become."""

    shard: str
    input: InputFile
    start: int
    stop: int


@dataclass(frozen=True)
class Scan:
    """What a scan found: the cutflow up to truth matching and, for resampling, the pT spectrum."""

    cutflow: dict[str, int]
    spectrum: NDArray[np.int64] | None


def open_source(path: Path) -> EventSource:
    """The reader for a file."""
    return RHTreeFile(path)


def check_source(source: EventSource, task: TaskConfig, sample: str) -> None:
    """Fail at once, naming file and branch, when the file lacks what the task needs or holds no event."""
    if source.n_events == 0:
        raise InputError(f"{source.path}: holds no events; leave it out.")
    needed = ["id", "jets", *collections_needed(task.nodes)]
    needed += [f"hits.{channel.name}" for channel in task.nodes.members]
    for name in needed:
        if name in source.missing:
            raise InputError(
                f"{source.path}: no branch for {name} (looked for {source.missing.branches[name]}), "
                f"which task '{task.name}' needs; give a file that has it, or change nodes.channels."
            )
    truth_source(task.truth, sample, source)


def scan(chunk: Chunk, task: TaskConfig) -> Scan:
    """Select the chunk's jets without reading any deposit."""
    cutflow: dict[str, int] = {}
    spectra = []
    for _, jets in _selected(chunk, task, cutflow, ()):
        if task.resampling is not None:
            spectra.append(spectrum(jets.columns["jet_pt"], task.resampling))
    return Scan(cutflow, np.sum(spectra, axis=0) if spectra else None)


def build_shard(
    chunk: Chunk, task: TaskConfig, probabilities: NDArray[np.float64] | None, folder: Path
) -> dict[str, dict[str, int]]:
    """Write the chunk's shard; returns its cutflow and its number of jets in each split."""
    cutflow: dict[str, int] = {}
    parts = [empty([*JET_TYPES, *(TARGET_PREFIX + name for name in task.targets)], task.nodes.neighbors)]
    for events, selected in _selected(chunk, task, cutflow, collections_needed(task.nodes)):
        jets = selected
        if task.resampling is not None and probabilities is not None:
            identity = tuple(jets.columns[name] for name in ("run", "lumi", "event", "jet"))
            jets = jets.take(kept(jets.columns["jet_pt"], identity, probabilities, task.resampling))
            cutflow["resampling"] = cutflow.get("resampling", 0) + len(jets)
        clouds = point_clouds(events, jets, task.nodes)
        if task.nodes.neighbors:
            clouds.nodes[NEIGHBORS] = nearest_neighbors(clouds, task.nodes.neighbors)
        parts.append(_with_labels(clouds, task, chunk.input.sample))
    clouds = concatenate(parts)
    counts = {name: int((clouds.jets["split"] == name).sum()) for name in SPLITS}
    summary = {"cutflow": cutflow, "counts": counts}
    footer = {
        "schema_version": SCHEMA_VERSION,
        "software_version": __version__,
        "configuration": as_dict(task),
        "configuration_sha256": digest(task),
        "input": asdict(chunk.input),
        "events": [chunk.start, chunk.stop],
        **summary,
    }
    write_shard(folder / chunk.shard, clouds, tuple(task.targets), footer)
    return summary


def _selected(
    chunk: Chunk, task: TaskConfig, cutflow: dict[str, int], deposits: tuple[str, ...]
) -> Iterator[tuple[ak.Array, Jets]]:
    """Steps of the chunk as (events, selected jets); adds to ``cutflow`` the jets left after each cut."""
    source = open_source(Path(chunk.input.path))
    sample = chunk.input.sample
    truth = truth_source(task.truth, sample, source)
    collections = ["id", "pv", "jets", *deposits] + (["gen"] if truth == "generator" else [])
    for start in range(chunk.start, chunk.stop, EVENTS_PER_STEP):
        events = source.read(start, min(start + EVENTS_PER_STEP, chunk.stop), collections)
        jets = flatten_jets(events)
        _count(cutflow, "events", len(events))
        _count(cutflow, "jets", len(jets))
        passed = np.ones(len(jets), bool)
        for name, cut in kinematic_cuts(jets, task.selection).items():
            passed &= cut
            _count(cutflow, name, int(passed.sum()))
        jets = jets.take(passed)
        jets = jets.take(matched(jets, events, task.truth, sample, truth))
        _count(cutflow, "truth", len(jets))
        yield events, jets


def _count(cutflow: dict[str, int], step: str, number: int) -> None:
    cutflow[step] = cutflow.get(step, 0) + number


def _with_labels(clouds: PointClouds, task: TaskConfig, sample: str) -> PointClouds:
    jets = clouds.jets
    jets["label"] = np.full(len(clouds), task.classes.index(sample), np.uint8)
    jets["weight"] = np.ones(len(clouds), np.float32)
    jets["split"] = assign_split(task.split, jets["run"], jets["lumi"], jets["event"])
    for name in task.targets:
        if name not in jets:
            raise InputError(f"task '{task.name}': no jet field '{name}' for targets; choose one of {', '.join(jets)}.")
        jets[TARGET_PREFIX + name] = jets[name].astype(np.float32)
    names = [*JET_TYPES, *(TARGET_PREFIX + name for name in task.targets)]
    return PointClouds({name: jets[name] for name in names}, clouds.nodes, clouds.offsets)


def assign_split(split: Split, run: NDArray, lumi: NDArray, event: NDArray) -> NDArray[np.str_]:
    """``train``, ``validation`` or ``test`` for each jet [J], by a hash of its event: jets of one event never part."""
    position = hash_unit(split.salt, run, lumi, event)
    edges = [split.test, split.test + split.validation]
    return np.array(["test", "validation", "train"], dtype="U10")[np.searchsorted(edges, position, side="right")]
